package shopee

// Doors for the tests.
var (
	Sign       = sign
	Classify   = classify
	UntilQuota = untilQuota
)
