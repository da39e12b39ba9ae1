package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// csvRows reads CSV with a line of column names, per RFC 4180: cells may be quoted, a quoted cell may hold line
// ends, empty lines are skipped. It differs from encoding/csv in what it does with a file that is wrong:
//
//   - a row whose quotes do not match is one line, not all that follows: reading goes on with the next line, and
//     the row's cells are what stands between the delimiters;
//   - a row, and so the memory it takes, has a limit.
type csvRows struct {
	in        io.Reader
	delimiter []byte
	names     []string
	line      int // lines before buf[at]

	buf []byte // what was read; buf[at:] is still to be taken apart
	at  int
	err error // what ended the input

	row  row
	text []byte // the cells' texts, one after the other
	ends []int  // where each ends
}

// csvBytes is how much is read at once.
const csvBytes = 64 << 10

// Faults of a row's quotes.
var (
	errBareQuote  = errors.New(`a quote (") in a cell that does not start with one`)
	errAfterQuote = errors.New(`text after the closing quote (") of a cell`)
	errOpenQuote  = errors.New(`a quote (") that is never closed`)
)

// newCSVRows reads the line of column names.
func newCSVRows(in io.Reader, delimiter rune) (*csvRows, error) {
	c := &csvRows{in: in, delimiter: utf8.AppendRune(nil, delimiter)}
	first, err := c.next()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("empty file: a CSV file starts with a line that names its columns")
	}
	if err == nil {
		err = first.bad
	}
	if err != nil {
		return nil, fmt.Errorf("read the line of column names: %w", err)
	}
	seen := map[string]bool{}
	for _, cell := range first.cells {
		if !utf8.Valid(cell.text) || bytes.IndexByte(cell.text, 0) >= 0 {
			return nil, errors.New("the line of column names is not text in UTF-8; save the file as CSV in UTF-8")
		}
		n := strings.TrimSpace(string(cell.text))
		if seen[n] && n != "" {
			return nil, fmt.Errorf("column %q is there twice", n)
		}
		seen[n] = true
		c.names = append(c.names, n)
	}
	return c, nil
}

func (c *csvRows) format() rowFormat { return formatCSV }

func (c *csvRows) header() []string { return c.names }

func (c *csvRows) next() (*row, error) {
	for {
		end, err := c.lineEnd(0)
		switch {
		case errors.Is(err, errRowLong):
			return c.skipLine(), nil
		case err != nil:
			return nil, err
		case len(trimLineEnd(c.buf[c.at:c.at+end])) > 0:
			return c.take(end)
		}
		c.at += end
		c.line++
	}
}

// take returns the row whose first line ends there.
func (c *csvRows) take(first int) (*row, error) {
	c.row = row{line: c.line + 1, names: c.names, cells: c.row.cells[:0]}
	c.text, c.ends = c.text[:0], c.ends[:0]
	end, lines, err := c.split(first)
	switch {
	case err == nil:
	case errors.Is(err, errBareQuote), errors.Is(err, errAfterQuote), errors.Is(err, errOpenQuote):
		c.row.bad = err
		if n := len(c.ends); n < len(c.names) {
			c.row.bad = fmt.Errorf("%s: %w", c.names[n], err)
		}
		end, lines = first, 1
		c.text, c.ends = c.text[:0], c.ends[:0]
		for cell := range bytes.SplitSeq(trimLineEnd(c.buf[c.at:c.at+end]), c.delimiter) {
			c.text = append(c.text, cell...)
			c.ends = append(c.ends, len(c.text))
		}
	default:
		return nil, err
	}
	c.at += end
	c.line += lines
	start := 0
	for _, end := range c.ends {
		c.row.cells = append(c.row.cells, cell{text: c.text[start:end:end]})
		start = end
	}
	if c.row.bad == nil && c.names != nil && len(c.ends) != len(c.names) {
		c.row.bad = fmt.Errorf("%d cells, but %d columns are named", len(c.ends), len(c.names))
	}
	return &c.row, nil
}

