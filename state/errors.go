package state

import "errors"

// Errors of Open; ErrDamaged may come later too, when what is damaged is read.
var (
	// ErrInUse reports that another process holds the state directory.
	ErrInUse = errors.New("state directory is in use by another process")
	// ErrForeign reports that the state directory belongs to another installation.
	ErrForeign = errors.New("state directory belongs to another installation")
	// ErrDamaged reports files that are not what was written to them.
	ErrDamaged = errors.New("state directory is damaged; delete it, it is rebuilt from Kafka")
)

// Errors that stop a task.
var (
	// ErrNewerFormat reports a value written by a newer release.
	ErrNewerFormat = errors.New("value is of a newer format; run the newer release, or rebuild from the changelog with it")
	// ErrInvariant reports a broken invariant: a fault of the program, never of its input.
	ErrInvariant = errors.New("invariant broken")
)
