package shopify

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
	"stocksync/topics"
)

// roundsMost is how often what is left of a request is sent, each time without the rows that were refused. The shop
// names all of them at once.
const roundsMost = 3

// setDocument has the key of its request in it.
const setDocument = `mutation SetQuantities($input:InventorySetQuantitiesInput!){
  inventorySetQuantities(input:$input) @idempotent(key:%q){
    inventoryAdjustmentGroup { changes { name quantityAfterChange item { id } location { id } } }
    userErrors { code field message }
  }
}`

// row is one number to be set.
type row struct {
	ItemID     string           `json:"inventoryItemId"`
	LocationID string           `json:"locationId"`
	Quantity   topics.Quantity  `json:"quantity"`
	From       *topics.Quantity `json:"changeFromQuantity"` // null: whatever is there

	update int // index
}

// setResult is the answer to setDocument.
type setResult struct {
	Set struct {
		Group *struct {
			Changes []change `json:"changes"`
		} `json:"inventoryAdjustmentGroup"`
		Errors []struct {
			Code    string   `json:"code"`
			Field   []string `json:"field"`
			Message string   `json:"message"`
		} `json:"userErrors"`
	} `json:"inventorySetQuantities"`
}

// change is what became of one number, as far as it became another.
type change struct {
	Name  string           `json:"name"`
	After *topics.Quantity `json:"quantityAfterChange"` // the shop may leave it out
	Item  struct {
		ID string `json:"id"`
	} `json:"item"`
	Location struct {
		ID string `json:"id"`
	} `json:"location"`
}

// pushing is a push on its way.
type pushing struct {
	s       *session
	updates []sinks.Update
	reply   sinks.Reply
}

// Push sets numbers. Updates at several locations may take several requests. A request that fails as a whole ends the
// push: what it carried, and what would have come after it, has its outcome.
func (s *session) Push(ctx context.Context, updates []sinks.Update) sinks.Reply {
	p := &pushing{s: s, updates: updates, reply: sinks.Reply{
		Whole: sinks.Outcome{Class: sinks.ClassOK}, Items: make([]sinks.Outcome, len(updates)),
	}}
	rows := p.rows()
	for some := range p.requests(rows) {
		if o := p.send(ctx, some); o.Class != sinks.ClassOK {
			p.fail(o)
			break
		}
	}
	p.reply.RequestID = cmp.Or(p.reply.RequestID, sinks.RequestID())
	return p.reply
}

// fail gives an outcome to all that have none; to the whole, when nothing else was said.
func (p *pushing) fail(o sinks.Outcome) {
	if !slices.ContainsFunc(p.reply.Items, func(i sinks.Outcome) bool { return i.Class != 0 }) {
		p.reply.Whole = o
		return
	}
	for i := range p.reply.Items {
		if p.reply.Items[i].Class == 0 {
			p.reply.Items[i] = o
		}
	}
}

// rows makes the rows of all updates that can be sent, and notes why the others can't.
func (p *pushing) rows() []row {
	var rows []row
	for i := range p.updates {
		u := &p.updates[i]
		bad := func(l sinks.LocationQty) bool { return !isID(l.LocationID) }
		switch {
		case !isID(u.Target.VariantID):
			p.reply.Items[i] = sinks.Outcome{
				Class: sinks.ClassNotFound, Code: "no_such_id", Message: "variant_id is not the number of an inventory item",
			}
			continue
		case len(u.Locations) == 0:
			p.reply.Items[i] = sinks.Outcome{
				Class: sinks.ClassLocation, Code: "no_location",
				Message: "the item is stocked nowhere, and the store names no location",
			}
			continue
		case slices.ContainsFunc(u.Locations, bad):
			p.reply.Items[i] = sinks.Outcome{
				Class: sinks.ClassLocation, Code: "no_such_id", Message: "a location is not a number",
			}
			continue
		}
		for _, l := range u.Locations {
			rows = append(rows, row{
				ItemID: gid("InventoryItem", u.Target.VariantID), LocationID: gid("Location", l.LocationID),
				Quantity: l.Qty, From: readAt(u.Read, l.LocationID, len(u.Locations)), update: i,
			})
		}
	}
	return rows
}

// readAt is what was read at a location; nil when nothing was.
func readAt(r *sinks.Reading, location string, locations int) *topics.Quantity {
	if r == nil {
		return nil
	}
	for i := range r.Locations {
		if plain(r.Locations[i].LocationID) == plain(location) {
			return &r.Locations[i].Qty
		}
	}
	if locations == 1 && len(r.Locations) == 0 {
		return &r.Qty
	}
	return nil
}

