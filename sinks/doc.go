// Package sinks brings every store to the availability that the processor found, and says per SKU and store
// whether it is there and, if not, why.
//
// It is level-triggered: the wanted state of a pair (availability, settings, listing) is held against the
// delivered one (its sync status), and pending work is whatever differs. There is no queue to lose, and only
// absolute quantities are sent. The parts, from the outside in:
//
//	sinks.go       one instance: tables first, then the group
//	tail.go        compacted topics -> local tables (package state's views); tells whom a record concerns
//	group.go       membership: the group shares out the partitions of `stores`; a store has one owner
//	owner.go       starts and ends the reconcilers of the stores that this instance owns
//	reconciler.go  one goroutine a store: look, judge, queue, send, answer, write status
//	verdict.go     judge: facts about a pair -> reason, due or not, and what is wanted; pure. Beside it:
//	               reason.go and mapping.go find reasons, due.go why an update is sent, aim.go what each target
//	               of a pair gets, attempt.go what was refused, quantity.go, unseen.go and locations.go the numbers
//	carry.go       one request: read the shop where that is needed, reckon anew, write what is not there yet
//	sweep.go       all pairs of a store at once, when it is taken over or its record changes
//	brake.go       much of a store that would fall to 0 at once waits for a person
//	catalogue.go   what a shop sells -> listings; near.go finds SKUs that differ by case or spaces only
//	readback.go    what a shop shows against what it was brought to
//	limits.go      where the store's limits (package limit) hold a pair back; gate.go keeps them for every request
//	adapter.go     what a marketplace's dialect must offer; one directory below each
//
// Nothing beside the status is remembered of a pair: what the shop was brought to, what it had sold unseen, what
// it refused and since when it is switched off travel in it, so that whoever owns the store next knows.
//
// # Invariants
//
//	S1  a store has one reconciler in this instance, and sends only while its partition is held
//	S2  after a predecessor that did not let go in order, nothing is sent for one request timeout
//	S3  nothing is sent when the group was not heard of for a session timeout
//	S4  a pair has at most one request in flight, and a newer revision replaces one that waits
//
// What a paused process or a late request can still spoil after that carries its revision, by which a shop
// tells the older from the newer.
//
// The package must not know the processor; the two meet in topics.
package sinks
