package processor_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/twmb/franz-go/pkg/kmsg"

	"stocksync/processor"
	"stocksync/testenv"
	"stocksync/topics"
)

// crashChildVar makes the test binary a processor that kills itself: its value is a crashChild.
const crashChildVar = "STOCKSYNC_CRASH_CHILD"

// crashChild says what the child runs and where it dies, with SIGKILL, at a passage of a row of the crash table. An
// empty row lets it live.
type crashChild struct {
	Brokers []string
	Prefix  topics.Prefix
	ID, Dir string
	Row     string
	Passage int64 // 0 is the first
}

// runCrashChild is the child's main.
func runCrashChild(text string) int {
	var c crashChild
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	wire := testenv.NewWire(nil)
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	var passages, ops atomic.Int64
	ops.Store(-1)
	cfg := processor.Config{
		Brokers: c.Brokers, Prefix: c.Prefix, InstanceID: c.ID, StateDir: c.Dir, Workers: 2, Policy: policy(),
		SessionTimeout: crashSession, NightlyRate: crashNightlyRate,
	}
	cfg.ClientOpts = append(cfg.ClientOpts, wire.Opt())
	cfg.State.FS = errorfs.Wrap(vfs.Default, errorfs.InjectorFunc(func(errorfs.Op) error {
		if ops.Load() >= 0 && ops.Add(-1) == -1 {
			killSelf()
		}
		return nil
	}))
	at := func(point string) bool { return point == c.hookOf() && passages.Add(1) == c.Passage+1 }
	cfg.Crash = func(point string) {
		if !at(point) {
			return
		}
		switch c.Row {
		case rowAfterOffsets:
			killAfter(ctx, wire.LoseRequests(kmsg.EndTxn, 1))
		case rowNoAnswer:
			killAfter(ctx, wire.LoseAnswers(kmsg.EndTxn, 1))
		case rowHalfFlush:
			ops.Store(c.Passage % 2)
			cancel()
		default:
			killSelf()
		}
	}
	p, err := processor.New(cfg)
	if err == nil {
		err = p.Run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// hookOf names the point of the code at which a row's death begins.
func (c *crashChild) hookOf() string {
	switch c.Row {
	case rowAfterOffsets, rowNoAnswer, rowHalfFlush:
		return rowBeforeOffsets
	}
	return c.Row
}

// killAfter kills this process when the wire has lost something.
func killAfter(ctx context.Context, loss *testenv.Loss) {
	go func() {
		if loss.Wait(ctx, 1) == nil {
			killSelf()
		}
	}()
}

// killSelf ends this process as a crash would; it does not return.
func killSelf() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // cannot fail
	select {}
}

// Rows of the crash table that are named in more than one place.
const (
	rowBeforeFlush   = "before flush"
	rowBeforeOffsets = "after flush, before offsets"
	rowAfterOffsets  = "after offsets, before EndTxn"
	rowNoAnswer      = "EndTxn sent, no answer"
	rowHalfFlush     = "half of Pebble's flush"
	rowRestore       = "during restore"
	rowRevoke        = "during revoke"
)

// crashSession is the shortest session timeout that a broker takes by default.
const crashSession = 6 * time.Second

// crashNightlyRate makes a run of some hundred SKUs take seconds.
const crashNightlyRate = 50
