// Package limit keeps the requests of one store within what its marketplace allows, whatever the shape of the
// limit: so many a second, a bucket of tokens, a bucket of points whose level the answers tell, so many a day,
// so many changes of one listing a day, or a limit that nobody publishes and that answers alone show.
//
//	limit.go   Limiter: leave for the next request, from all shapes together
//	pace.go    requests a second, and what throttling answers make of it
//	points.go  the bucket of points that a shop counts and tells
//	daily.go   budgets of a day, which survive a restart
//
// Budgets of a day keep a part back for what matters most: a stock-out still goes when nothing else does.
//
// The package knows no marketplace, makes no request and waits only where told to.
package limit
