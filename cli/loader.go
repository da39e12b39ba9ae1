package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/topics"
)

// standardInput is the file name that stands for standard input.
const standardInput = "-"

// Limits of a load.
const (
	rejectsShown  = 100              // bad rows reported on standard error; the rest is counted
	flushTimeout  = 10 * time.Second // for what is under way when the load is interrupted
	loadLinger    = 5 * time.Millisecond
	loadBuffered  = 50_000   // records, so that reading and sending overlap
	bufferedBytes = 64 << 20 // and their bytes
)

// errBadRows is the end of a load or a dry run that met bad rows.
var errBadRows = errors.New("bad rows")

// loader reads files and produces their rows.
type loader struct {
	*call
	opts      loadOptions
	files     []string
	zone      *time.Location
	delimiter rune
	mapping   *mapping
	client    *kgo.Client // nil in a dry run
	name      string      // of the topic, in full
	progress  *progress
	report    LoadReport

	produced atomic.Int64
	failed   context.CancelCauseFunc // by the first record the brokers refuse
}

// run loads all files and prints the report, which also says how far a load came that was cut short.
func (l *loader) run(ctx context.Context) error {
	l.name = l.topic(l.opts.topic)
	l.report = LoadReport{Topic: l.name, DryRun: l.opts.dryRun, Files: []FileReport{}}
	if err := l.present(); err != nil {
		return err
	}
	if !l.opts.dryRun {
		if err := l.connect(ctx); err != nil {
			return err
		}
		defer l.client.Close()
	}
	start := time.Now()
	l.progress = newProgress(l.Stderr, l.log, l.files, l.sent())
	reading, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	l.failed = stop
	sending, release := outlive(ctx, flushTimeout)
	defer release()
	err := l.readAll(reading, sending)
	if l.client != nil {
		if flushed := l.client.Flush(sending); flushed != nil {
			err = errors.Join(err, fmt.Errorf("flush: %w", flushed))
		}
	}
	if cause := context.Cause(reading); cause != nil && errors.Is(err, context.Canceled) {
		err = cause
	}
	l.progress.stop()
	l.report.Produced = l.produced.Load()
	l.report.Seconds = time.Since(start).Seconds()
	l.report.RowsPerSecond = float64(l.report.Rows) / max(l.report.Seconds, 1e-9)
	if errors.Is(err, context.Canceled) {
		err = fmt.Errorf("interrupted after %d rows; loading again is safe", l.report.Rows)
	}
	if l.opts.dryRun && err == nil && l.report.Rejected > 0 {
		err = fmt.Errorf("%w: %d of %d", errBadRows, l.report.Rejected, l.report.Rows)
	}
	if l.report.Rows == 0 && err != nil && !l.json {
		return err
	}
	return errors.Join(err, l.report.show(l.call))
}

// present returns an error for a file that is not there, before the ones named before it are loaded.
func (l *loader) present() error {
	for _, file := range l.files {
		if file == standardInput {
			continue
		}
		info, err := os.Stat(file)
		if err != nil {
			return fmt.Errorf("open file: %w", err)
		}
		if info.IsDir() {
			return fmt.Errorf("%s: is a directory", file)
		}
	}
	return nil
}

// connect makes an idempotent producer whose partitioner is the Java default's.
func (l *loader) connect(ctx context.Context) error {
	cl, err := l.producer()
	if err != nil {
		return err
	}
	if _, err := partitionsOf(ctx, kadm.NewClient(cl), l.name); err != nil {
		cl.Close()
		return err
	}
	l.client = cl
	return nil
}

// producer returns an idempotent producer whose partitioner is the Java default's, murmur2 of the key.
func (c *call) producer() (*kgo.Client, error) {
	return c.client(
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(loadLinger),
		kgo.MaxBufferedRecords(loadBuffered),
		kgo.MaxBufferedBytes(bufferedBytes),
	)
}

// outlive returns a context that ends some time after ctx does: what was read before an interruption is still
// sent, but not for ever.
func outlive(ctx context.Context, after time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(after)
		defer timer.Stop()
		select {
		case <-longer.Done():
		case <-timer.C:
			cancel()
		}
	})
	return longer, func() { stop(); cancel() }
}

// sent returns what tells how far the sending is; nil when nothing is sent.
func (l *loader) sent() func() (acknowledged, waiting int64) {
	if l.client == nil {
		return nil
	}
	return func() (int64, int64) { return l.produced.Load(), l.client.BufferedProduceRecords() }
}

// readAll loads the files. Reading ends with ctx, sending with the other context.
func (l *loader) readAll(ctx, sending context.Context) error {
	for _, file := range l.files {
		if err := l.readFile(ctx, sending, file); err != nil {
			return err
		}
	}
	return nil
}

