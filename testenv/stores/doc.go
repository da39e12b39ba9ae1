// Package stores runs real shops: a Vendure and a Medusa, each with a PostgreSQL of its own. `make test-stores` asks
// for them, with STORES=1; no other test needs them.
//
//	npm.go        a shop's program, installed once by the versions in its package-lock.json
//	postgres*.go  a database server, from Debian's package, not as root
//	till.go       what a test does in any shop: order, fulfil, cancel, change a number by hand
//	vendure.go    Vendure 3.7
//	medusa.go     Medusa 2.21
//	client.go     their HTTP APIs
//
// The shops' programs lie in the user's cache directory. Vendure's licence is GPL-3.0-or-later: it is run here, and
// nothing of it is part of stocksync.
package stores
