package sinks

// ErrMisplaced opens errMisplaced to the tests.
var ErrMisplaced = errMisplaced
