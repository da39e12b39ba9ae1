package medusa

import "stocksync/sinks"

// ClassOf says what a type of error means; false for one that is not known.
func ClassOf(kind string) (sinks.Class, bool) { return classOf(kind) }
