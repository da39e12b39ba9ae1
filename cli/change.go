package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/topics"
)

// Change is what a command made of one record of topic stores or item-settings: an element of the result of
// `stores set`, `items disable` and the commands beside them.
type Change struct {
	Topic   string         `json:"topic"`
	Key     string         `json:"key"`
	Action  string         `json:"action"` // as in topic audit
	By      string         `json:"by"`
	Before  topics.RawJSON `json:"before"`  // the record that was replaced; null: there was none
	After   topics.RawJSON `json:"after"`   // the record as it is now
	Changed []string       `json:"changed"` // names of the fields that differ; none: nothing was written
	Notes   []string       `json:"notes,omitempty"`
}

// author are the flags that say who changes something, and why.
type author struct{ by, note string }

// addAuthor gives a command the flags --by and --note, and --json.
func addAuthor(cmd *cobra.Command) *author {
	var who author
	cmd.Flags().StringVar(&who.by, "by", "", "`who` does this, for the record; default the user of the operating system")
	cmd.Flags().StringVar(&who.note, "note", "", "`text` to keep beside the change in topic audit")
	addJSON(cmd)
	return &who
}

// name returns who it is.
func (w *author) name() string { return cmp.Or(w.by, actor()) }

// edit makes a record of the one before. Its error is one of usage where the person asked for what can't be.
type edit struct {
	topic  string // base name
	key    []byte
	action string
	// apply returns the record's next value, without the author, and fields by which it must differ to be written.
	apply func(before []byte, now topics.Time) (*draft, error)
}

const (
	// changeTries is how often a change is begun anew after another person's came between.
	changeTries = 10
	// changePause is the longest wait before the next try.
	changePause = 300 * time.Millisecond
	// changeTimeout is how long the broker keeps a change open whose author has died.
	changeTimeout = 10 * time.Second
)

// errContested is returned for a change that others came before, again and again.
var errContested = errors.New("others change the same store at the same time: try again")

// change edits records of one store, all or none, and notes each in topic audit, in one transaction. Whoever changes
// the same store meanwhile is thrown out and begins anew, with what is true by then: each change is made of the
// record that it replaces.
func (c *call) change(ctx context.Context, store string, who *author, edits ...edit) ([]Change, error) {
	for range changeTries {
		changes, err := c.changeOnce(ctx, store, who, edits)
		if !contested(err) {
			return changes, err
		}
		c.log.Debug("another change of the store came between: beginning anew", "store", store, "err", err)
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(rand.N(changePause)): //nolint:gosec // only so that two don't meet again and again
		}
	}
	return nil, errContested
}

// contested tells whether a change was thrown out by another, and so is not made.
func contested(err error) bool {
	for _, code := range []error{
		kerr.ProducerFenced, kerr.InvalidProducerEpoch, kerr.InvalidTxnState, kerr.ConcurrentTransactions,
		kerr.TransactionAbortable,
	} {
		if errors.Is(err, code) {
			return true
		}
	}
	return false
}

// changeOnce is one try of change.
func (c *call) changeOnce(ctx context.Context, store string, who *author, edits []edit) ([]Change, error) {
	cl, err := c.client(
		kgo.TransactionalID(c.cfg.TopicPrefix+"cli."+store), kgo.TransactionTimeout(changeTimeout),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
	)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	if err := c.present(ctx, cl, topics.AuditTopic, edits[0].topic); err != nil {
		return nil, err
	}
	if _, _, err := cl.ProducerID(ctx); err != nil { // from here on who began before can't end
		return nil, fmt.Errorf("begin change of %s: %w", store, err)
	}
	var keys []string
	for _, e := range edits {
		keys = append(keys, string(e.key))
	}
	before, err := c.values(ctx, edits[0].topic, keys...)
	if err != nil {
		return nil, err
	}
	changes := make([]Change, len(edits))
	var records []*kgo.Record
	for i, e := range edits {
		if changes[i], err = e.make(before[string(e.key)], who); err != nil {
			return nil, err
		}
		if len(changes[i].Changed) > 0 {
			records = append(records, c.recordsOf(&changes[i], who)...)
		}
	}
	if len(records) == 0 {
		return changes, nil
	}
	if err := commit(ctx, cl, records); err != nil {
		return nil, fmt.Errorf("change %s: %w", store, err)
	}
	return changes, nil
}

// present returns an error that names a topic that is not there.
func (c *call) present(ctx context.Context, cl *kgo.Client, bases ...string) error {
	for _, base := range bases {
		if _, err := partitionsOf(ctx, kadm.NewClient(cl), c.topic(base)); err != nil {
			return err
		}
	}
	return nil
}