// requests deals rows out into requests of at most batchMost, the rows of an update together.
func (p *pushing) requests(rows []row) func(yield func([]row) bool) {
	return func(yield func([]row) bool) {
		for len(rows) > 0 {
			n := min(batchMost, len(rows))
			for n < len(rows) && n > 0 && rows[n-1].update == rows[n].update {
				n--
			}
			if n == 0 { // one update alone has more: its rows can't be kept together
				n = batchMost
			}
			if !yield(rows[:n]) {
				return
			}
			rows = rows[n:]
		}
	}
}

// send sends some rows until none of them is refused, and gives their updates outcomes. The outcome is that of the
// request as such.
func (p *pushing) send(ctx context.Context, rows []row) sinks.Outcome {
	for range roundsMost {
		if len(rows) == 0 {
			return sinks.Outcome{Class: sinks.ClassOK}
		}
		bad, o := p.sendOnce(ctx, rows)
		if o.Class != sinks.ClassOK || len(bad) == 0 {
			return o
		}
		var left []row
		for _, r := range rows {
			if refused, ok := bad[r.update]; ok {
				p.reply.Items[r.update] = refused
			} else {
				left = append(left, r)
			}
		}
		rows = left
	}
	for _, r := range rows {
		p.reply.Items[r.update] = sinks.Outcome{
			Class: sinks.ClassTransient, Code: "not_sent", Message: "other rows of the request were refused again and again",
		}
	}
	return sinks.Outcome{Class: sinks.ClassOK}
}

// sendOnce sends one request. bad are the outcomes of updates whose rows were refused: then nothing was set.
func (p *pushing) sendOnce(ctx context.Context, rows []row) (bad map[int]sinks.Outcome, o sinks.Outcome) {
	key := newKey()
	var result setResult
	told, o := p.s.call(ctx, fmt.Sprintf(setDocument, key), map[string]any{"input": map[string]any{
		"name": "available", "reason": "correction", "referenceDocumentUri": "stocksync://push/" + key, "quantities": rows,
	}}, &result)
	p.reply.RequestID = cmp.Or(told.requestID, p.reply.RequestID)
	p.reply.RetryAfter = max(p.reply.RetryAfter, told.wait)
	if told.bucket != (sinks.Bucket{}) {
		p.reply.Bucket = told.bucket
	}
	if o.Class != sinks.ClassOK {
		return nil, o
	}
	bad = map[int]sinks.Outcome{}
	for _, e := range result.Set.Errors {
		refused := outcomeOf(e.Code, e.Message)
		i, ok := rowOf(e.Field)
		if !ok || i >= len(rows) {
			return nil, p.s.auth.hide(refused)
		}
		if _, known := bad[rows[i].update]; !known {
			bad[rows[i].update] = p.s.auth.hide(refused)
		}
	}
	if len(bad) == 0 {
		p.compare(rows, &result)
	}
	return bad, o
}

// rowOf returns the row that an error's path names.
func rowOf(path []string) (int, bool) {
	i := slices.Index(path, "quantities")
	if i < 0 || i+1 >= len(path) {
		return 0, false
	}
	n, err := strconv.Atoi(path[i+1])
	return n, err == nil && n >= 0
}

// compare holds what the answer says of changes against what was sent. A number that was the same already is no
// change; of one that was read and was another, there must be one.
func (p *pushing) compare(rows []row, result *setResult) {
	type place struct{ item, location string }
	changed := map[place]*topics.Quantity{}
	strange := false
	if g := result.Set.Group; g != nil {
		for _, c := range g.Changes {
			if c.Name != "available" {
				continue
			}
			at := place{c.Item.ID, c.Location.ID}
			changed[at] = c.After
			sent := func(r row) bool { return r.ItemID == at.item && r.LocationID == at.location }
			strange = strange || !slices.ContainsFunc(rows, sent)
		}
	}
	for _, r := range rows {
		after, was := changed[place{r.ItemID, r.LocationID}]
		o := sinks.Outcome{Class: sinks.ClassOK}
		switch {
		case strange:
			o = dialect.BadAnswer("the answer is about items that were not sent")
		case was && after != nil && *after != r.Quantity, !was && r.From != nil && *r.From != r.Quantity:
			o = sinks.Outcome{
				Class: sinks.ClassTransient, Code: "not_applied", Message: "the answer shows another number than was sent",
			}
		}
		if before := p.reply.Items[r.update]; before.Class == 0 || before.Class == sinks.ClassOK {
			p.reply.Items[r.update] = o
		}
	}
}

// newKey returns a key that no other request has, in the form of a UUID (RFC 9562, version 4).
func newKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
