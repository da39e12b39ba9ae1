package conformance

import (
	_ "embed"
	"strings"
	"testing"

	"stocksync/sinks"
)

// reference is a copy of what is known of the marketplaces.
//
//go:embed testdata/marketplaces.md
var reference string

// Row is a row of the reference's table of errors of one marketplace.
type Row struct {
	Classes []sinks.Class // those of its first column
	Text    string        // the codes, among words
}

// Errors returns the table of errors in the section of the reference whose heading begins so, such as "## 2.". A
// row that names no class is left out.
func Errors(t *testing.T, heading string) []Row {
	t.Helper()
	_, section, ok := strings.Cut(reference, "\n"+heading)
	if !ok {
		t.Fatalf("the reference has no section %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	_, table, ok := strings.Cut(section, "| class | codes |")
	if !ok {
		t.Fatalf("section %q of the reference has no table of errors", heading)
	}
	var rows []Row
	for line := range strings.Lines(strings.TrimLeft(table, "\n")) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		first, text, _ := strings.Cut(strings.Trim(line, "|\n "), "|")
		if classes := classesOf(first); len(classes) > 0 {
			rows = append(rows, Row{classes, text})
		}
	}
	if len(rows) < 5 {
		t.Fatalf("section %q of the reference has %d rows of errors", heading, len(rows))
	}
	return rows
}

// classesOf reads the classes that a row is of; the reference has short names for three.
func classesOf(column string) []sinks.Class {
	var classes []sinks.Class
	for name := range strings.SplitSeq(column, "/") {
		name = strings.ToLower(strings.TrimSpace(name))
		switch name {
		case "shop_unauth":
			name = "shop_unauthorised"
		case "qty":
			name = "quantity"
		}
		if c, err := sinks.ParseClass(name); err == nil {
			classes = append(classes, c)
		}
	}
	return classes
}
