package state

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// The day index: which SKUs had an accepted mutation or order on which UTC day. It is written once per
// SKU and day, and its keys are all there is to know, so that a run over the SKUs of some days reads no
// SKU that it does not want. The young days say what is active, the old ones what may be collapsed; a day
// goes when both are done with it.

// Active returns the next SKUs after the one named, n at most and in order, that had an accepted
// mutation or order on one of the UTC days from first to last; none at the end. A run begins after "":
// then what is pending is written first, since only the store is looked at. A SKU that moves later may be
// missing.
func (t *Task) Active(first, last int32, after string, n int) ([]string, error) {
	if after == "" {
		if err := t.flush(); err != nil {
			return nil, err
		}
	}
	var days []*pebble.Iterator
	defer func() {
		for _, iter := range days {
			_ = iter.Close() // its error was seen when it ended
		}
	}()
	for day := first; day <= last; day++ {
		iter, err := t.scan(appendDayKey(nil, t.partition, day, after), appendDayKey(nil, t.partition, day+1, ""))
		if err != nil {
			return nil, err
		}
		if iter.First() && string(skuOfDay(iter)) == after {
			iter.Next()
		}
		days = append(days, iter)
	}
	return merge(days, n)
}

// merge returns the first n SKUs of several days, each once.
func merge(days []*pebble.Iterator, n int) ([]string, error) {
	var skus []string
	for len(skus) < n {
		var least []byte
		for _, iter := range days {
			if iter.Valid() && (least == nil || bytes.Compare(skuOfDay(iter), least) < 0) {
				least = skuOfDay(iter)
			}
		}
		if least == nil {
			break
		}
		sku := string(least)
		skus = append(skus, sku)
		for _, iter := range days {
			if iter.Valid() && string(skuOfDay(iter)) == sku {
				iter.Next()
			}
		}
	}
	for _, iter := range days {
		if err := iter.Error(); err != nil {
			return nil, readFault(err)
		}
	}
	return skus, nil
}

// skuOfDay returns the SKU of the key that an iterator of a day stands at, until it moves.
func skuOfDay(iter *pebble.Iterator) []byte { return iter.Key()[9:] }

// OldestDay returns the first UTC day from one to before another that the index has anything under; false
// when there is none. What is pending is written first.
func (t *Task) OldestDay(from, before int32) (int32, bool, error) {
	if err := t.flush(); err != nil {
		return 0, false, err
	}
	iter, err := t.scan(appendDayKey(nil, t.partition, from, ""), appendDayKey(nil, t.partition, before, ""))
	if err != nil {
		return 0, false, err
	}
	day, found := int32(0), iter.First()
	if found {
		day = int32(binary.BigEndian.Uint32(iter.Key()[5:]))
	}
	return day, found, closing(iter, nil)
}

// ForgetDays takes the UTC days before the one given out of the index.
func (t *Task) ForgetDays(before int32) error {
	from, to := appendDayKey(nil, t.partition, 0, ""), appendDayKey(nil, t.partition, before, "")
	if bytes.Compare(from, to) >= 0 {
		return nil
	}
	if err := t.store.db.DeleteRange(from, to, pebble.NoSync); err != nil {
		return fmt.Errorf("partition %d: forget days: %w", t.partition, err)
	}
	return nil
}

// scan iterates over a range of the store.
func (t *Task) scan(from, to []byte) (*pebble.Iterator, error) {
	iter, err := t.store.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return nil, readFault(err)
	}
	return iter, nil
}

// Reemit emits a SKU with trigger nightly, unless an event in the same commit emits it anyway; false when
// the task does not hold it.
func (t *Task) Reemit(sku string) (bool, error) {
	it, err := t.item(sku)
	if err != nil || it.revision == 0 && it.touched == nil {
		return false, err
	}
	t.emit(it)
	return true, nil
}

// emit lets the overlay's transaction carry a record of a SKU that no event asks for.
func (t *Task) emit(it *item) {
	it.begin(&t.touched)
	it.touched.emits = true
	t.touch(it)
}
