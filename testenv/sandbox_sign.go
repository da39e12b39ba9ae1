package testenv

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// secretPrefix is how Standard Webhooks marks a symmetric secret.
const secretPrefix = "whsec_"

// verifyWebhook checks a request as Standard Webhooks says: HMAC-SHA256 over id.timestamp.body with the
// secret's bytes, any one of the signatures that the header lists, and a timestamp within tolerance of now.
func verifyWebhook(h http.Header, body []byte, secret string, tolerance time.Duration, now time.Time) error {
	id, stamp := h.Get("webhook-id"), h.Get("webhook-timestamp")
	if id == "" || stamp == "" {
		return errors.New("webhook-id or webhook-timestamp is missing")
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return fmt.Errorf("webhook-timestamp is %q, want seconds since 1970", stamp)
	}
	if off := now.Sub(time.Unix(seconds, 0)).Abs(); off > tolerance {
		return fmt.Errorf("webhook-timestamp is %s off, want at most %s", off.Round(time.Second), tolerance)
	}
	want, err := signWebhook(id, stamp, body, secret)
	if err != nil {
		return err
	}
	for one := range strings.FieldsSeq(h.Get("webhook-signature")) {
		version, text, ok := strings.Cut(one, ",")
		if !ok || version != "v1" {
			continue
		}
		got, err := base64.StdEncoding.DecodeString(text)
		if err == nil && hmac.Equal(got, want) {
			return nil
		}
	}
	return errors.New("webhook-signature has no v1 signature made with this store's secret")
}

// signWebhook returns the HMAC of a message.
func signWebhook(id, stamp string, body []byte, secret string) ([]byte, error) {
	text, ok := strings.CutPrefix(secret, secretPrefix)
	if !ok {
		return nil, fmt.Errorf("the store's secret does not start with %s", secretPrefix)
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("the store's secret is not base64") // without it: errors get logged
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + stamp + "."))
	mac.Write(body)
	return mac.Sum(nil), nil
}
