package token

import "os"

// Name returns under which name a seed's grant is kept.
func Name(s Seed) string { return s.name() }

// OnSync makes a safe call f in the place of each sync.
func OnSync(s *Safe, f func(*os.File) error) { s.sync = f }
