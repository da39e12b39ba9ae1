package cli_test

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"stocksync/cli"
)

// show writes rows as "LINE [cells] fault", of each cell at most 20 characters.
func show(rows []cli.TextRow) []string {
	var all []string
	for _, r := range rows {
		text := fmt.Sprintf("%d %.20q", r.Line, r.Cells)
		if r.Bad != nil {
			text += " " + r.Bad.Error()
		}
		all = append(all, text)
	}
	return all
}

func TestCSV_GoesOnWithTheLineAfterABadOne(t *testing.T) {
	cases := map[string]struct {
		text string
		want []string
	}{
		"line ends in a cell": {
			"1,\"two\nlines\"\n2,x\n", []string{`2 ["1" "two\nlines"]`, `4 ["2" "x"]`},
		},
		"quotes in a cell": {`1,"a ""b"""`, []string{`2 ["1" "a \"b\""]`}},
		"empty cells":      {"1,\n,\n\"\",\"\"\n", []string{`2 ["1" ""]`, `3 ["" ""]`, `4 ["" ""]`}},
		"empty lines":      {"\n1,a\r\n\r\n\n2,b\r\n", []string{`3 ["1" "a"]`, `6 ["2" "b"]`}},
		"inches": {
			"1,5\" pipe\n2,x\n", []string{`2 ["1" "5\" pipe"] note: a quote (") in a cell that does not start with one`, `3 ["2" "x"]`},
		},
		"quote never closed": {
			"1,\"a\n2,b\n3,c\n", []string{`2 ["1" "\"a"] note: a quote (") that is never closed`, `3 ["2" "b"]`, `4 ["3" "c"]`},
		},
		"quote closed by another row's": {
			"1,\"a\n2,\"b\"\n3,c\n",
			[]string{`2 ["1" "\"a"] note: text after the closing quote (") of a cell`, `3 ["2" "b"]`, `4 ["3" "c"]`},
		},
		"too few cells":  {"1\n2,x\n", []string{`2 ["1"] 1 cells, but 2 columns are named`, `3 ["2" "x"]`}},
		"too many cells": {"1,a,b\n2,x\n", []string{`2 ["1" "a" "b"] 3 cells, but 2 columns are named`, `3 ["2" "x"]`}},
		"row beyond the limit": {
			"1," + strings.Repeat("x", 17<<20) + "\n2,x\n", []string{`2 [] longer than 16777216 bytes`, `3 ["2" "x"]`},
		},
		"cell beyond the limit": {
			"1,\"" + strings.Repeat(strings.Repeat("x", 9<<20)+"\n", 2) + "2,x\n",
			[]string{
				`2 ["1" "\"xxxxxxxxxxxxxxxxxxx"] note: a quote (") that is never closed`,
				`3 ["xxxxxxxxxxxxxxxxxxxx"] 1 cells, but 2 columns are named`, `4 ["2" "x"]`,
			},
		},
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			_, rows, err := cli.ReadCSV(strings.NewReader("id,note\n"+tt.text), ',')
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, show(rows)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCSV_ALineCutShortByAnErrorIsNoRow(t *testing.T) {
	broken := errors.New("broken")
	for _, text := range []string{"id,note\n1,a\n2,b", "id,note\n1,a\n2,\"b"} {
		_, rows, err := cli.ReadCSV(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), ',')
		if !errors.Is(err, broken) {
			t.Errorf("got %v, want %v", err, broken)
		}
		if diff := cmp.Diff([]string{`2 ["1" "a"]`}, show(rows)); diff != "" {
			t.Error(diff)
		}
	}
}

// FuzzCSV holds the reader against encoding/csv: what that takes, ours takes as the same rows, at the same lines.
func FuzzCSV(f *testing.F) {
	for _, text := range []string{
		"a,b\n1,2\n", "a,b\r\n\"1\",\"2\r\n3\"\r\n\r\n4,5", "a;b\n\"x;\"\"y\"\"\";\n", "a,b\n1,\"2\n3,4\n", "a,b\n1,2\"\n\"3\"4,5\n", "\ra\n\r", "",
	} {
		f.Add(text, false)
		f.Add(text, true)
	}
	f.Fuzz(func(t *testing.T, text string, semicolon bool) {
		delimiter := map[bool]rune{false: ',', true: ';'}[semicolon]
		names, got, err := cli.ReadCSV(iotest.OneByteReader(strings.NewReader(text)), delimiter)
		if err != nil {
			return // the column names have rules of their own
		}
		standard := csv.NewReader(strings.NewReader(text))
		standard.Comma, standard.FieldsPerRecord = delimiter, -1
		var want []cli.TextRow
		for {
			cells, err := standard.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return // after a fault the two go on at different lines
			}
			line, _ := standard.FieldPos(0)
			want = append(want, cli.TextRow{Line: line, Cells: cells})
		}
		if len(got) != len(want)-1 {
			t.Fatalf("%d rows, want %d", len(got), len(want)-1)
		}
		for i, r := range got {
			if w := want[i+1]; r.Line != w.Line || !cmp.Equal(r.Cells, w.Cells) || (r.Bad == nil) != (len(r.Cells) == len(names)) {
				t.Errorf("row %d: got %+v, want %+v", i, r, w)
			}
		}
	})
}
