package webhook

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// secretPrefix marks a symmetric secret of Standard Webhooks; what follows is base64.
const secretPrefix = "whsec_"

// signer signs with one key, or with two while a receiver changes from one to the other: the receiver
// accepts a request when any one of the signatures is right.
type signer struct {
	keys [][]byte
}

// newSigner reads secrets; empty ones are left out. Its errors do not repeat them.
func newSigner(secrets ...string) (*signer, error) {
	s := &signer{}
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		text, ok := strings.CutPrefix(secret, secretPrefix)
		if !ok {
			return nil, errors.New("the store's secret does not start with " + secretPrefix)
		}
		key, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(key) == 0 {
			return nil, errors.New("the store's secret is not base64 after " + secretPrefix)
		}
		s.keys = append(s.keys, key)
	}
	return s, nil
}

// header returns the three headers of a message.
func (s *signer) header(id string, at time.Time, body []byte) http.Header {
	stamp := strconv.FormatInt(at.Unix(), 10)
	signatures := make([]string, len(s.keys))
	for i, key := range s.keys {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + stamp + "."))
		mac.Write(body)
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	h := http.Header{}
	h.Set("Webhook-Id", id)
	h.Set("Webhook-Timestamp", stamp)
	h.Set("Webhook-Signature", strings.Join(signatures, " "))
	return h
}

// messageID returns an id that no other message has.
func messageID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return "msg_" + hex.EncodeToString(b[:])
}
