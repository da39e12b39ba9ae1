package topics_test

import (
	"strings"
	"testing"

	"stocksync/topics"
)

// Ensure each byte is met alike wherever it stands: the scanner looks at eight at a time.
func TestScanner_MeetsEachByteAsTheFullReaderDoes(t *testing.T) {
	for at := range 9 {
		for b := range 256 {
			text := strings.Repeat("x", at) + string([]byte{byte(b)}) + strings.Repeat("x", 9)
			for _, value := range []string{
				mutation("note", `"`+text+`"`), mutation(text, "1"), mutation()[:at+8] + string([]byte{byte(b)}) + mutation()[at+8:],
			} {
				wantAgreedMutation(t, []byte("A001"), []byte(value))
			}
		}
	}
}

// Ensure the scanner does what it is for: the records of usual producers never need the full reader.
func TestScanner_ReadsWhatProducersSend(t *testing.T) {
	for _, value := range []string{
		typicalMutation, mutation(), order(), mutation("note", `"é 😀"`, "x", "1.5e3"), " { \"a\" : null ,\t\"b\":false}\r\n", "{}",
	} {
		if !topics.IsFlat([]byte(value)) {
			t.Errorf("the scanner gives up on %s", value)
		}
	}
	for _, value := range []string{"", "[]", "{", `{"a":{}}`, `{"a":[]}`, `{"a":"\n"}`, `{"a":1}x`, `{"a":1,}`, `{"a":01}`, `{"a":-}`, `{"a":1.}`, `{"a":1e}`, `{"a":tru}`} {
		if topics.IsFlat([]byte(value)) {
			t.Errorf("the scanner takes %s", value)
		}
	}
}