// commit produces records in one transaction.
func commit(ctx context.Context, cl *kgo.Client, records []*kgo.Record) error {
	if err := cl.BeginTransaction(); err != nil {
		return err
	}
	if err := cl.ProduceSync(ctx, records...).FirstErr(); err != nil {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeTimeout)
		defer cancel()
		_ = cl.EndTransaction(ending, kgo.TryAbort) // else the broker does, after changeTimeout
		return err
	}
	return cl.EndTransaction(context.WithoutCancel(ctx), kgo.TryCommit)
}

// values reads records of a compacted topic as they are committed; nil stands for none. Of several partitions that
// hold a key, only the one counts that it belongs to.
func (c *call) values(ctx context.Context, base string, keys ...string) (map[string][]byte, error) {
	cl, err := c.reader()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	adm, topic := kadm.NewClient(cl), c.topic(base)
	n, err := partitionsOf(ctx, adm, topic)
	if err != nil {
		return nil, err
	}
	starts, err := offsetsOf(ctx, topic, "start", adm.ListStartOffsets)
	if err != nil {
		return nil, err
	}
	// The log's end, not the committed one: another's open transaction may stand before a change that is done.
	ends, err := offsetsOf(ctx, topic, "end", adm.ListEndOffsets)
	if err != nil {
		return nil, err
	}
	wanted := map[int32]int64{}
	for _, key := range keys {
		p := topics.PartitionOf([]byte(key), n)
		wanted[p] = ends[p]
	}
	found := map[string][]byte{}
	err = scanSpan(ctx, cl, topic, starts, wanted, func(r *kgo.Record) error {
		if slices.Contains(keys, string(r.Key)) {
			found[string(r.Key)] = slices.Clone(r.Value)
		}
		return nil
	})
	return found, err
}

// make applies an edit to the value before.
func (e *edit) make(before []byte, who *author) (Change, error) {
	change := Change{
		Topic: e.topic, Key: string(e.key), Action: e.action, By: who.name(), Before: before, Changed: []string{},
	}
	next, err := e.apply(before, topics.TimeOf(time.Now()))
	if err != nil {
		return change, err
	}
	change.After, change.Notes = next.was, next.notes
	if change.Changed, err = next.changed(); err != nil || len(change.Changed) == 0 {
		return change, err
	}
	if err := next.sign(who.name()); err != nil {
		return change, err
	}
	change.After = next.value
	return change, nil
}

// recordsOf returns the record of a change, and its entry in topic audit.
func (c *call) recordsOf(change *Change, who *author) []*kgo.Record {
	entry := topics.AuditEntry{
		Actor: change.By, Action: change.Action, Topic: change.Topic, RecordKey: change.Key,
		Before: change.Before, After: change.After, Note: who.note,
	}
	return []*kgo.Record{
		{Topic: c.topic(change.Topic), Key: []byte(change.Key), Value: change.After}, c.audit(entry),
	}
}

// printChanges writes what was changed: for people the fields that differ, before and after.
func (c *call) printChanges(changes []Change) error {
	if c.json {
		return printJSON(c.Stdout, changes)
	}
	for i := range changes {
		one := &changes[i]
		if err := one.print(c); err != nil {
			return err
		}
	}
	return nil
}

func (ch *Change) print(c *call) error {
	switch {
	case len(ch.Changed) == 0:
		fmt.Fprintf(c.Stdout, "%s: nothing to change\n", ch.Key)
	case ch.Before == nil:
		fmt.Fprintf(c.Stdout, "%s: new, by %s\n", ch.Key, ch.By)
	default:
		fmt.Fprintf(c.Stdout, "%s: changed by %s\n", ch.Key, ch.By)
	}
	if len(ch.Changed) > 0 {
		before, after := membersOf(ch.Before), membersOf(ch.After)
		t := newTable("  FIELD", "BEFORE", "AFTER")
		for _, name := range ch.Changed {
			t.add("  "+name, shown(before[name]), shown(after[name]))
		}
		if err := t.print(c.Stdout); err != nil {
			return err
		}
	}
	for _, note := range ch.Notes {
		fmt.Fprintf(c.Stdout, "  note: %s\n", note)
	}
	return nil
}

// membersOf returns the members of a JSON object; none of anything else.
func membersOf(value []byte) map[string]jsontext.Value {
	members := map[string]jsontext.Value{}
	if len(value) > 0 && json.Unmarshal(value, &members) != nil {
		return map[string]jsontext.Value{}
	}
	return members
}

// shown is what people see of a JSON value.
func shown(v jsontext.Value) string {
	var text string
	switch {
	case len(v) == 0, v.Kind() == 'n', string(v) == "[]":
		return "-"
	case v.Kind() == '"' && json.Unmarshal(v, &text) == nil && text != "" && !strings.ContainsAny(text, "\n\t"):
		return text
	}
	return v.String()
}
