package vendure

import "stocksync/sinks"

// ClassOf says what a code of the shop means; false for one that is not known.
func ClassOf(code string) (sinks.Class, bool) { return classOf(code) }
