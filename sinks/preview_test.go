package sinks_test

import (
	"strings"
	"testing"

	"stocksync/sinks"
	"stocksync/sinks/webhook"
	"stocksync/topics"
)

// previewed returns a preview of the store of a pair, which has all it needs to be opened.
func (p *pair) previewed() *sinks.Preview {
	p.store.Options, p.store.CredentialsRef = topics.RawJSON(`{"url":"http://127.0.0.1:1/"}`), "shop"
	p.encode()
	c := sinks.Config{
		Adapters: []sinks.Adapter{webhook.Adapter{}}, AllowPrivate: true,
		Credentials: func(string) (map[string]string, error) { return map[string]string{"secret": canary}, nil },
	}
	return sinks.NewPreview(c, "s", p.Store, p.All)
}

// records are the pair's, as the topics hold them.
func (p *pair) records() sinks.Records {
	r := sinks.Records{Availability: p.Availability.AppendJSON(nil)}
	if p.Own != nil {
		r.Own = p.Own.Encode()
	}
	if p.AllSet != nil {
		r.All = p.AllSet.Encode()
	}
	if p.Status != nil {
		r.Status = p.Status.Encode()
	}
	return r
}

// Ensure a preview says of a pair what the reconciler says of it, given the same records.
func TestPreview_DecidesAsTheReconcilerDoes(t *testing.T) {
	five := 5 * qty
	yes := true
	for name, change := range map[string]func(p *pair){
		"at rest":         func(*pair) {},
		"new":             func(p *pair) { p.Status = nil },
		"newer":           func(p *pair) { p.want(101, 7*qty) },
		"preview":         func(p *pair) { p.store.Mode = topics.ModePreview; p.Status = nil },
		"disabled":        func(p *pair) { p.store.DisableStockUpdate = true },
		"item disabled":   func(p *pair) { p.Own = &topics.ItemSettings{Store: "s", SKU: "A", DisableStockUpdate: &yes} },
		"all disabled":    func(p *pair) { p.AllSet = &topics.ItemSettings{Store: "*", SKU: "A", DisableStockUpdate: &yes} },
		"kill switch":     func(p *pair) { p.all = topics.Store{Store: "*", DisableStockUpdate: true} },
		"buffer":          func(p *pair) { p.store.Buffer = &five },
		"no warehouse":    func(p *pair) { p.store.Warehouses = nil },
		"invalid":         func(p *pair) { p.garbage = `{"store":"s","marketplace":"webhook","percent":-1}` },
		"record of other": func(p *pair) { p.Own = &topics.ItemSettings{Store: "t", SKU: "A"}; p.Broken = sinks.ErrMisplaced },
	} {
		t.Run(name, func(t *testing.T) {
			p := inSync()
			change(p)
			preview := p.previewed()
			a := preview.Assess("A", p.records(), p.Now.Time())
			_, v := p.judge()
			if a.Reason != v.Reason || a.Cause != v.Cause || len(a.Sends) != len(v.Sends) {
				t.Errorf("got %s, cause %q, %d updates; want %s, %q, %d", a.Reason, a.Cause, len(a.Sends), v.Reason, v.Cause,
					len(v.Sends))
			}
			if a.State != v.State {
				t.Errorf("got state %s, want %s", a.State, v.State)
			}
			if !a.Exists {
				t.Error("it is no pair")
			}
			if a.Reckoning != nil && a.Reckoning.Qty != v.Qty {
				t.Errorf("offers %s, want %s", a.Reckoning.Qty, v.Qty)
			}
		})
	}
}

func TestPreview_SupposesThatTheStoreIsLive(t *testing.T) {
	p := inSync()
	percent, buffer := 50*qty, 2*qty
	p.store.Mode, p.store.Percent, p.store.Buffer = topics.ModePreview, &percent, &buffer
	p.Status = nil
	p.Availability.Reserved, p.Availability.Warehouses[0].Reserved = qty, qty
	p.Availability.Net, p.Availability.Warehouses[0].Net = 9*qty, 9*qty
	preview := p.previewed()
	preview.GoLive()
	a := preview.Assess("A", p.records(), p.Now.Time())
	if len(a.Sends) != 1 || a.Sends[0].Qty != 3*qty || a.Cause != topics.SyncEvent {
		t.Errorf("got %+v", a)
	}
	o := a.Reckoning
	if o.Actual != 10*qty || o.Reserved != qty || o.Net != 9*qty || o.Buffer != buffer || o.Percent != percent ||
		o.Qty != 3*qty || o.Max != nil || len(o.Warehouses) != 1 || o.Warehouses[0] != "W1" {
		t.Errorf("got %+v", o)
	}
}

// Ensure that where the store can't be opened, since its credentials are elsewhere, the statuses tell what the owner
// knew of the shop.
func TestPreview_WithoutCredentialsGoesByTheStatus(t *testing.T) {
	p := inSync()
	p.targets()
	p.Listing = nil
	p.Status.AutoDisabled, p.Status.AutoDisabledAt, p.Status.AutoDisabledRevision = true, at(20), 100
	p.store.Marketplace = "elsewhere"
	preview := p.previewed()
	if err := preview.Err(); err == nil || !strings.Contains(err.Error(), `no adapter for marketplace "elsewhere"`) {
		t.Errorf("got %v", err)
	}
	preview.GoLive()
	if a := preview.Assess("A", p.records(), p.Now.Time()); a.Reason != topics.SyncAutoDisabled {
		t.Errorf("got %s", a.Reason)
	}
	p.Status.AutoDisabled = false
	if a := preview.Assess("A", p.records(), p.Now.Time()); a.Reason != topics.SyncMappingPending {
		t.Errorf("got %s", a.Reason)
	}
}
