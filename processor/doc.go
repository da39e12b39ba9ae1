// Package processor folds the input topics into the state of package state, exactly once.
//
// The Kafka transaction is the commit point; Pebble is a cache of the committed changelog. A task is
// one partition number over mutations, orders and commands; a lane is one group member with one
// transactional producer and the tasks assigned to it, and all of it runs on one goroutine. The
// protocol is lane.go, top down:
//
//	sync     take note of the assignment; let go of what is lost, open what is new
//	restore  in the background, with the task's inputs paused, up to the changelog's
//	         read_uncommitted end as it was after the assignment
//	start    set the client to the task record's offsets and resume
//	poll     records of running tasks
//	fold     into the overlay, never into the database
//	commit   produce to the task's own partition, wait for every promise, commit offsets and
//	         transaction together; only then the overlay becomes state
//	abort    not committed, or not known: drop the overlay, replay the changelog's tail
//
// Between fold and commit a lane gives its tasks' background work a step (background.go): the nightly
// run and the walk after a change of policy. Their output goes into the same overlay and transaction.
//
// # Membership
//
// A lane is a static member of the group (member.go), so a restart takes its own place. Three watches see
// to it that no task waits for the dead: a lane's producer id is taken over before it restores, a read that
// stands before an open transaction fences an owner that the group no longer lists (fence.go), and a task
// that nobody has makes the group balance anew (orphan.go). Lanes that start together get their tasks in one
// rebalance, which waits for all of them (balancer.go).
//
// # Crash table
//
// What a crash leaves behind at each point, and what the next start does about it:
//
//	before flush                     nothing was produced; the inputs are read again
//	after flush, before offsets      an open transaction; the same id's next start aborts it
//	after offsets, before EndTxn     the same
//	EndTxn sent, no answer           committed or aborted; the replay up to the read_uncommitted end
//	                                 waits for the outcome, and the task record in it tells
//	EndTxn ok, before Pebble         Pebble is behind; the replay brings the rest
//	half of Pebble's flush           a batch is whole or absent; Pebble is behind
//	during restore                   the stored position says where to go on
//	during revoke                    the overlay is gone, the inputs are read again by the new owner;
//	                                 the group may need to be told that there is none
//	during the nightly run           the cursor in the task record says where to go on
//
// # Invariants
//
//	P1  what Pebble holds is data, input offsets and changelog offset of one commit
//	P2  a record is produced only for a task that is in the client's assignment at that moment
//	P3  every transaction commits an offset of the group, so that a stale member is fenced
//	P4  no input record is folded below the task record's offset, and none is skipped above it
//	P5  after anything but a commit the changelog's tail is replayed before anything is folded
//	P6  how far background work came is in the task record of the transaction that holds its output;
//	    of the SKUs that are active, one run emits each once, and one local date has one run
package processor
