package sinks

import (
	"bytes"
	"errors"
	"fmt"

	"stocksync/state"
	"stocksync/topics"
)

// row is what the tables hold about one pair. A record that can't be read is in broken; the availability
// and the settings for all stores are shared by the rows of a SKU.
type row struct {
	av       *topics.Availability
	own, all *topics.ItemSettings
	list     *topics.Listing
	status   *topics.SyncStatus
	broken   error
	blind    bool // the record that can't be read is that of availability, or it is among them
}

// exists tells whether a store and a SKU are a pair at all.
func (r *row) exists(store string, listed bool) bool {
	if r.own != nil || r.list != nil || r.status != nil {
		return true
	}
	if r.av == nil {
		return false
	}
	if !listed {
		return true
	}
	for _, o := range r.av.OrdersFrom {
		if o.Store == store {
			return true
		}
	}
	return false
}

// tables is where rows are read: the tables as they are, or a snapshot of them.
type tables interface {
	View(base string) *state.ViewReader
}

// live reads the tables as they are.
type live struct{ views *state.Views }

// View implements tables.
func (l live) View(base string) *state.ViewReader { return &l.views.View(base).ViewReader }

// readRow looks one pair up.
func readRow(t tables, store, sku string) (*row, error) {
	r := &row{}
	pair := topics.PairKey(store, sku)
	for _, part := range []struct {
		base string
		key  []byte
		set  func(value []byte)
	}{
		{topics.AvailabilityTopic, []byte(sku), r.setAvailability},
		{topics.ItemSettingsTopic, topics.PairKey(topics.AllStores, sku), r.setAll},
		{topics.ItemSettingsTopic, pair, r.setOwn},
		{topics.Listings, pair, r.setListing},
		{topics.SyncStatusTopic, pair, r.setStatus},
	} {
		value, ok, err := t.View(part.base).Get(part.key)
		if err != nil {
			return nil, err
		}
		if ok {
			part.set(value)
		}
	}
	r.verify(store, sku)
	return r, nil
}

// errMisplaced reports a record that says it is about another pair than its key does. Whoever wrote it
// meant something, and nobody can tell what.
var errMisplaced = errors.New("the record is about another pair than its key")

// verify holds what persons and upstream wrote against the keys it was found under.
func (r *row) verify(store, sku string) {
	if r.broken != nil {
		return
	}
	if s := r.own; s != nil && (s.Store != store || s.SKU != sku) {
		r.fail(fmt.Errorf("item settings of %s|%s: %w", s.Store, s.SKU, errMisplaced))
	}
	if s := r.all; s != nil && (s.Store != topics.AllStores || s.SKU != sku) {
		r.fail(fmt.Errorf("item settings of %s|%s: %w", s.Store, s.SKU, errMisplaced))
	}
	if l := r.list; l != nil && (l.Store != store || l.SKU != sku) {
		r.fail(fmt.Errorf("listing of %s|%s: %w", l.Store, l.SKU, errMisplaced))
	}
}

func (r *row) fail(err error) {
	if err != nil {
		r.broken = errors.Join(r.broken, err)
	}
}

func (r *row) setAvailability(value []byte) {
	av, err := topics.DecodeAvailability(value)
	r.av, r.blind = av, err != nil
	r.fail(err)
}

func (r *row) setAll(value []byte) { r.all = r.settings(value) }
func (r *row) setOwn(value []byte) { r.own = r.settings(value) }

func (r *row) settings(value []byte) *topics.ItemSettings {
	s, err := topics.DecodeItemSettings(value)
	r.fail(err)
	return &s
}

func (r *row) setListing(value []byte) {
	l, err := topics.DecodeListing(value)
	r.fail(err)
	r.list = &l
}

// setStatus takes a status that can't be read as none: it is ours to write again.
func (r *row) setStatus(value []byte) {
	if s, err := topics.DecodeSyncStatus(value); err == nil {
		r.status = &s
	}
}

// scanHead names a store to sweep over.
type scanHead struct {
	store  string
	listed bool // pairs exist by listing
}

// scanner walks over all tables in step, by SKU.
type scanner struct {
	availability, all *skuCursor
	stores            []storeCursors
	cursors           []*skuCursor // all of them
	sku               []byte
}

type storeCursors struct{ own, list, status *skuCursor }

func (s *scanner) open(t tables, heads []scanHead) (err error) {
	add := func(base, prefix string) *skuCursor {
		c := &skuCursor{skip: len(prefix)}
		if err == nil {
			c.cursor, err = t.View(base).Cursor([]byte(prefix))
		}
		if err == nil {
			c.valid = c.cursor.Next()
			s.cursors = append(s.cursors, c)
		}
		return c
	}
	s.availability = add(topics.AvailabilityTopic, "")
	s.all = add(topics.ItemSettingsTopic, topics.AllStores+"|")
	for _, h := range heads {
		s.stores = append(s.stores, storeCursors{
			own:    add(topics.ItemSettingsTopic, h.store+"|"),
			list:   add(topics.Listings, h.store+"|"),
			status: add(topics.SyncStatusTopic, h.store+"|"),
		})
	}
	return err
}

// least returns the least SKU that any cursor stands at, valid until pass; ok is false at the end.
func (s *scanner) least() (sku []byte, ok bool) {
	var least []byte
	for _, c := range s.cursors {
		if c.valid && (!ok || bytes.Compare(c.sku(), least) < 0) {
			least, ok = c.sku(), true
		}
	}
	s.sku = append(s.sku[:0], least...)
	return s.sku, ok
}

// pass moves every cursor beyond a SKU.
func (s *scanner) pass(sku []byte) {
	for _, c := range s.cursors {
		if c.valid && bytes.Equal(c.sku(), sku) {
			c.valid = c.cursor.Next()
		}
	}
}

func (s *scanner) err() error {
	for _, c := range s.cursors {
		if err := c.cursor.Err(); err != nil {
			return err
		}
	}
	return nil
}

func (s *scanner) close() error {
	var all error
	for _, c := range s.cursors {
		all = errors.Join(all, c.cursor.Close())
	}
	return all
}

// skuCursor is a cursor over keys that end in a SKU.
type skuCursor struct {
	cursor *state.ViewCursor
	skip   int // length of what stands before the SKU
	valid  bool
}

func (c *skuCursor) sku() []byte { return c.cursor.Key()[c.skip:] }

// at passes the value on when the cursor stands at the SKU.
func (c *skuCursor) at(sku []byte, set func(value []byte)) {
	if c.valid && bytes.Equal(c.sku(), sku) {
		set(c.cursor.Value())
	}
}

// statusRank returns the highest owner generation in the statuses of a store.
func statusRank(t tables, store string) (highest int64, err error) {
	c, err := t.View(topics.SyncStatusTopic).Cursor([]byte(store + "|"))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	for c.Next() {
		highest = max(highest, c.Rank())
	}
	return highest, c.Err()
}

// statusStores returns the stores that have statuses.
func statusStores(t tables) (stores []string, err error) {
	c, err := t.View(topics.SyncStatusTopic).Cursor(nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	for ok := c.Next(); ok; {
		store, _, split := topics.SplitPairKey(c.Key())
		if !split { // of an earlier release: the tail lets no such key in
			ok = c.Next()
			continue
		}
		stores = append(stores, store)
		ok = c.SeekGE([]byte(store + "}")) // the character after the bar
	}
	return stores, c.Err()
}
