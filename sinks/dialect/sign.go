package dialect

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
)

// HMAC returns the HMAC-SHA256 of a message in lower-case hexadecimal digits. The key is taken as text, also
// where it looks like digits.
func HMAC(key, message string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(message))
	return hex.EncodeToString(mac.Sum(nil))
}
