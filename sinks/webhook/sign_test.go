package webhook_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"stocksync/sinks/webhook"
)

const (
	oldSecret = "whsec_b2xkLW9sZC1vbGQtb2xkLW9sZC1vbGQ="
	newSecret = "whsec_bmV3LW5ldy1uZXctbmV3LW5ldy1uZXc="
)

// hmac256 is RFC 2104 over SHA-256, written out: the receiver of these tests shares no code with the sender.
func hmac256(key, message []byte) []byte {
	if len(key) > 64 {
		sum := sha256.Sum256(key)
		key = sum[:]
	}
	inner, outer := bytes.Repeat([]byte{0x36}, 64), bytes.Repeat([]byte{0x5c}, 64)
	for i, k := range key {
		inner[i] ^= k
		outer[i] ^= k
	}
	sum := sha256.Sum256(append(inner, message...))
	sum = sha256.Sum256(append(outer, sum[:]...))
	return sum[:]
}

// receive is what a receiver by Standard Webhooks does with a message; it returns why it refuses it.
func receive(h http.Header, body []byte, secret string, now time.Time) error {
	id, stamp := h.Get("webhook-id"), h.Get("webhook-timestamp")
	if id == "" || strings.Contains(id, ".") {
		return fmt.Errorf("id is %q", id)
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return err
	}
	if off := now.Unix() - seconds; off < -300 || off > 300 {
		return fmt.Errorf("timestamp is %d s off", off)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return err
	}
	want := "v1," + base64.StdEncoding.EncodeToString(hmac256(key, []byte(id+"."+stamp+"."+string(body))))
	for one := range strings.SplitSeq(h.Get("webhook-signature"), " ") {
		if one == want {
			return nil
		}
	}
	return fmt.Errorf("%q holds no signature %q", h.Get("webhook-signature"), want)
}

func TestSign_IsTheReferenceOfStandardWebhooks(t *testing.T) {
	h, err := webhook.Sign("msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`),
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := h.Get("webhook-signature"), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestSign_EitherKeyVerifiesWhileTwoAreInUse ensures that a receiver may change its key before us or after us.
func TestSign_EitherKeyVerifiesWhileTwoAreInUse(t *testing.T) {
	now, body := time.Unix(1790388903, 0), []byte(`{"type":"stock.updated"}`)
	long := "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("long"), 40))
	for name, tc := range map[string]struct {
		secrets []string
		takes   string // secrets by which it verifies
	}{
		"one":            {[]string{oldSecret}, oldSecret},
		"no next one":    {[]string{oldSecret, ""}, oldSecret},
		"two":            {[]string{oldSecret, newSecret}, oldSecret + newSecret},
		"two of one":     {[]string{oldSecret, oldSecret}, oldSecret},
		"beyond a block": {[]string{long}, long},
	} {
		h, err := webhook.Sign("msg_1", now, body, tc.secrets...)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{oldSecret, newSecret, long} {
			want := strings.Contains(tc.takes, secret)
			if err := receive(h, body, secret, now); (err == nil) != want {
				t.Errorf("%s: verified with %s: %v, want %v", name, secret, err, want)
			}
		}
		if receive(h, append(bytes.Clone(body), ' '), oldSecret, now) == nil {
			t.Errorf("%s: a body that was changed verifies", name)
		}
		if receive(h, body, oldSecret, now.Add(6*time.Minute)) == nil {
			t.Errorf("%s: a message of six minutes ago verifies", name)
		}
	}
}

func TestSign_RefusesSecretsThatAreNoneWithoutRepeatingThem(t *testing.T) {
	for _, secret := range []string{
		"s3cr3t", "b2xkLW9sZA==", "WHSEC_b2xkLW9sZA==", "whsec_", "whsec_s3cr3t!", "whsec_s3cr3t", " " + oldSecret,
		"whsk_b2xkLW9sZA==",
	} {
		_, err := webhook.Sign("msg_1", time.Now(), nil, secret)
		if err == nil {
			t.Errorf("%q: want an error", secret)
		} else if strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%q: the error repeats it: %v", secret, err)
		}
		if _, err := webhook.Sign("msg_1", time.Now(), nil, oldSecret, secret); err == nil {
			t.Errorf("%q as the next secret: want an error", secret)
		}
	}
}