// split takes the row apart that starts at c.at, whose first line ends at end (all positions count from there).
// It returns where the row ends and how many lines it has.
func (c *csvRows) split(end int) (next, lines int, err error) {
	at, lines := 0, 1
	for {
		line := trimLineEnd(c.buf[c.at : c.at+end])
		if at == len(line) || line[at] != '"' {
			cell, _, more := bytes.Cut(line[at:], c.delimiter)
			if bytes.IndexByte(cell, '"') >= 0 {
				return 0, 0, errBareQuote
			}
			c.text = append(c.text, cell...)
			at += len(cell)
			if !more {
				c.ends = append(c.ends, len(c.text))
				return end, lines, nil
			}
		} else {
			var n int
			if at, end, n, err = c.quoted(at+1, end); err != nil {
				return 0, 0, err
			}
			lines += n
			line = trimLineEnd(c.buf[c.at : c.at+end])
			if at == len(line) {
				c.ends = append(c.ends, len(c.text))
				return end, lines, nil
			}
			if !bytes.HasPrefix(line[at:], c.delimiter) {
				return 0, 0, errAfterQuote
			}
		}
		c.ends = append(c.ends, len(c.text))
		at += len(c.delimiter)
	}
}

// quoted appends the text of a quoted cell that starts at at, behind the quote, in a line that ends at end. It
// returns the position behind the closing quote, the end of the line with it, and how many lines were begun.
func (c *csvRows) quoted(at, end int) (after, lineEnd, lines int, err error) {
	for {
		line := trimLineEnd(c.buf[c.at : c.at+end])
		i := bytes.IndexByte(line[at:], '"')
		if i < 0 {
			c.text = append(append(c.text, line[at:]...), '\n')
			at = end
			lines++
			switch end, err = c.lineEnd(end); {
			case errors.Is(err, io.EOF), errors.Is(err, errRowLong):
				return 0, 0, 0, errOpenQuote
			case err != nil:
				return 0, 0, 0, err
			}
			continue
		}
		c.text = append(c.text, line[at:at+i]...)
		at += i + 1
		if at == len(line) || line[at] != '"' {
			return at, end, lines, nil
		}
		c.text = append(c.text, '"')
		at++
	}
}

// lineEnd returns where the line ends that starts at from; both count from c.at. The last line of a file may lack
// its line end; a line that an error other than io.EOF cuts short is none.
func (c *csvRows) lineEnd(from int) (int, error) {
	for seen := from; ; {
		rest := c.buf[c.at+seen:]
		if i := bytes.IndexByte(rest, '\n'); i >= 0 && seen+i < rowBytesMax {
			return seen + i + 1, nil
		}
		seen += len(rest)
		switch {
		case seen > rowBytesMax:
			return 0, errRowLong
		case c.err == nil:
			c.fill()
		case errors.Is(c.err, io.EOF) && seen > from:
			return seen, nil
		default:
			return 0, c.err
		}
	}
}

// fill reads more behind what is still to be taken apart.
func (c *csvRows) fill() {
	c.buf = c.buf[:copy(c.buf, c.buf[c.at:])]
	c.at = 0
	if cap(c.buf)-len(c.buf) < csvBytes {
		c.buf = append(make([]byte, 0, 2*cap(c.buf)+csvBytes), c.buf...)
	}
	n, err := io.ReadAtLeast(c.in, c.buf[len(c.buf):cap(c.buf)], 1)
	c.buf = c.buf[:len(c.buf)+n]
	c.err = err
}

// skipLine passes over a line beyond the limit, and returns it as a bad row without cells.
func (c *csvRows) skipLine() *row {
	for {
		if i := bytes.IndexByte(c.buf[c.at:], '\n'); i >= 0 {
			c.at += i + 1
			break
		}
		c.at = len(c.buf)
		if c.err != nil {
			break
		}
		c.fill()
	}
	c.line++
	c.row = row{line: c.line, names: c.names, cells: c.row.cells[:0], bad: errRowLong}
	return &c.row
}

// trimLineEnd returns a line without the line end of Unix or DOS.
func trimLineEnd(line []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte{'\n'}), []byte{'\r'})
}
