package sinks

import (
	"context"
	"slices"

	"stocksync/topics"
)

// load is one pair of a request.
type load struct {
	work  *work    // the reconciler's
	facts *facts   // when the request was made
	looks []Update // the targets to be read before the write; none: it goes as it was decided
	clean bool     // nothing the shop may have sold unseen counts
	// What came of it:
	qty    topics.Quantity // that the pair should show
	ledger *ledger         // with what was read and written; nil: it was not read
	shown  *topics.Quantity
}

// carry does what a request is for, away from the reconciler: it reads the shop where that is needed, reckons anew
// with what it read, and writes what is not there yet. It leaves an outcome for every update.
func (d *result) carry(ctx context.Context, session Session, traits *Traits) {
	d.outcomes = make([]Outcome, len(d.updates))
	if slices.ContainsFunc(d.loads, func(l load) bool { return len(l.looks) > 0 }) {
		if o := d.read(ctx, session, traits); o.Class != ClassOK {
			d.reply.Whole = o
			d.spread(nil)
			return
		}
	}
	var send []int
	for i := range d.outcomes {
		if d.outcomes[i].Class == 0 {
			send = append(send, i)
		}
	}
	if len(send) == 0 {
		d.reply.Whole = Outcome{Class: ClassOK}
		return
	}
	updates := make([]Update, len(send))
	for j, i := range send {
		updates[j] = d.updates[i]
	}
	d.reply = session.Push(ctx, updates)
	d.spread(send)
}

// spread gives every update its outcome, of those that were sent from the reply.
func (d *result) spread(sent []int) {
	for j, i := range sent {
		d.outcomes[i] = d.reply.item(j)
		if j < len(d.reply.Readings) {
			d.after(i, &d.reply.Readings[j])
		}
	}
	if d.reply.Whole.Class != ClassOK {
		for i := range d.outcomes {
			d.outcomes[i] = d.reply.Whole
		}
	}
}

// after compares what the answer shows with what was reckoned with: an order may have come in between.
func (d *result) after(i int, r *Reading) {
	used := d.updates[i].Read
	if r.Found && used != nil && r.Allocated != used.Allocated {
		d.moved = append(d.moved, d.of[i])
	}
}

// read reads every target of the pairs that need it, and reckons their updates anew.
func (d *result) read(ctx context.Context, session Session, traits *Traits) Outcome {
	reader, can := session.(Reader)
	if !can {
		return Outcome{Class: ClassConfig, Code: "no_reading", Message: "this marketplace cannot be read"}
	}
	var looks []Update
	for i := range d.loads {
		looks = append(looks, d.loads[i].looks...)
	}
	readings, o := reader.ReadBack(ctx, looks)
	if o.Class != ClassOK {
		return o
	}
	if len(readings) != len(looks) {
		return Outcome{Class: ClassTransient, Code: "bad_answer", Message: "the reading does not tell of every target"}
	}
	for i := range d.loads {
		l := &d.loads[i]
		if len(l.looks) == 0 {
			continue
		}
		read := map[string]*Reading{}
		for j := range l.looks {
			read[targetKey(&l.looks[j].Target)] = &readings[j]
		}
		readings = readings[len(l.looks):]
		d.reckon(i, read, traits.Number)
	}
	return o
}

// reckon works out what the updates of a pair bring, now that its targets were read.
func (d *result) reckon(index int, read map[string]*Reading, number Number) {
	l := &d.loads[index]
	aims := l.reckon(read, number)
	for i := range d.updates {
		if d.of[i] != index {
			continue
		}
		u, key := &d.updates[i], targetKey(&d.aims[i].target)
		r := read[key]
		if !r.Found {
			d.outcomes[i] = Outcome{Class: ClassNotFound, Code: "not_found", Message: "the shop does not show it"}
			continue
		}
		j := slices.IndexFunc(aims, func(a aim) bool { return targetKey(&a.target) == key })
		if !aims[j].free() {
			d.outcomes[i] = outcomeOf(&aims[j])
			continue
		}
		d.aims[i] = aims[j]
		u.Qty, u.Locations = number.toWrite(aims[j].qty, aims[j].places, r)
		u.Read = r
		l.ledger.base[key] = aims[j].qty
		if r.same(u.Qty, u.Locations) {
			d.outcomes[i] = Outcome{Class: ClassOK, Code: codeVerified}
		}
	}
}

// codeVerified is the code of an update that was not sent, because the shop shows the number already.
const codeVerified = "verified"

// outcomeOf is what a marketplace would answer to an update of a target that may not be sent after all: by what was
// read it would fall while a campaign lets it only rise.
func outcomeOf(a *aim) Outcome {
	class := ClassRaiseOnly
	switch a.hinder.reason {
	case topics.SyncPromoLocked:
		class = ClassPromoLock
	case topics.SyncLocationMissing:
		class = ClassLocation
	default:
	}
	o := Outcome{Class: class, Code: "not_sent", Message: "what the shop sold meanwhile lowers the number"}
	if until := moment(a.hinder.evidence["until"]); !until.IsZero() {
		o.Until = until.Time()
	}
	return o
}

// reckon brings the books of a pair up to what was read of its targets, and works out what they get now.
func (l *load) reckon(read map[string]*Reading, number Number) []aim {
	f := l.facts
	shown := map[string]topics.Quantity{}
	var sum topics.Quantity
	for key, r := range read {
		if r.Found {
			shown[key] = number.offers(r)
			sum += shown[key]
		}
	}
	w := f.wanted()
	books := f.books(w.taken)
	if l.clean || !f.shop.policy.readsFirst(&f.shop.traits) {
		books = books.forget()
	}
	l.ledger = books.read(shown, w.taken, f.now)
	w.unseen = l.ledger.unseen
	w.qty = offer(w.net, w.unseen, w.terms)
	l.qty, l.shown = w.qty, &sum
	return f.aims(&w, true)
}
