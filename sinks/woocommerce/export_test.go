package woocommerce

import (
	"net/url"

	"stocksync/sinks"
)

// ClassOf says what a code of the shop means; false for one that is not known.
func ClassOf(code string) (sinks.Class, bool) { return classOf(code) }

// BaseString is what OAuth 1.0a signs.
func BaseString(method, address string, query url.Values) string {
	return baseString(method, address, query)
}
