package cli

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// rowFormat is how the rows of a file are written.
type rowFormat string

const (
	formatAuto rowFormat = "auto"
	formatCSV  rowFormat = "csv"
	formatJSON rowFormat = "jsonl"
)

// Columns that every row has beside its own. Reject files carry them, so that a row that is mended and loaded
// again keeps the ids it was given.
const (
	columnFile  = "_file"
	columnLine  = "_line"
	columnError = "_error"
	columnRaw   = "_raw" // a row that could not be taken apart
)

// rowBytesMax is the longest row that is read: what the largest record takes, with room for blanks.
const rowBytesMax = 16 << 20

// errRowLong is the fault of a row beyond the limit.
var errRowLong = fmt.Errorf("longer than %d bytes", rowBytesMax)

// row is one row of a file: names and cells, in the file's order.
type row struct {
	line  int // where it starts, counted from 1
	names []string
	cells []cell
	raw   []byte // a JSON row as it stands in the file
	bad   error  // the row could not be taken apart; names and cells may be empty
}

// cell is one value of a row. Its bytes are valid until the next row is read.
type cell struct {
	text []byte // of a CSV cell or a JSON string
	json []byte // any other JSON value, as it is written; text is nil then
}

// get returns the cell under a name.
func (r *row) get(name string) (cell, bool) {
	for i, n := range r.names {
		if n == name && i < len(r.cells) {
			return r.cells[i], true
		}
	}
	return cell{}, false
}

// rows reads a file row by row. A row that cannot be taken apart is returned with bad set and reading goes on;
// an error ends it, io.EOF at the end of the file.
type rows interface {
	next() (*row, error)
	format() rowFormat
	header() []string // of a CSV file
}

// openRows looks at the first bytes to tell plain from gzip and CSV from JSON Lines. It asks for no more of them
// than it needs: the rows of a slow pipe are taken as they come.
func openRows(r io.Reader, format rowFormat, delimiter rune) (rows, error) {
	in := bufio.NewReader(r)
	if head, err := in.Peek(2); err == nil && head[0] == 0x1f && head[1] == 0x8b {
		unzipped, err := gzip.NewReader(in)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errGzip, err)
		}
		in = bufio.NewReader(gzipReader{unzipped})
	}
	if head, err := in.Peek(3); err == nil && string(head) == "\ufeff" {
		if _, err := in.Discard(len(head)); err != nil {
			return nil, fmt.Errorf("read byte order mark: %w", err)
		}
	}
	if format == formatAuto {
		var err error
		if format, err = formatOf(in); err != nil {
			return nil, err
		}
	}
	if format == formatJSON {
		return &jsonRows{in: in}, nil
	}
	return newCSVRows(in, delimiter)
}

// formatOf tells JSON from CSV by the first character that is no blank. An array is no JSON Lines, but no CSV
// either: its first row says what is wanted.
func formatOf(in *bufio.Reader) (rowFormat, error) {
	for n := 1; n <= in.Size(); n++ {
		head, err := in.Peek(n)
		if err != nil && !errors.Is(err, io.EOF) {
			return formatAuto, err
		}
		if len(head) < n {
			break
		}
		switch head[n-1] {
		case ' ', '\t', '\r', '\n':
		case '{', '[':
			return formatJSON, nil
		default:
			return formatCSV, nil
		}
	}
	return formatCSV, nil
}

// errGzip is returned for compressed files that are cut short or changed.
var errGzip = errors.New("damaged gzip")

// gzipReader says of what goes wrong that it is the compression.
type gzipReader struct{ in *gzip.Reader }

// Read implements io.Reader.
func (g gzipReader) Read(b []byte) (int, error) {
	n, err := g.in.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: %w", errGzip, err)
	}
	return n, err
}

// jsonRows reads JSON Lines: one object a line, blank lines skipped.
type jsonRows struct {
	in   *bufio.Reader
	line int
	buf  []byte
	row  row
}

func (j *jsonRows) format() rowFormat { return formatJSON }

func (j *jsonRows) header() []string { return nil }

func (j *jsonRows) next() (*row, error) {
	for {
		raw, err := j.readLine()
		if err != nil {
			return nil, err
		}
		j.row = row{line: j.line, raw: raw, names: j.row.names[:0], cells: j.row.cells[:0]}
		if len(raw) > rowBytesMax {
			j.row.raw = nil
			j.row.bad = errRowLong
			return &j.row, nil
		}
		if len(bytes.TrimSpace(raw)) == 0 {
			continue
		}
		j.row.bad = j.row.split()
		return &j.row, nil
	}
}

// readLine returns the next line without its end. Of a line beyond rowBytesMax it keeps one byte too many.
func (j *jsonRows) readLine() ([]byte, error) {
	j.buf = j.buf[:0]
	for {
		part, err := j.in.ReadSlice('\n')
		j.buf = append(j.buf, part[:min(len(part), rowBytesMax+1-min(len(j.buf), rowBytesMax+1))]...)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil && (!errors.Is(err, io.EOF) || len(j.buf) == 0) {
			return nil, err
		}
		j.line++
		return bytes.TrimRight(j.buf, "\r\n"), nil
	}
}

// split takes the raw line apart into the members of its object.
func (r *row) split() error {
	if !utf8.Valid(r.raw) {
		return errors.New("not valid UTF-8")
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(r.raw))
	if k := dec.PeekKind(); k != '{' {
		return errors.New("not a JSON object")
	}
	if _, err := dec.ReadToken(); err != nil {
		return fmt.Errorf("not a JSON object: %w", err)
	}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return fmt.Errorf("not a JSON object: %w", err)
		}
		r.names = append(r.names, name.String())
		value, err := dec.ReadValue()
		if err != nil {
			return fmt.Errorf("not a JSON object: %w", err)
		}
		c := cell{json: bytes.Clone(value)}
		if value.Kind() == '"' {
			text, err := jsontext.AppendUnquote([]byte{}, value)
			if err != nil {
				return fmt.Errorf("not a JSON object: %w", err)
			}
			c = cell{text: text}
		}
		r.cells = append(r.cells, c)
	}
	if _, err := dec.ReadToken(); err != nil {
		return fmt.Errorf("not a JSON object: %w", err)
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value in a line")
	}
	return nil
}
