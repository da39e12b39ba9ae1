package webhook

import (
	"net/http"
	"time"
)

// Sign returns the headers of a message signed with secrets.
func Sign(id string, at time.Time, body []byte, secrets ...string) (http.Header, error) {
	s, err := newSigner(secrets...)
	if err != nil {
		return nil, err
	}
	return s.header(id, at, body), nil
}
