package shopify

import "stocksync/sinks"

// ClassOf says what a code means; false for one that is not known.
func ClassOf(code string) (sinks.Class, bool) { return classOf(code) }

// SetWindow sets how many objects are paged through before the list is begun anew.
func SetWindow(s sinks.Session, n int) { s.(*session).window = n }
