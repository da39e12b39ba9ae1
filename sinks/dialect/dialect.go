// Package dialect holds what the adapters of large marketplaces share: tables that say what hundreds of codes
// mean, signatures, requests that are tried again in a pass over a catalogue, and the store's own addresses.
//
//	table.go     Table: code and words of an error -> class
//	sign.go      signatures by HMAC
//	patience.go  trying again what a marketplace fails for a moment, in passes that take many requests
//	dialect.go   options, ids, credentials
//
// The package knows no marketplace and keeps no state.
package dialect

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"stocksync/sinks"
)

// Options reads a store's options into a struct that holds the defaults.
func Options(a sinks.Account, into any) error {
	if len(a.Options) == 0 {
		return nil
	}
	if err := json.Unmarshal(a.Options, into); err != nil {
		return fmt.Errorf("options: %w", err)
	}
	return nil
}

// Base checks an address that paths are added to, and returns it without a slash at its end. name is the option
// that holds it.
func Base(a sinks.Account, name, text string) (string, error) {
	u, err := a.HTTP.CheckURL(text)
	if err != nil {
		return "", fmt.Errorf("options.%s: %w", name, err)
	}
	if u.RawQuery != "" {
		return "", fmt.Errorf("options.%s has a query", name)
	}
	return strings.TrimRight(text, "/"), nil
}

// Number tells whether a text is a number as marketplaces use them for ids: such a text can be put into a path or
// a document as it is.
func Number(text string) bool {
	return text != "" && len(text) <= 20 && strings.Trim(text, "0123456789") == ""
}

// Need returns an error that names the credentials that are missing.
func Need(c sinks.Credentials, names ...string) error {
	for _, name := range names {
		if c.Get(name) == "" {
			return errors.New("credentials_ref names no " + name)
		}
	}
	return nil
}

// Unreadable is the outcome of a store whose secrets can't be read: no request is made.
func Unreadable(err error) sinks.Outcome {
	return sinks.Outcome{Class: sinks.ClassConfig, Code: sinks.CodeCredentials, Message: err.Error()}
}

// Gateway is the outcome of an answer without the marketplace's own words: something between it and us said it,
// and a person can't mend that, so it is worth another try whatever the status.
func Gateway(status int) sinks.Outcome {
	o := sinks.ClassifyStatus(status)
	if o.Class != sinks.ClassThrottle {
		o.Class = sinks.ClassTransient
	}
	return o
}

// BadAnswer is the outcome of an answer that is not what was asked for.
func BadAnswer(why string) sinks.Outcome {
	return sinks.Outcome{Class: sinks.ClassTransient, Code: "bad_answer", Message: why}
}
