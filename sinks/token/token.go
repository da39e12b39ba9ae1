// Package token keeps the access and refresh tokens of stores whose marketplace gives a new pair for a refresh
// token, which is good for one. Such a pair is the only copy of a seller's consent: who loses it must ask the
// seller again.
//
//	token.go   Pair; Safe: the directory, and the grants in it
//	grant.go   one seller's consent: the token to send, and its refresh
//	file.go    a pair on disk: written whole or not at all
//	lock*.go   one refresh of a grant at a time, of all processes that share the directory
//
// # Which pair
//
// The credentials of a store hold the pair of the seller's consent, the seed. What follows from it is kept in
// the directory under a name that follows from the seed: a new consent, which is a new seed, begins anew, and
// no rule must say which of two pairs is newer. Stores whose credentials hold the same seed share a grant.
//
// The directory must be one that all instances of the sinks share, and outlive them: it is not a cache.
//
// # Invariants
//
//	T1  a grant is refreshed by one at a time, of all processes that share the directory
//	T2  a new pair is on disk, to the platter, before it is used
//	T3  a refresh token is spent only after it was shown that the directory takes a pair
//	T4  a pair that was got and could not be saved is kept, and saved before anything else is asked for
//
// A refresh goes: lock; read what is on disk (another process may have refreshed); write it again (T3); ask;
// write the new pair beside the old, sync, rename, sync the directory (T2); use it; unlock. The commit point is
// the rename. A crash before the question loses nothing. Between the marketplace's answer and the rename lies
// the one moment, of milliseconds, in which a crash loses a pair, and a lost answer does the same: then the old
// token is tried once more, and if the marketplace doesn't take it, the seller is asked for consent.
//
// The package knows no marketplace.
package token

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"
)

// ErrNoPlace reports that there is no directory to keep tokens in.
var ErrNoPlace = errors.New("tokens that are renewed need a directory: set TOKENS_DIR")

// Pair is an access token with the refresh token that replaces it, and how long they last as far as is known. It
// prints as stars.
type Pair struct {
	Access, Refresh           string
	AccessUntil, RefreshUntil time.Time
}

// stars is what a pair prints as.
const stars = "***"

// Format hides the pair from every verb of package fmt.
func (p Pair) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, stars) }

// LogValue hides the pair.
func (p Pair) LogValue() slog.Value { return slog.StringValue(stars) }

// MarshalText hides the pair, from encoders of JSON too.
func (p Pair) MarshalText() ([]byte, error) { return []byte(stars), nil }

// Seed is what the credentials of a store say of a seller's consent.
type Seed struct {
	Marketplace string
	App         string // the application's public id
	Scope       string // of one consent that forks by shop: the shop
	Pair        Pair   // that of the consent
}

// name is under which the grant is kept: it tells seeds apart and nothing about them.
func (s *Seed) name() string {
	secret := s.Pair.Refresh
	if secret == "" {
		secret = s.Pair.Access
	}
	sum := sha256.Sum256([]byte(s.Marketplace + "\x00" + s.App + "\x00" + s.Scope + "\x00" + secret))
	return s.Marketplace + "-" + hex.EncodeToString(sum[:16])
}

// Safe is where the pairs of all stores are kept. It is safe for concurrent use.
type Safe struct {
	dir  string
	sync func(*os.File) error

	mu     sync.Mutex
	grants map[string]*Grant
}

// NewSafe returns a safe in a directory, which is made when the first pair is saved. It does no I/O.
func NewSafe(dir string) *Safe {
	return &Safe{dir: dir, sync: (*os.File).Sync, grants: map[string]*Grant{}}
}

// Grant returns what is kept of a consent: the same for the same seed. It does no I/O. The error is ErrNoPlace.
func (s *Safe) Grant(seed Seed) (*Grant, error) {
	if s == nil || s.dir == "" {
		return nil, ErrNoPlace
	}
	name := seed.name()
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.grants[name]
	if g == nil {
		g = &Grant{file: file{dir: s.dir, name: name, sync: s.sync}, seed: seed.Pair, busy: make(chan struct{}, 1)}
		s.grants[name] = g
	}
	return g, nil
}
