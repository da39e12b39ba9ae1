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
	"stocksync/topics"
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

// Units returns a quantity as marketplaces count: in whole units.
func Units(q topics.Quantity) int64 { return int64(q / topics.One) }

// Quantity returns so many units.
func Quantity(units int64) topics.Quantity { return topics.Quantity(units) * topics.One }

// Sendable returns the indexes of the updates that a request can hold, and notes why the others can't: ids that are
// no numbers lead nowhere, and nothing may be named twice. id returns what the marketplace calls an update's target.
func Sendable(updates []sinks.Update, outcomes []sinks.Outcome, id func(*topics.Target) string) []int {
	var sent []int
	seen := map[string]bool{}
	for i := range updates {
		t := &updates[i].Target
		name := id(t)
		switch {
		case !Number(t.ProductID) || !Number(name):
			outcomes[i] = sinks.Outcome{
				Class: sinks.ClassNotFound, Code: "bad_id", Message: "product and variant id are numbers on this marketplace",
			}
		case seen[name]: // one thing of the shop under two SKUs of ours
			outcomes[i] = sinks.Outcome{
				Class: sinks.ClassTransient, Code: "not_sent", Message: "another update of this request has the same target",
			}
		default:
			seen[name] = true
			sent = append(sent, i)
		}
	}
	return sent
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
