package cli

import (
	"errors"
	"io"
	"time"
)

// Stall opens stall to the tests.
type Stall struct{ s stall }

// Begins opens stall.begins.
func (s *Stall) Begins(now time.Time, acknowledged, waiting int64) bool {
	return s.s.begins(now, acknowledged, waiting)
}

// TextRow is a row of a file, copied.
type TextRow struct {
	Line  int
	Cells []string
	Bad   error
}

// ReadCSV reads a file's column names and rows.
func ReadCSV(in io.Reader, delimiter rune) (names []string, all []TextRow, err error) {
	rows, err := newCSVRows(in, delimiter)
	if err != nil {
		return nil, nil, err
	}
	for {
		r, err := rows.next()
		if errors.Is(err, io.EOF) {
			return rows.header(), all, nil
		}
		if err != nil {
			return rows.header(), all, err
		}
		text := TextRow{Line: r.line, Bad: r.bad}
		for _, c := range r.cells {
			text.Cells = append(text.Cells, string(c.text))
		}
		all = append(all, text)
	}
}
