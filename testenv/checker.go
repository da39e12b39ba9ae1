package testenv

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"stocksync/state"
	"stocksync/topics"
)

// CheckConfig says what Check compares. Only what the outputs were made with must be given.
type CheckConfig struct {
	Prefix         topics.Prefix // default topics.DefaultPrefix
	Policy         state.Policy
	MaxRecordBytes int // default 1 MiB
	// Partitions are the partition counts that the tasks had, oldest first; default: the one that
	// mutations has now.
	Partitions []int32
	// Acked are the records that brokers acknowledged: each must be among the committed input (I8).
	Acked []Ack
	// Stores are the shops and what they were told (I4, I5).
	Stores []StoreCheck
	// Collapsed says that the nightly run may have collapsed lines: the changelog may lack some, and
	// too_late is a reason.
	Collapsed bool
	// Retention is how long before the newest input a line must have changed last to be collapsed; 0 is not
	// looked at. The nightly run's clock may be two days ahead of the inputs.
	Retention time.Duration
}

// Differences is the error of Check: everything that is not as it must be.
type Differences struct {
	Total int
	First []string // at most differencesMax, each with its subject, got and want
}

// differencesMax bounds what an error prints; a broken fold differs everywhere.
const differencesMax = 20

// Error lists the first differences.
func (d *Differences) Error() string {
	more := ""
	if n := d.Total - len(d.First); n > 0 {
		more = fmt.Sprintf("\n  and %d more", n)
	}
	return fmt.Sprintf("%d differences:\n  %s%s", d.Total, strings.Join(d.First, "\n  "), more)
}

func (d *Differences) addf(format string, args ...any) {
	d.Total++
	if len(d.First) < differencesMax {
		d.First = append(d.First, fmt.Sprintf(format, args...))
	}
}

// differ notes a field that is not what it must be.
func differ[T comparable](d *Differences, who, field string, got, want T) {
	if got != want {
		d.addf("%s: %s: got %v, want %v", who, field, got, want)
	}
}

// differFields notes every field in which two structs differ, each by its name.
func (k *checker) differFields(who, what string, got, want any) {
	if got == want {
		return
	}
	g, w := reflect.ValueOf(got), reflect.ValueOf(want)
	for i := range g.NumField() {
		if a, b := g.Field(i).Interface(), w.Field(i).Interface(); a != b {
			k.addf("%s %s: %s: got %v, want %v", who, what, g.Type().Field(i).Name, a, b)
		}
	}
}

// checker is one Check in progress.
type checker struct {
	*Differences
	cfg     CheckConfig
	cluster *Cluster
	truth   *Truth
	dead    []deadLetter
	starts  map[string]map[int32]int64 // log starts of the inputs
	newest  topics.Time                // of the input records
}

// Check reads everything that is committed and compares it with the oracle's refold of the input. Call
// it at rest, after WaitQuiet. It holds:
//
//	I1, I7   the fold of the changelog, and the latest availability of each SKU, equal the oracle's: every
//	         number, line and time, net and available by their formulas (F5), by_store, orders_from, causes
//	F6       a SKU's revisions are unique and grow; changed is true when a number changed
//	I2       from each task record to the next, the counters grew by exactly the input records between
//	         their positions; the last positions are the inputs' ends
//	I8       every acknowledged record is there
//	I11      every input record is applied (and counted once in causes_total), a duplicate, a dead letter
//	         (once, with its bytes, origin and reason) or forwarded (once, with its copy)
//	C1, C2   with Collapsed: what is no longer held was over, and every number still counts it in full; what
//	         was refused as too late lies at or before it
//	I4, I5   each shop shows what its warehouses have available, saw no revision go back, and was told with each
//	         what the record of that revision has
//
// The error is *Differences when something differs, else what kept Check from reading.
func Check(ctx context.Context, c *Cluster, cfg CheckConfig) error {
	if cfg.Prefix == "" {
		cfg.Prefix = topics.DefaultPrefix
	}
	k := &checker{Differences: &Differences{}, cfg: cfg, cluster: c}
	if err := k.run(ctx); err != nil {
		return fmt.Errorf("check: %w", err)
	}
	if k.Total > 0 {
		return k.Differences
	}
	return nil
}

func (k *checker) run(ctx context.Context) error {
	if err := k.readDeadLetters(ctx); err != nil {
		return err
	}
	if err := k.refold(ctx); err != nil {
		return err
	}
	k.checkAcked()
	k.checkRefused()
	k.checkDeadLetters()
	if err := k.checkChangelog(ctx); err != nil {
		return err
	}
	k.checkTooLate()
	all, err := k.checkAvailability(ctx)
	if err != nil {
		return err
	}
	k.checkStores(all)
	return nil
}

// refold reads the inputs and asks the oracle.
func (k *checker) refold(ctx context.Context) error {
	log, err := readAll(ctx, k.cluster, k.cfg.Prefix, topics.Mutations, topics.Orders, topics.Commands)
	if err != nil {
		return err
	}
	k.starts = log.starts
	if len(k.cfg.Partitions) == 0 {
		k.cfg.Partitions = []int32{int32(len(log.starts[topics.Mutations]))}
	}
	refused := map[Place]topics.Reason{}
	for _, d := range k.dead {
		if slices.Contains(processorsReasons(), d.reason) {
			refused[d.origin] = d.reason
		}
	}
	k.truth, err = Refold(log.records, RefoldConfig{
		Prefix: k.cfg.Prefix, Policy: k.cfg.Policy, MaxRecordBytes: k.cfg.MaxRecordBytes,
		Partitions: k.cfg.Partitions, Refused: refused,
	})
	if err != nil {
		return err
	}
	k.newest = k.truth.newest()
	for _, f := range k.truth.Faults {
		k.addf("%s", f)
	}
	return nil
}

// processorsReasons are the reasons that the input alone does not decide.
func processorsReasons() []topics.Reason {
	return []topics.Reason{topics.ReasonOverflow, topics.ReasonSKUTooWide, topics.ReasonTooLate}
}

// find returns the input record at a place, nil when there is none.
func (t *Truth) find(p Place) *Judged {
	judged := t.Inputs[p.Topic][p.Partition]
	i, ok := slices.BinarySearchFunc(judged, p.Offset, func(j Judged, offset int64) int {
		return int(min(max(j.Place.Offset-offset, -1), 1))
	})
	if !ok {
		return nil
	}
	return &judged[i]
}

// checkAcked holds I8's first half: what was acknowledged is there. The rest follows from I11.
func (k *checker) checkAcked() {
	for _, a := range k.cfg.Acked {
		if k.truth.find(a.Place) == nil {
			k.addf("%s: was acknowledged and is not in the log", a.Place)
		}
	}
}

// checkRefused asks whether what the processor refused by its own lights may be true.
func (k *checker) checkRefused() {
	for _, j := range k.truth.Dead {
		who := fmt.Sprintf("%s of %s: is dead of %s", j.Place, j.SKU, j.Reason)
		if j.Reason == topics.ReasonOverflow && !k.truth.mayOverflow(j.SKU) {
			k.addf("%s, yet all its quantities together do not overflow", who)
		}
		if n := k.truth.nameBytes(j.SKU); j.Reason == topics.ReasonSKUTooWide && n < tooWideAtLeast {
			k.addf("%s, yet its names have only %d bytes", who, n)
		}
	}
}

// tooWideAtLeast is less than the names in any header of 512 KiB.
const tooWideAtLeast = 32 << 10
