package token

// Name returns under which name a seed's grant is kept.
func Name(s Seed) string { return s.name() }
