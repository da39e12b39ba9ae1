package cli

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"stocksync/topics"
)

// draft is a record that a person is changing, as the members of its JSON: a record that is invalid can be mended too.
type draft struct {
	was     []byte // as it was before, in the form that decode gives it if it is valid; nil: there was none
	members map[string]jsontext.Value
	blank   []byte                             // a record that says nothing
	decode  func(value []byte) ([]byte, error) // checks a value and returns it in its usual form
	value   []byte                             // of the members, in that form
	notes   []string
}

// newDraft begins with the record before. What is no JSON object is begun anew.
func newDraft(before, blank []byte, decode func([]byte) ([]byte, error)) *draft {
	d := &draft{was: before, members: membersOf(before), blank: blank, decode: decode}
	if usual, err := decode(before); before != nil && err == nil {
		d.was, d.members = usual, membersOf(usual)
	}
	return d
}

// set gives a field a value.
func (d *draft) set(name string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	d.members[name] = text
	return nil
}

// setAll gives several fields their values.
func (d *draft) setAll(values map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if err := d.set(name, values[name]); err != nil {
			return err
		}
	}
	return nil
}

// text returns a member that is a text; empty when it is none.
func (d *draft) text(name string) string {
	var text string
	if json.Unmarshal(d.members[name], &text) != nil {
		return ""
	}
	return text
}

// build checks the record. Its error names every broken field and its value, and is one of usage.
func (d *draft) build() error {
	text, err := json.Marshal(d.members, json.Deterministic(true))
	if err == nil {
		d.value, err = d.decode(text)
	}
	if err != nil {
		if inner := errors.Unwrap(err); inner != nil {
			err = inner // "decode store" is no news to who wrote it
		}
		return usageError{err}
	}
	return nil
}

// changed builds the record and returns the names of the fields that differ from before, in the order of the record.
func (d *draft) changed() ([]string, error) {
	if err := d.build(); err != nil {
		return nil, err
	}
	before, after := membersOf(d.blank), membersOf(d.value)
	maps.Copy(before, membersOf(d.was))
	for _, name := range []string{"changed_by", "changed_at"} {
		delete(before, name)
		delete(after, name)
	}
	names := slices.DeleteFunc(namesIn(d.value), func(name string) bool { return bytes.Equal(before[name], after[name]) })
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, kept := after[name]; !kept && string(before[name]) != `""` {
			names = append(names, name)
		}
	}
	return names, nil
}

// namesIn returns the names of an object's members, in their order.
func namesIn(object []byte) []string {
	var names []string
	dec := jsontext.NewDecoder(bytes.NewReader(object))
	if _, err := dec.ReadToken(); err != nil {
		return nil
	}
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			break
		}
		names = append(names, name.String())
		if dec.SkipValue() != nil {
			break
		}
	}
	return names
}

// sign notes who changes the record, and when: later than the change before, whatever the clocks say, since that a
// person has changed something is seen by the time being another.
func (d *draft) sign(by string) error {
	at := topics.TimeOf(time.Now())
	if before, err := topics.ParseTime(d.text("changed_at")); err == nil {
		at = max(at, before+1)
	}
	if err := d.setAll(map[string]any{"changed_by": by, "changed_at": at}); err != nil {
		return err
	}
	return d.build()
}

// settable is a field of a record that a person may set.
type settable struct {
	name   string
	kind   valueKind
	single bool // not of what holds for all stores
}

// valueKind says how a person writes a value.
type valueKind uint8

const (
	asText   valueKind = iota
	asBool             // true, false
	asNumber           // decimal
	asList             // a,b or a JSON array
	asJSON
)

// parse reads a value that a person wrote; an empty one takes the field's value away. What is none of its kind is
// passed on as a text, which the record's decoder refuses with the field's name.
func (k valueKind) parse(text string) jsontext.Value {
	quoted := func(v any) jsontext.Value {
		b, _ := json.Marshal(v, jsontext.AllowInvalidUTF8(true)) // texts always are JSON
		return b
	}
	raw := jsontext.Value(text)
	switch {
	case text == "", text == "null":
		return jsontext.Value("null")
	case k == asBool && (text == "true" || text == "false"):
		return raw
	case k == asList && !strings.HasPrefix(text, "["):
		list := strings.Split(text, ",")
		for i := range list {
			list[i] = strings.TrimSpace(list[i])
		}
		return quoted(list)
	case (k == asJSON || k == asList) && raw.IsValid():
		return raw
	}
	return quoted(text)
}

// assign reads FIELD=VALUE arguments into a draft. Every fault is one of usage.
func (d *draft) assign(args []string, fields []settable, all bool) error {
	seen := map[string]bool{}
	for _, arg := range args {
		name, text, ok := strings.Cut(arg, "=")
		if !ok {
			if secretText(arg) {
				arg = "..."
			}
			return usagef("%q: want FIELD=VALUE", arg)
		}
		base, option, nested := strings.Cut(name, ".")
		i := slices.IndexFunc(fields, func(f settable) bool { return f.name == base })
		switch {
		case i < 0 || nested && base != optionsField:
			return unknownField(name, fields)
		case seen[name] || seen[base]:
			return usagef("%s: given twice", name)
		case all && fields[i].single:
			return usagef("%s: is of single stores; store %s has none", name, topics.AllStores)
		}
		seen[name] = true
		if nested {
			if err := d.assignOption(option, text); err != nil {
				return err
			}
			continue
		}
		value := fields[i].kind.parse(text)
		if err := refuseSecret(base, value); err != nil {
			return err
		}
		d.members[base] = value
	}
	return nil
}

// unknownField says what may be set.
func unknownField(name string, fields []settable) error {
	if hint, elsewhere := setElsewhere()[name]; elsewhere {
		return usagef("%s: not set by hand: %s", name, hint)
	}
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	return usagef("%q: no such field; there are %s", name, strings.Join(names, ", "))
}

// setElsewhere names the commands for fields that have their own.
func setElsewhere() map[string]string {
	return map[string]string{
		"disable_stock_update": "use disable or enable", "disabled_until": "use disable --until",
		"resync_requested_at": "use resync", "brake_released_at": "use 'stocksync stores release'",
		"store": "it is the record's key", "sku": "it is in the record's key",
		"changed_by": "use --by", "changed_at": "it is the time of the change",
	}
}
