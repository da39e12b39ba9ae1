package sinks_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"stocksync/sinks"
)

const canary = "whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5"

func TestCredentials_PrintAsStarsHoweverTheyArePrinted(t *testing.T) {
	c := sinks.NewCredentials(map[string]string{"secret": canary})
	type inner struct{ c sinks.Credentials }
	type outer struct {
		Open   sinks.Credentials
		Ref    *sinks.Credentials
		hidden sinks.Credentials
		deep   []inner
		Any    any
	}
	values := map[string]any{
		"value": c, "pointer": &c, "struct": outer{c, &c, c, []inner{{c}}, c},
		"pointer to struct": &outer{c, &c, c, []inner{{c}}, &c}, "slice": []sinks.Credentials{c},
		"map": map[string]sinks.Credentials{"k": c}, "nested": inner{c}, "func": sinks.NewCredentials,
	}
	for name, v := range values {
		for verb := range strings.FieldsSeq("%v %+v %#v %s %q %d %x %X %o %b %t %e %g %U %c %p %T %10v %-10.3s %z") {
			hides(t, name+" "+verb, fmt.Sprintf(verb, v))
		}
		hides(t, name+" Sprint", fmt.Sprint(v))
		hides(t, name+" error", fmt.Errorf("x: %v", v).Error())
		if text, err := json.Marshal(v); err == nil {
			hides(t, name+" JSON", string(text))
		}
		for _, handler := range []func(*bytes.Buffer) slog.Handler{
			func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
			func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		} {
			var b bytes.Buffer
			slog.New(handler(&b)).With("with", v).Info("m", "c", v, slog.Group("g", "c", v))
			hides(t, name+" slog", b.String())
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		if got := fmt.Sprintf(verb, c); got != "***" {
			t.Errorf("%s: got %q, want stars", verb, got)
		}
	}
	if text, err := json.Marshal(c); string(text) != `"***"` || err != nil {
		t.Errorf("JSON: got %s, %v, want stars", text, err)
	}
}

// hides fails the test when a text holds the canary, whole or in a piece, plain or in hexadecimal.
func hides(t *testing.T, what, text string) {
	t.Helper()
	for _, piece := range []string{canary[6:20], canary[20:], fmt.Sprintf("%x", canary[6:14]), fmt.Sprintf("%X", canary[6:14])} {
		if strings.Contains(text, piece) {
			t.Errorf("%s shows the secret: %s", what, text)
		}
	}
}

func TestCredentials_HoldTheirSecretsAndNoOthers(t *testing.T) {
	c := sinks.NewCredentials(map[string]string{"secret": "a"})
	if c.Get("secret") != "a" || c.Get("other") != "" || (sinks.Credentials{}).Get("secret") != "" {
		t.Error("Get returns what is not there, or not what is")
	}
}

func TestCredentials_HideThemselvesInTexts(t *testing.T) {
	c := sinks.NewCredentials(map[string]string{"secret": canary, "pin": "1234"})
	text := "bad key " + canary + ", or " + canary + " with 1234"
	if got, want := c.Hide(text), "bad key ***, or *** with 1234"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := (sinks.Credentials{}).Hide(text); got != text {
		t.Errorf("no secrets: got %q, want the text as it is", got)
	}
}
