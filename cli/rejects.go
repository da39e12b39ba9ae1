package cli

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// rejects is the file that holds the bad rows of one input, in the input's own format and with the columns
// _file, _line and _error added: mend the rows and load the file. It is made with the first bad row.
type rejects struct {
	path      string   // that --reject names; else chosen when the file is made
	input     string   // the file whose rows they are
	names     []string // of a CSV input
	delimiter rune
	out       *os.File
	csv       *csv.Writer
}

// add writes a bad row.
func (j *rejects) add(r *row, format rowFormat, file string, why error) error {
	if j.out == nil {
		if err := j.create(format); err != nil {
			return err
		}
	}
	// A row that was rejected before keeps the place it came from, so that ids made of it stay the same.
	file, line := original(r, file)
	if format == formatCSV {
		return j.addCSV(r, file, line, why)
	}
	return j.addJSON(r, file, line, why)
}

func (j *rejects) create(format rowFormat) error {
	out, err := j.open()
	if err != nil {
		return fmt.Errorf("create reject file: %w", err)
	}
	j.out, j.path = out, out.Name()
	if format != formatCSV {
		return nil
	}
	j.csv = csv.NewWriter(out)
	j.csv.Comma = j.delimiter
	return j.write(append(own(j.names), columnFile, columnLine, columnError))
}

// open makes the file that --reject names, or a new one beside the input: INPUT.rejected, INPUT.rejected-2 and so
// on. A person may be mending the one of an earlier load.
func (j *rejects) open() (*os.File, error) {
	if j.path != "" {
		return os.Create(j.path)
	}
	base := strings.TrimSuffix(j.input, ".gz") + ".rejected"
	path := base
	for n := 2; ; n++ {
		out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
		if !errors.Is(err, fs.ErrExist) {
			return out, err
		}
		path = base + "-" + strconv.Itoa(n)
	}
}

// own returns the names without those that reject files add.
func own(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), isAdded)
}

func isAdded(name string) bool {
	return name == columnFile || name == columnLine || name == columnError || name == columnRaw
}

// original returns the file and line a row came from: its own columns _file and _line, or where it stands now.
func original(r *row, file string) (string, string) {
	line := strconv.Itoa(r.line)
	if c, ok := r.get(columnFile); ok && len(c.text) > 0 {
		file = string(c.text)
	}
	if c, ok := r.get(columnLine); ok && len(c.text)+len(c.json) > 0 {
		line = string(c.text) + string(c.json)
	}
	return file, line
}

// addCSV writes the cells under their columns. What a row has beyond the last column is joined to it.
func (j *rejects) addCSV(r *row, file, line string, why error) error {
	var cells []string
	for i, name := range j.names {
		switch {
		case isAdded(name):
		case i < len(r.cells):
			cells = append(cells, string(r.cells[i].text))
		default:
			cells = append(cells, "")
		}
	}
	for i := len(j.names); i < len(r.cells) && len(cells) > 0; i++ {
		cells[len(cells)-1] += string(j.delimiter) + string(r.cells[i].text)
	}
	return j.write(append(cells, file, line, why.Error()))
}

func (j *rejects) write(cells []string) error {
	if err := j.csv.Write(cells); err != nil {
		return fmt.Errorf("write reject file: %w", err)
	}
	return nil
}

// addJSON writes the row as an object with the three columns added, or, when it is none, as the text of _raw.
func (j *rejects) addJSON(r *row, file, line string, why error) error {
	b := []byte{'{'}
	member := func(name string, value []byte, quote bool) {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(appendString(b, []byte(name)), ':')
		if quote {
			b = appendString(b, value)
			return
		}
		b = append(b, value...)
	}
	if r.bad != nil {
		member(columnRaw, bytes.ToValidUTF8(r.raw, []byte("\ufffd")), true)
	} else {
		for i, name := range r.names {
			if !isAdded(name) {
				member(name, append(r.cells[i].text, r.cells[i].json...), r.cells[i].json == nil)
			}
		}
	}
	member(columnFile, []byte(file), true)
	member(columnLine, []byte(line), !jsontext.Value(line).IsValid())
	member(columnError, []byte(why.Error()), true)
	if _, err := j.out.Write(append(b, '}', '\n')); err != nil {
		return fmt.Errorf("write reject file: %w", err)
	}
	return nil
}

// close finishes the file, if there is one.
func (j *rejects) close() error {
	if j.out == nil {
		return nil
	}
	if j.csv != nil {
		j.csv.Flush()
		if err := j.csv.Error(); err != nil {
			return fmt.Errorf("write reject file: %w", err)
		}
	}
	if err := j.out.Close(); err != nil {
		return fmt.Errorf("write reject file: %w", err)
	}
	return nil
}
