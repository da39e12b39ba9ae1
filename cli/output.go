package cli

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// printJSON writes a result as indented JSON with a line end.
func printJSON(w io.Writer, result any) error {
	text, err := json.Marshal(result, jsontext.WithIndent("  "))
	if err == nil {
		_, err = w.Write(append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return nil
}

// table is text in aligned columns. A column whose title starts with ">" is aligned to the right.
type table struct {
	titles []string
	right  []bool
	rows   [][]string
}

func newTable(titles ...string) *table {
	t := &table{right: make([]bool, len(titles))}
	for i, title := range titles {
		title, t.right[i] = strings.CutPrefix(title, ">")
		t.titles = append(t.titles, title)
	}
	return t
}

// add appends a row; it has as many cells as there are titles.
func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// columnGap is the blank space between two columns.
const columnGap = "  "

// print writes the table, titles first. The last column is not padded.
func (t *table) print(w io.Writer) error {
	width := make([]int, len(t.titles))
	all := append([][]string{t.titles}, t.rows...)
	for _, row := range all {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	var out strings.Builder
	for _, row := range all {
		var line strings.Builder
		for i, cell := range row {
			if i > 0 {
				line.WriteString(columnGap)
			}
			blanks := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if t.right[i] {
				line.WriteString(blanks + cell)
			} else {
				line.WriteString(cell + blanks)
			}
		}
		out.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	if _, err := io.WriteString(w, out.String()); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return nil
}
