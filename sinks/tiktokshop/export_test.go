package tiktokshop

// Doors for the tests.
var (
	Sign     = sign
	Meanings = meanings
)
