// Package state holds what the processor knows: the fold of ledger lines and order lines into
// Actual and Reserved quantities, the changelog format that carries it, and the Pebble store that
// caches it on disk.
//
// # The fold
//
// The fold is pure: no clock, no network, no goroutine. Per SKU it keeps two last-writer-wins maps,
// ledger lines by line_id and order lines by order_line_id, and totals made from them. Its
// invariants carry names that tests use:
//
//	F1 idempotent:   an event that was folded before changes nothing
//	F2 order-free:   any permutation of the same events gives the same state (but for the refusals
//	                 overflow, version_conflict, too_late and sku_too_wide, which arrival decides)
//	F3 conservation: Actual = newest live count + sum of the live deltas after it
//	F4 reserved:     Reserved = sum of the contributions of the order lines
//	F5 available:    Available = max(0, Actual - Reserved)
//	F6 revision:     each availability record of a SKU has a higher revision than the one before
//
// # The horizon
//
// What has not changed for a long time is collapsed, so that a SKU does not grow with its history:
//
//	C1 unseen:    a collapse changes no total, no store's numbers and no warehouse
//	C2 neutral:   what is folded later comes to what it would have come to, or is refused as too late
//	C3 bounded:   no frontier lies on or after the day that the collapse was given, so that nothing
//	              younger is ever too late
//	C4 restored:  what a restore makes of the changelog is what the collapse left in memory
//
// # The store
//
// Pebble is a cache of the committed changelog: it may be behind, never ahead. Every batch holds
// data and the changelog position it reaches, together. Values are changelog values, byte for byte.
// One directory holds all partitions of one instance; the keys are
//
//	p 's' sku 0x00 chunk   changelog value of one chunk of one SKU (p, chunk: 4 bytes, big endian)
//	p 't'                  changelog value of the task record
//	p 'd' day sku          empty: the SKU had an accepted event on that UTC day (4 bytes, big endian);
//	                       a day goes when the nightly run has collapsed what was old on it
//	p 'p' batch            position: next changelog offset, when last caught up; under the number of the
//	                       newest batch (8 bytes, big endian), and an empty mark under 0
//	0xffffffff 'm'         stamp: cluster id, topic prefix and changelog topic id of the installation
//
// so that one range deletion drops a partition. p never reaches 0xffffffff.
//
// # The changelog
//
// Keys are 's' sku 0x00 chunk and 't', as above without the partition. Every value starts with a
// format byte. A SKU's value is the SKU's header and then the entries of one chunk. Restoring a SKU
// takes the header of the highest revision, and per map and id the entry of the highest version (an
// order line that has not arrived counts as lowest; of equal versions the one in the higher chunk);
// chunks below the header's first live chunk are ignored.
//
// The package knows nothing of Kafka clients: positions and records come in, records go out.
package state
