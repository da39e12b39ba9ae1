package cli

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"
)

// How often progress is shown: on a terminal as a bar, elsewhere as a log line.
const (
	barInterval = 100 * time.Millisecond
	logInterval = 5 * time.Second
)

// progress shows how far a load came. rows may be added to from any goroutine; line and stop belong to the
// loader's.
type progress struct {
	rows atomic.Int64

	out   io.Writer
	bar   *progressbar.ProgressBar // nil when the output is no terminal
	log   *slog.Logger
	bytes atomic.Int64
	total int64 // bytes of all files, -1 when unknown

	sent  func() (acknowledged, waiting int64) // records; nil when none are sent
	stall stall

	done chan struct{}
	wait sync.WaitGroup
}

// newProgress starts to show the progress of reading these files and, unless sent is nil, to watch the sending.
func newProgress(out io.Writer, log *slog.Logger, files []string, sent func() (acknowledged, waiting int64)) *progress {
	p := &progress{out: out, log: log, total: totalBytes(files), sent: sent, done: make(chan struct{})}
	if isTerminal(out) {
		p.bar = progressbar.NewOptions64(p.total,
			progressbar.OptionSetWriter(out),
			progressbar.OptionSetDescription("loading"),
			progressbar.OptionShowBytes(true),
			progressbar.OptionThrottle(barInterval),
			progressbar.OptionClearOnFinish(),
		)
	}
	p.wait.Go(p.run)
	return p
}

// totalBytes sums the sizes of the files; -1 when one of them has none to tell.
func totalBytes(files []string) int64 {
	var total int64
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil || !info.Mode().IsRegular() {
			return -1
		}
		total += info.Size()
	}
	return total
}

// run shows progress until stop.
func (p *progress) run() {
	interval := logInterval
	if p.bar != nil {
		interval = barInterval
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-p.done:
			return
		case now := <-tick.C:
			p.show()
			p.watch(now)
		}
	}
}

// watch says that the brokers are why nothing moves.
func (p *progress) watch(now time.Time) {
	if p.sent == nil {
		return
	}
	acknowledged, waiting := p.sent()
	if !p.stall.begins(now, acknowledged, waiting) {
		return
	}
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	p.log.Warn("the brokers acknowledge nothing: waiting for them", "records", waiting, "since", p.stall.since)
}

// stallAfter is how long brokers may acknowledge nothing before that is said: longer than an election takes.
const stallAfter = 10 * time.Second

// stall notices that nothing is acknowledged any more.
type stall struct {
	acknowledged int64
	since        time.Time // when that number was first seen, or nothing waited
	said         bool
}

// begins returns true once for each time that records wait and none is acknowledged for stallAfter.
func (s *stall) begins(now time.Time, acknowledged, waiting int64) bool {
	if s.since.IsZero() || acknowledged != s.acknowledged || waiting == 0 {
		*s = stall{acknowledged: acknowledged, since: now}
	}
	if s.said || now.Sub(s.since) < stallAfter {
		return false
	}
	s.said = true
	return true
}

func (p *progress) show() {
	if p.bar == nil {
		p.log.Info("loading", "rows", p.rows.Load(), "bytes", p.bytes.Load(), "bytes_total", p.total)
		return
	}
	p.bar.Describe(fmt.Sprintf("loading, %d rows", p.rows.Load()))
	// A bar that cannot be drawn is no reason to stop loading.
	_ = p.bar.Set64(p.bytes.Load())
}

// line writes a line of its own among the progress.
func (p *progress) line(line string) {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	fmt.Fprintln(p.out, line)
}

// stop ends the display.
func (p *progress) stop() {
	close(p.done)
	p.wait.Wait()
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}

// reader counts what is read through it.
func (p *progress) reader(in io.Reader) io.Reader { return countingReader{in, &p.bytes} }

type countingReader struct {
	in    io.Reader
	count *atomic.Int64
}

// Read implements io.Reader.
func (c countingReader) Read(b []byte) (int, error) {
	n, err := c.in.Read(b)
	c.count.Add(int64(n))
	return n, err
}
