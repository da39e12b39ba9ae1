package sinks

import (
	"crypto/rand"
	"encoding/hex"
)

// RequestID returns an id that no other request has, for marketplaces that give theirs none.
func RequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return "req_" + hex.EncodeToString(b[:])
}