// readFile loads one file. Errors name it.
func (l *loader) readFile(ctx, sending context.Context, file string) (err error) {
	in, name := l.Stdin, "stdin"
	if file == standardInput {
		waiting := interruptible(ctx, in)
		defer waiting.Close()
		in = waiting
	} else {
		f, err := os.Open(file)
		if err != nil {
			return fmt.Errorf("open file: %w", err)
		}
		defer f.Close() //nolint:errcheck // it is only read
		in, name = f, strings.TrimSuffix(filepath.Base(file), ".gz")
	}
	rows, err := openRows(l.progress.reader(in), rowFormat(l.opts.format), l.delimiter)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if rows.format() == formatCSV {
		if err := l.mapping.check(rows.header()); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	bad := &rejects{path: l.opts.reject, input: file, names: rows.header(), delimiter: l.delimiter}
	if sameFile(bad.path, file) {
		return usagef("--reject %s is the input itself", bad.path)
	}
	report := FileReport{File: file, Format: string(rows.format())}
	defer func() {
		err = errors.Join(err, bad.close())
		if bad.out != nil {
			report.RejectFile = bad.path
		}
		l.report.Files = append(l.report.Files, report)
	}()
	for {
		r, err := rows.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: read row after %d rows: %w", file, report.Rows, err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		report.Rows++
		l.report.Rows++
		l.progress.rows.Add(1)
		rec, why := l.record(r, name)
		if why == nil {
			l.produce(sending, rec)
			continue
		}
		report.Rejected++
		l.report.Rejected++
		if err := l.reject(r, bad, rows.format(), file, name, why); err != nil {
			return err
		}
	}
}

// interruptible returns a reader that ends with ctx, also while it waits for a terminal or a slow pipe. What
// waits there cannot be woken: the goroutine goes with the next bytes, or with the process.
func interruptible(ctx context.Context, in io.Reader) io.ReadCloser {
	out, to := io.Pipe()
	stop := context.AfterFunc(ctx, func() { to.CloseWithError(ctx.Err()) })
	go func() {
		_, err := io.Copy(to, in)
		stop()
		to.CloseWithError(err)
	}()
	return out
}

// sameFile says whether both paths name one existing file.
func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// record makes the record of a row and checks it as the processor will.
func (l *loader) record(r *row, file string) (*kgo.Record, error) {
	if r.bad != nil {
		return nil, r.bad
	}
	json, sku, err := l.mapping.record(r, file)
	if err != nil {
		return nil, err
	}
	if len(sku) == 0 {
		// The decoder looks at the key first; of a row without sku it shall say that sku is missing.
		sku = []byte("?")
	}
	rec := &kgo.Record{Topic: l.name, Key: sku}
	if l.opts.topic == topics.Orders {
		var o topics.Order
		if why := topics.DecodeOrder(sku, json, l.cfg.MaxRecordBytes, &o); why != nil {
			return nil, errors.New(why.Message)
		}
		rec.Value = o.AppendJSON(nil)
		return rec, nil
	}
	var m topics.Mutation
	if why := topics.DecodeMutation(sku, json, l.cfg.MaxRecordBytes, &m); why != nil {
		return nil, errors.New(why.Message)
	}
	rec.Value = m.AppendJSON(nil)
	return rec, nil
}

// produce hands a record to the client; the first that the brokers refuse ends the load.
func (l *loader) produce(ctx context.Context, rec *kgo.Record) {
	if l.client == nil {
		return
	}
	l.client.Produce(ctx, rec, func(_ *kgo.Record, err error) {
		if err != nil {
			l.failed(fmt.Errorf("produce to %s: %w", l.name, err))
			return
		}
		l.produced.Add(1)
	})
}

// reject reports a bad row. It returns the error that ends the load, or nil when the load goes on.
func (l *loader) reject(r *row, bad *rejects, format rowFormat, file, name string, why error) error {
	at := fmt.Sprintf("%s:%d: %v", file, r.line, why)
	if format == formatJSON && l.report.Rows == 1 {
		at += jsonHint(r)
	}
	if !l.opts.dryRun && !l.opts.skipBad {
		return errors.New(at)
	}
	switch {
	case l.report.Rejected <= rejectsShown:
		l.progress.line(at)
	case l.report.Rejected == rejectsShown+1:
		l.progress.line("more bad rows are counted, not shown")
	}
	if l.opts.dryRun {
		return nil
	}
	return bad.add(r, format, name, why)
}

// jsonHint says of a file whose first row is bad what may be the reason. (The columns of a CSV file are checked
// before its first row.)
func jsonHint(r *row) string {
	if r.bad != nil {
		return "\nJSON Lines hold one object a line: 'jq -c .' makes them of other JSON, 'jq -c .[]' of an array."
	}
	return "\nThe names are " + listed(r.names) + "; see --map and --set."
}
