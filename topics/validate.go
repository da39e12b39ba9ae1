package topics

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// faults gathers what is wrong with a record that a person wrote, all of it, so that one look mends it. Each fault
// names field and value.
type faults struct{ found []string }

// err returns the faults as one error of one line, or nil.
func (f *faults) err() error {
	if len(f.found) == 0 {
		return nil
	}
	return errors.New(strings.Join(f.found, "; "))
}

// add notes one fault.
func (f *faults) add(name, value, what string) {
	f.found = append(f.found, name+": "+shorten(value)+" "+what)
}

// text checks an optional text.
func (f *faults) text(name, s string, limit int) {
	if len(s) > limit && utf8.RuneCountInString(s) > limit {
		f.add(name, strconv.Quote(shorten(s)), fmt.Sprintf("is longer than %d characters", limit))
	}
	if strings.IndexByte(s, 0) >= 0 {
		f.add(name, strconv.Quote(shorten(s)), "holds a NUL")
	}
}

// id checks a required id.
func (f *faults) id(name, s string, limit int) {
	if s == "" {
		f.found = append(f.found, name+": missing or empty")
		return
	}
	f.text(name, s, limit)
}

// store checks the id of a store; all tells whether AllStores is one too.
func (f *faults) store(name, s string, all bool) {
	f.id(name, s, maxWarehouse)
	if strings.Contains(s, "|") {
		f.add(name, strconv.Quote(shorten(s)), "holds a |")
	}
	if s == AllStores && !all {
		f.add(name, strconv.Quote(s), "is reserved")
	}
}

// warehouses checks a list of warehouses; all tells whether it may be ["*"].
func (f *faults) warehouses(name string, list []string, all bool) {
	for i, w := range list {
		at := name + "/" + strconv.Itoa(i)
		f.id(at, w, maxWarehouse)
		switch {
		case w == AllWarehouses && !all:
			f.add(at, strconv.Quote(w), "is reserved")
		case w == AllWarehouses && len(list) > 1:
			f.add(at, strconv.Quote(w), "means all and stands alone")
		case w != "" && slices.Index(list, w) < i:
			f.add(at, strconv.Quote(shorten(w)), "is listed twice")
		}
	}
}

// between checks an optional quantity.
func (f *faults) between(name string, q *Quantity, low, high Quantity) {
	if q != nil && (*q < low || *q > high) {
		f.add(name, q.String(), fmt.Sprintf("is not between %s and %s", low, high))
	}
}

// amount checks an optional quantity that may be negative.
func (f *faults) amount(name string, q *Quantity) { f.between(name, q, -MaxQuantity, MaxQuantity) }

// limits checks the four numbers that stores and item settings share.
func (f *faults) limits(buffer, percent, least, most *Quantity) {
	f.amount("buffer", buffer)
	f.between("percent", percent, 0, 1000*One)
	f.between("min", least, 0, MaxQuantity)
	f.between("max", most, 0, MaxQuantity)
	if least != nil && most != nil && *least > *most {
		f.add("min", least.String(), "is above max "+most.String())
	}
}

// oneOf checks that a text is one of a closed list.
func oneOf[T ~string](f *faults, name string, s T, names ...T) {
	if slices.Contains(names, s) {
		return
	}
	if s == "" {
		f.found = append(f.found, name+": missing or empty")
		return
	}
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = string(n)
	}
	f.add(name, strconv.Quote(shorten(string(s))), "is not one of "+strings.Join(quoted, ", "))
}

// given checks a required time.
func (f *faults) given(name string, t Time) {
	if t.IsZero() {
		f.found = append(f.found, name+": missing")
	}
}

// notNegative checks a count.
func (f *faults) notNegative(name string, n int64) {
	if n < 0 {
		f.add(name, strconv.FormatInt(n, 10), "is negative")
	}
}
