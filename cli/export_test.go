package cli

import "stocksync/topics"

// ReasonText opens reasonText to the tests.
func ReasonText(r topics.SyncReason) string { return reasonText(r) }
