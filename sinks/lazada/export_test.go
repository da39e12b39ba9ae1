package lazada

import "stocksync/sinks"

// Doors for the tests.
var (
	Sign  = sign
	EndOf = endOf
	BanOf = banOf
)

// Classify returns what an error means in Indonesia.
func Classify(code, message string) sinks.Outcome {
	s := &session{zone: countries()["id"].zone}
	return s.classify(code, message)
}
