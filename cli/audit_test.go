package cli_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/cli"
	"stocksync/state"
	"stocksync/testenv"
	"stocksync/topics"
)

// produceWorkload puts a realistic stream into the inputs of an installation.
func produceWorkload(t *testing.T, c *testenv.Cluster, cfg cli.Config, w *testenv.Workload, n int, rate float64) {
	t.Helper()
	_, err := testenv.Produce(t.Context(), c, w.Next, testenv.ProduceConfig{
		Prefix: topics.Prefix(cfg.TopicPrefix), Events: n, Rate: rate,
	})
	if err != nil {
		t.Error(err)
	}
}

// troubled is a workload with all faults of an upstream.
func troubled(skus int) *testenv.Workload {
	w := testenv.RealisticWorkload(7)
	w.SKUs, w.Garbage, w.Conflicts, w.WrongPartition = skus, 0.03, 0.03, 0.05
	return testenv.NewWorkload(w)
}

func TestAudit_FindsNothingInAFaithfulFold(t *testing.T) {
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		cfg := withTopics(t, c)
		start(t, cfg, "processor")
		w := troubled(1000)
		const atRest, moving = 20000, 4000
		produceWorkload(t, c, cfg, w, atRest, 0)
		settle(t, c, cfg)
		r := run(t, cfg, "audit", "--json")
		r.want(t, cli.ExitOK)
		got := decode[cli.AuditReport](t, r)
		if got.SKUs < 100 || got.SKUsFromInputs != got.SKUs || got.Lines < 1000 || got.OrderLines < 1000 ||
			got.Partitions != 4 || got.Inputs <= atRest || got.NotFolded != 0 || len(got.Unchecked) != 0 {
			t.Errorf("got %s", r.stdout)
		}

		// While traffic runs, every cut is as good.
		var traffic sync.WaitGroup
		done := make(chan struct{})
		traffic.Go(func() {
			defer close(done)
			produceWorkload(t, c, cfg, w, moving, 4000)
		})
		audits := 0
		for running := true; running; audits++ {
			select {
			case <-done:
				running = false
			default:
			}
			r := run(t, cfg, "audit", "--json")
			r.want(t, cli.ExitOK)
			if got := decode[cli.AuditReport](t, r); got.SKUsFromInputs != got.SKUs || len(got.Unchecked) != 0 {
				t.Errorf("got %s", r.stdout)
			}
		}
		traffic.Wait()
		if audits < 2 {
			t.Errorf("%d audits while traffic ran", audits)
		}
	})
}

// The header's bytes of that stock: name and numbers of its warehouse, of which whole units are doubled twice.
const (
	jktActual   = "\x03JKT\x94\x01"
	jktReserved = jktActual + "\x18"
	jktWeb      = jktReserved + "\x01\x00\x10\x1c" // one store: reserved 4, taken 7
)

func TestAudit_AddsUpUnderEveryPolicy(t *testing.T) {
	c := testenv.StartKfake(t)
	for _, policy := range []state.Policy{{}, {OnHoldReserves: true}, {ReturnsReserve: true, OnHoldReserves: true}} {
		cfg := withTopics(t, c)
		cfg.ReturnsReserve, cfg.OnHoldReserves = policy.ReturnsReserve, policy.OnHoldReserves
		start(t, cfg, "processor")
		produceWorkload(t, c, cfg, troubled(60), 2500, 0)
		settle(t, c, cfg)
		run(t, cfg, "audit").want(t, cli.ExitOK, "1: 0 differences\n")
		cfg.ReturnsReserve = !policy.ReturnsReserve
		run(t, cfg, "audit").want(t, cli.ExitDifferent, "1:policy  Reserved of ")
	}
}

// Ensure each kind of difference is named, for itself and among all others.
func TestAudit_NamesEachDifference(t *testing.T) {
	c := testenv.StartKfake(t)
	cfg := withTopics(t, c)
	home := func(sku string) int32 { return topics.PartitionOf([]byte(sku), cfg.Partitions) }
	mutation := func(sku, id string, version int) []byte {
		m := topics.Mutation{
			SKU: sku, LineID: sku + "/" + id, Version: int64(version), Warehouse: "JKT", Qty: 5 * topics.One,
			EffectiveAt: topics.TimeOf(time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)),
		}
		return m.AppendJSON(nil)
	}
	cases := map[string]struct {
		plant func(p *planter, sku string)
		want  []string // check, what, warehouse: got, want
	}{
		"SKU-actual": {
			func(p *planter, sku string) { p.patch(sku, jktActual, "\x03JKT\x98\x01") },
			[]string{
				"lines actual JKT: 38, 37", "availability actual : 37, 38", "availability net : 31, 32",
				"availability available : 31, 32", "availability actual JKT: 37, 38", "availability net JKT: 31, 32",
				"availability available JKT: 31, 32", "inputs actual JKT: 38, 37",
			},
		},
		"SKU-reserved": {
			func(p *planter, sku string) { p.patch(sku, jktReserved, jktActual+"\x1c") },
			[]string{
				"lines reserved JKT: 7, 6", "availability reserved : 6, 7", "availability net : 31, 30",
				"availability available : 31, 30", "availability reserved JKT: 6, 7", "availability net JKT: 31, 30",
				"availability available JKT: 31, 30", "inputs reserved JKT: 7, 6",
			},
		},
		"SKU-by-store": {
			func(p *planter, sku string) { p.patch(sku, jktWeb, jktReserved+"\x01\x00\x14\x18") },
			[]string{
				"lines by_store web reserved JKT: 5, 4", "lines by_store web taken JKT: 6, 7",
				"availability by_store web reserved JKT: 4, 5", "availability by_store web taken JKT: 7, 6",
				"inputs by_store web reserved JKT: 5, 4", "inputs by_store web taken JKT: 6, 7",
			},
		},
		"SKU-qty": {
			func(p *planter, sku string) { p.patch(sku, "SKU-qty/in\x02\x00\xa0\x01", "SKU-qty/in\x02\x00\xa4\x01") },
			[]string{
				"lines actual JKT: 37, 38",
				"inputs line SKU-qty/in : posted delta 41 JKT at 2026-01-31T08:00:00Z seq 0, posted delta 40 JKT at 2026-01-31T08:00:00Z seq 0",
			},
		},
		"SKU-missing-line": {
			func(p *planter, sku string) { p.patch(sku, sku+"/in", sku+"/xx") },
			[]string{
				"inputs line SKU-missing-line/xx : version 1, not held: no input record has it",
				"inputs line SKU-missing-line/in : not held, version 1",
			},
		},
		"SKU-missing-chunk": {
			func(p *planter, sku string) {
				p.fold(&topics.Mutation{SKU: sku, LineID: sku + "/more", Version: 1, Warehouse: "JKT", EffectiveAt: 1}, time.Now())
				r := p.chunk(sku, 1)
				p.produce(topics.Changelog, r.Partition, r.Key, nil)
			},
			[]string{
				"lines actual JKT: 37, 0", "lines reserved JKT: 6, 0", "lines by_store web reserved JKT: 4, 0",
				"lines by_store web taken JKT: 7, 0",
				"inputs line SKU-missing-chunk/more : version 1, not held: no input record has it",
				"inputs line SKU-missing-chunk/in : not held, version 1", "inputs line SKU-missing-chunk/out : not held, version 1",
				"inputs order line SKU-missing-chunk/SO/1 : not held, version 1",
				"inputs order line SKU-missing-chunk/SO/2 : not held, version 1",
			},
		},
		"SKU-extra-line": {
			func(p *planter, sku string) {
				p.fold(&topics.Mutation{
					SKU: sku, LineID: sku + "/extra", Version: 1, Warehouse: "JKT", Qty: 5 * topics.One, EffectiveAt: 1,
				}, time.Now())
			},
			[]string{
				"inputs line SKU-extra-line/extra : version 1, not held: no input record has it",
				"inputs actual JKT: 42, 37",
			},
		},
		"SKU-available": {
			func(p *planter, sku string) {
				p.availability(sku, func(a *topics.Availability, _ *kgo.Record) { a.Available, a.Warehouses[0].Available = 32e6, 32e6 })
			},
			[]string{"availability available : 32, 31", "availability available JKT: 32, 31"},
		},
		"SKU-tombstone": {
			func(p *planter, sku string) { p.availability(sku, nil) },
			[]string{"availability record : a tombstone, revision N"},
		},
		"SKU-revision": {
			func(p *planter, sku string) {
				p.availability(sku, func(a *topics.Availability, r *kgo.Record) {
					a.Revision += 5
					r.Headers[0].Value = strconv.AppendInt(nil, a.Revision, 10)
				})
			},
			[]string{"availability revision : N, N"},
		},
		"SKU-header-revision": {
			func(p *planter, sku string) {
				p.availability(sku, func(_ *topics.Availability, r *kgo.Record) { r.Headers[0].Value = []byte("7") })
			},
			[]string{"availability header revision : 7, N"},
		},
		"SKU-times": {
			func(p *planter, sku string) {
				p.availability(sku, func(a *topics.Availability, _ *kgo.Record) { a.LastCountAt, a.OrdersFrom = 1, nil })
			},
			[]string{
				"availability orders_from : , web:N", "availability last_count_at : 1970-01-01T00:00:00Z, none",
			},
		},
		"SKU-unreadable": {
			func(p *planter, sku string) {
				p.availability(sku, func(a *topics.Availability, _ *kgo.Record) { a.SKU = "" })
			},
			[]string{`availability record : decode availability: sku: missing or empty, readable`},
		},
		"SKU-unreadable-chunk": {
			func(p *planter, sku string) {
				r := p.chunk(sku, 1)
				p.produce(topics.Changelog, r.Partition, r.Key, r.Value[:len(r.Value)-1])
			},
			[]string{`lines changelog record : sku "SKU-unreadable-chunk" chunk 1: corrupt value, readable`},
		},
		"SKU-gone": {
			func(p *planter, sku string) {
				r := p.chunk(sku, 1)
				p.produce(topics.Changelog, r.Partition, r.Key, nil)
			},
			[]string{
				"availability record : revision N, none: the changelog has no such SKU",
				"inputs SKU : not in the changelog, held",
			},
		},
		"SKU-elsewhere": {
			func(p *planter, sku string) {
				r := p.chunk(sku, 1)
				p.produce(topics.Changelog, (r.Partition+1)%4, r.Key, r.Value)
			},
			[]string{"task partition : N, N", "availability record : none, revision N"},
		},
		"SKU-lost": {
			func(p *planter, sku string) {
				p.pass(home(sku), p.produce(topics.Mutations, home(sku), []byte(sku), mutation(sku, "lost", 1)), duplicate)
			},
			[]string{"inputs line SKU-lost/lost : not held, version 1", "inputs actual JKT: 37, 42"},
		},
		"SKU-old-version": {
			func(p *planter, sku string) {
				p.pass(home(sku), p.produce(topics.Mutations, home(sku), []byte(sku), mutation(sku, "in", 2)), duplicate)
			},
			[]string{"inputs line SKU-old-version/in : version 1, version 2", "inputs actual JKT: 37, 2"},
		},
		"SKU-not-forwarded": {
			func(p *planter, sku string) {
				n := (home(sku) + 1) % 4
				p.pass(n, p.produce(topics.Mutations, n, []byte(sku), mutation(sku, "lost", 1)), func(c *state.Counters) { c.Forwarded++ })
			},
			[]string{"inputs line SKU-not-forwarded/lost : not held, version 1", "inputs actual JKT: 37, 42"},
		},
		"SKU-no-letter": {
			func(p *planter, sku string) {
				p.pass(home(sku), p.produce(topics.Mutations, home(sku), []byte(sku), []byte("{}")), func(c *state.Counters) { c.DeadLettered++ })
			},
			[]string{"dead-letters record : no dead letter, invalid"},
		},
		"SKU-conflict": {
			func(p *planter, sku string) {
				p.pass(home(sku), p.produce(topics.Mutations, home(sku), []byte(sku), mutation(sku, "in", 1)), func(c *state.Counters) { c.DeadLettered++ })
			},
			[]string{"dead-letters line SKU-conflict/in version 1 again, with other content : no dead letter, version_conflict"},
		},
		"SKU-false-letter": {
			func(p *planter, sku string) {
				for _, r := range p.all[topics.Mutations] {
					if string(r.Key) == sku && bytes.Contains(r.Value, []byte("/in")) {
						l := topics.DeadLetter(r, "", 0, &topics.Reject{Reason: topics.ReasonOverflow})
						p.produce(topics.DeadLetters, r.Partition, l.Key, l.Value, l.Headers...)
					}
				}
			},
			[]string{
				"dead-letters record : overflow, folded: there is no reason to refuse it",
				"inputs line SKU-false-letter/in : version 1, not held: no input record has it",
				"inputs actual JKT: 37, -3",
			},
		},
	}
	skus := []string{"SKU-as-it-should-be"}
	for sku := range cases {
		skus = append(skus, sku)
	}
	s := start(t, cfg, "processor")
	for _, sku := range skus {
		stockOf(t, c, cfg, sku)
	}
	settle(t, c, cfg)
	s.stop()
	s.wait().want(t, cli.ExitOK)
	run(t, cfg, "audit").want(t, cli.ExitOK, fmt.Sprintf("1:%d SKUs, %d ledger lines and %d order lines in 4 partitions, %d input records: 0 differences\n",
		len(skus), 2*len(skus), 2*len(skus), 4*len(skus)))

	p := newPlanter(t, c, cfg)
	for sku, tt := range cases {
		tt.plant(p, sku)
	}
	all := run(t, cfg, "audit", "--json", "--limit", "0")
	all.want(t, cli.ExitDifferent, "2:stocksync: audit: found different: ")
	report := decode[cli.AuditReport](t, all)
	found := map[string][]string{}
	total := 0
	for _, d := range report.Differences {
		found[d.SKU] = append(found[d.SKU], shown(d))
		total++
		if !regexp.MustCompile(`^` + regexp.QuoteMeta(cfg.TopicPrefix) + `[a-z-]+/[0-3]@[0-9]+$`).MatchString(d.Evidence) {
			t.Errorf("%s: evidence %q", d.SKU, d.Evidence)
		}
	}
	if report.Found != int64(total) {
		t.Errorf("%d differences found, %d shown", report.Found, total)
	}
	for sku, tt := range cases {
		t.Run(sku, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, found[sku]); diff != "" {
				t.Error(diff)
			}
			one := run(t, cfg, "audit", "--json", "--sku", sku)
			one.want(t, cli.ExitDifferent)
			var alone []string
			for _, d := range decode[cli.AuditReport](t, one).Differences {
				alone = append(alone, shown(d))
			}
			if diff := cmp.Diff(tt.want, alone); diff != "" {
				t.Errorf("with --sku: %s", diff)
			}
		})
		delete(found, sku)
	}
	if len(found) > 0 {
		t.Errorf("others differ too: %v", found)
	}
	run(t, cfg, "audit", "--sku", skus[0]).want(t, cli.ExitOK, "1:1 SKUs, 2 ledger lines and 2 order lines in 4 partitions, 4 input records: 0 differences\n")
	run(t, cfg, "audit", "--limit", "1").want(t, cli.ExitDifferent, "1:CHECK", "1:EVIDENCE\n", "1: more; --limit 0 shows all\n")
}

// shown writes a difference as the cases do, without its revisions and partitions.
func shown(d cli.AuditDifference) string {
	text := fmt.Sprintf("%s %s %s: %s, %s", d.Check, d.What, d.Warehouse, d.Got, d.Want)
	text = regexp.MustCompile(`[0-9]{13}`).ReplaceAllString(text, "N")
	if strings.HasPrefix(text, "task partition") {
		text = regexp.MustCompile(`[0-9]`).ReplaceAllString(text, "N")
	}
	return text
}

// Ensure a change of policy, counters that do not add up and a lost task record are named by partition.
func TestAudit_NamesWhatConcernsAPartition(t *testing.T) {
	c := testenv.StartKfake(t)
	cfg, s := stocked(t, c)
	s.stop()
	s.wait().want(t, cli.ExitOK)
	run(t, cfg, "audit").want(t, cli.ExitOK)

	other := cfg
	other.OnHoldReserves = true
	run(t, other, "audit").want(t, cli.ExitDifferent, "1:policy", "1:RETURNS_RESERVE=true ON_HOLD_RESERVES=false",
		"1:RETURNS_RESERVE=true ON_HOLD_RESERVES=true as configured here")

	p := newPlanter(t, c, cfg)
	n := topics.PartitionOf([]byte("A001"), cfg.Partitions)
	p.pass(n, 99, func(*state.Counters) {})
	r := run(t, cfg, "audit", "--json")
	r.want(t, cli.ExitDifferent, `1:"check": "task"`, `1:"what": "records consumed"`,
		fmt.Sprintf(`1:%smutations/%d ends at offset`, cfg.TopicPrefix, n))
	for _, record := range p.all[topics.Changelog] {
		if state.IsTaskKey(record.Key) && record.Partition == n {
			p.produce(topics.Changelog, n, record.Key, []byte{1})
		}
	}
	run(t, cfg, "audit").want(t, cli.ExitDifferent, "1:task", "1:corrupt value", "1:readable")

	// What a newer release wrote, this one can't judge.
	newer := p.chunk("A001", 1)
	p.produce(topics.Changelog, n, newer.Key, append([]byte{99}, newer.Value[1:]...))
	run(t, cfg, "audit").want(t, cli.ExitFailed, "2:run the newer release")
}

// Ensure what retention took is said to be unchecked, what is left is checked, and new SKUs are checked wholly.
func TestAudit_ReportsWhatRetentionTook(t *testing.T) {
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		cfg := withTopics(t, c)
		start(t, cfg, "processor")
		w := troubled(100)
		produceWorkload(t, c, cfg, w, 3000, 0)
		settle(t, c, cfg)
		trim(t, c, cfg, topics.Mutations, topics.Orders, topics.DeadLetters)
		stockOf(t, c, cfg, "NEW")
		produceWorkload(t, c, cfg, w, 1000, 0)
		settle(t, c, cfg)

		r := run(t, cfg, "audit", "--json")
		r.want(t, cli.ExitOK)
		got := decode[cli.AuditReport](t, r)
		var unchecked int64
		for _, gap := range got.Unchecked {
			if gap.What == "SKUs wholly against the inputs" && strings.Contains(gap.Why, "retention took what was before") {
				unchecked += gap.Count
			}
		}
		if got.SKUsFromInputs == 0 || unchecked == 0 || unchecked+got.SKUsFromInputs != got.SKUs {
			t.Errorf("got %s", r.stdout)
		}
		run(t, cfg, "audit", "--sku", "NEW").want(t, cli.ExitOK, "1:1 SKUs, 2 ledger lines")
		if one := decode[cli.AuditReport](t, run(t, cfg, "audit", "--sku", "NEW", "--json")); one.SKUsFromInputs != 1 {
			t.Errorf("got %+v", one)
		}
	})
}

// Ensure a line of a later day than all that retention took is known to be made up.
func TestAudit_KnowsWhatRetentionCannotHaveTaken(t *testing.T) {
	c := testenv.StartKfake(t)
	cfg := withTopics(t, c)
	s := start(t, cfg, "processor")
	for range 2 { // the second time all are duplicates, and stay
		stockOf(t, c, cfg, "A")
	}
	settle(t, c, cfg)
	s.stop()
	s.wait().want(t, cli.ExitOK)
	trim(t, c, cfg, topics.Mutations, topics.Orders)
	p := newPlanter(t, c, cfg)
	extra := &topics.Mutation{SKU: "A", LineID: "extra", Version: 1, Warehouse: "JKT", Qty: topics.One, EffectiveAt: 1}
	p.fold(extra, p.all[topics.Mutations][0].Timestamp)
	run(t, cfg, "audit").want(t, cli.ExitOK, "1:not checked: 1 SKUs wholly against the inputs: ", "1:retention took what was before")
	p.fold(extra, time.Now().Add(48*time.Hour))
	run(t, cfg, "audit").want(t, cli.ExitDifferent, "1:line extra", "1:not held: no input record has it")
}

// Ensure lines that the horizon has taken count by what they left behind, against the inputs too.
func TestAudit_CountsWhatWasCollapsed(t *testing.T) {
	c := testenv.StartKfake(t)
	cfg := withTopics(t, c)
	s := start(t, cfg, "processor")
	at := func(day int) topics.Time { return topics.TimeOf(time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC)) }
	line := func(m topics.Mutation) {
		m.SKU, m.Version, m.Warehouse = "C", 1, "JKT"
		produce(t, c, cfg, topics.Mutations, "C", string(m.AppendJSON(nil)))
	}
	order := func(o topics.Order) {
		o.SKU, o.Version, o.Warehouse, o.OrderID, o.Store = "C", 1, "JKT", "SO", "web"
		produce(t, c, cfg, topics.Orders, "C", string(o.AppendJSON(nil)))
	}
	line(topics.Mutation{LineID: "C/count", Kind: topics.KindCount, Qty: 10e6, EffectiveAt: at(1)})
	line(topics.Mutation{LineID: "C/in", Qty: 5e6, EffectiveAt: at(2)})
	line(topics.Mutation{LineID: "C/out1", Qty: -4e6, EffectiveAt: at(2), OrderLineID: "C/SO/1"})
	line(topics.Mutation{LineID: "C/out2", Qty: -3e6, EffectiveAt: at(3), OrderLineID: "C/SO/2"})
	line(topics.Mutation{LineID: "C/new", Qty: 2e6, EffectiveAt: at(4) + 1})
	line(topics.Mutation{LineID: "C/old", Qty: 100e6, EffectiveAt: at(1) - 1}) // held, and before the count in the base
	order(topics.Order{OrderLineID: "C/SO/1", Status: topics.OrderOpen, OrderedQty: 4e6, OrderedAt: at(1)})
	order(topics.Order{OrderLineID: "C/SO/2", Status: topics.OrderOpen, OrderedQty: 7e6, OrderedAt: at(4)})
	settle(t, c, cfg)
	s.stop()
	s.wait().want(t, cli.ExitOK)
	p := newPlanter(t, c, cfg)
	all := p.all[topics.Changelog]
	latest := p.all[topics.AvailabilityTopic][len(p.all[topics.AvailabilityTopic])-1]
	a, err := topics.DecodeAvailability(latest.Value)
	if err != nil || a.Actual != 10e6 || a.Reserved != 4e6 || a.Warehouses[0].ByStore[0].Taken != 11e6 {
		t.Fatalf("got %s, %v", latest.Value, err)
	}
	good := collapsed{
		a: a, base: 8e6, delivered: 3e6, frontier: at(4), count: at(1), order: "C/SO/2", store: "web", taken: 4e6,
	}
	for name, tt := range map[string]struct {
		change func(*collapsed)
		code   int
		want   []string
	}{
		"as it must be": {func(*collapsed) {}, cli.ExitOK, []string{"1:1 SKUs, 2 ledger lines and 1 order lines", "1:8 input records: 0 differences\n"}},
		"another base":  {func(c *collapsed) { c.base = 9e6 }, cli.ExitDifferent, []string{"1:lines  actual  C    JKT        10   11 "}},
		"less taken": {
			func(c *collapsed) { c.taken = 3e6 }, cli.ExitDifferent, []string{"1:lines  by_store web taken  C    JKT        11   10 "},
		},
		"less delivered": {func(c *collapsed) { c.delivered = 2e6 }, cli.ExitDifferent, []string{"1:lines  reserved               C    JKT        4    5 "}},
		"a line behind the frontier": {
			func(c *collapsed) { c.frontier = at(2) }, cli.ExitDifferent, []string{"1:inputs  line C/out2", "1:not held"},
		},
		"an open order line": {func(c *collapsed) { c.order = "" }, cli.ExitDifferent, []string{"1:inputs  order line C/SO/2", "1:not held"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, r := range all {
				if !state.IsTaskKey(r.Key) {
					p.produce(topics.Changelog, r.Partition, r.Key, nil)
				}
			}
			changed := good
			tt.change(&changed)
			p.produce(topics.Changelog, latest.Partition, p.chunk("C", 1).Key, changed.chunk())
			run(t, cfg, "audit").want(t, tt.code, tt.want...)
		})
	}
}

// Ensure an input that was made anew, and one that positions were set in, are compared as far as they tell.
func TestAudit_KnowsInputsThatDoNotTellAll(t *testing.T) {
	c := testenv.StartKfake(t)
	cfg := withTopics(t, c)
	s := start(t, cfg, "processor")
	stockOf(t, c, cfg, "A")
	settle(t, c, cfg)
	s.stop()
	s.wait().want(t, cli.ExitOK)
	n := fmt.Sprint(topics.PartitionOf([]byte("A"), cfg.Partitions))

	// Folding again changes nothing: each line that is held is still there.
	run(t, cfg, "positions", "set", "--partition", n, "mutations=start", "--yes").want(t, cli.ExitOK)
	s = start(t, cfg, "processor")
	settle(t, c, cfg)
	s.stop()
	s.wait().want(t, cli.ExitOK)
	if got := decode[cli.AuditReport](t, run(t, cfg, "audit", "--json")); got.Found != 0 || got.SKUsFromInputs != 1 {
		t.Errorf("got %+v", got)
	}

	// What was jumped over is missing.
	produce(t, c, cfg, topics.Mutations, "A", `{"line_id":"late","version":1,"sku":"A","warehouse":"JKT","qty":1,"effective_at":"2026-02-01T00:00:00Z"}`)
	run(t, cfg, "audit").want(t, cli.ExitOK, "1:not compared: 1 input records behind those, which were not folded yet\n")
	run(t, cfg, "positions", "set", "--partition", n, "mutations=end", "--yes").want(t, cli.ExitOK)
	run(t, cfg, "audit").want(t, cli.ExitDifferent, "1:line late", "1:not held")

	adm := kadm.NewClient(c.Client(t))
	if _, err := adm.DeleteTopic(t.Context(), cfg.TopicPrefix+topics.Mutations); err != nil {
		t.Fatal(err)
	}
	ensure(t, c, cfg)
	run(t, cfg, "audit").want(t, cli.ExitOK,
		"1:not checked: 1 SKUs wholly against the inputs: "+cfg.TopicPrefix+"mutations was deleted and made anew since they were folded\n")
}

// Ensure a producer's transaction that stays open holds up nothing, and is no excuse once it has ended.
func TestAudit_WaitsForNoProducer(t *testing.T) {
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		cfg, s := stocked(t, c)
		s.stop()
		s.wait().want(t, cli.ExitOK)
		cl := c.Client(t, kgo.TransactionalID(cfg.TopicPrefix+"upstream"))
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		produced := cl.ProduceSync(t.Context(), &kgo.Record{Topic: cfg.TopicPrefix + topics.Mutations, Key: []byte("A001"), Value: []byte("{")})
		if err := produced.FirstErr(); err != nil {
			t.Fatal(err)
		}
		run(t, cfg, "audit").want(t, cli.ExitOK, "1:2 SKUs, 3 ledger lines and 4 order lines in 4 partitions, 7 input records: 0 differences\n")

		// Whether a record was passed on to that partition cannot be seen either.
		p := newPlanter(t, c, cfg)
		n := (topics.PartitionOf([]byte("A001"), cfg.Partitions) + 1) % cfg.Partitions
		lost := p.produce(topics.Mutations, n, []byte("A001"),
			[]byte(`{"line_id":"lost","version":1,"sku":"A001","warehouse":"JKT","qty":1,"effective_at":"2026-02-01T00:00:00Z"}`))
		p.pass(n, lost, func(c *state.Counters) { c.Forwarded++ })
		run(t, cfg, "audit").want(t, cli.ExitOK, "1:not checked: 1 records on a wrong partition: a producer's open transaction")
		if err := cl.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
			t.Fatal(err)
		}
		run(t, cfg, "audit").want(t, cli.ExitDifferent, "1:line lost", "1:not held")
	})
}

func TestAudit_NeedsASKUThatIsKnownAndLeavesNothingBehind(t *testing.T) {
	c := testenv.StartKfake(t)
	cfg, _ := stocked(t, c)
	cfg.StateDir += "/new"
	run(t, cfg, "audit", "--sku", "a001").want(t, cli.ExitFailed, "2:a001: nothing is known of it")
	run(t, cfg, "audit", "--sku", "A001").want(t, cli.ExitOK, "1:1 SKUs, 2 ledger lines and 3 order lines")
	if _, err := os.Stat(cfg.StateDir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", cfg.StateDir, err)
	}
	cfg.StateDir = write(t, "a-file", "")
	run(t, cfg, "audit").want(t, cli.ExitFailed, "2:STATE_DIR names a directory to work in")
}

// trim deletes all but the last half of each partition of some topics, as retention would.
func trim(t *testing.T, c *testenv.Cluster, cfg cli.Config, bases ...string) {
	t.Helper()
	adm := kadm.NewClient(c.Client(t))
	for _, base := range bases {
		ends, err := adm.ListEndOffsets(t.Context(), cfg.TopicPrefix+base)
		if err != nil {
			t.Fatal(err)
		}
		half := kadm.Offsets{}
		ends.Each(func(o kadm.ListedOffset) { half.AddOffset(o.Topic, o.Partition, o.Offset/2, -1) })
		deleted, err := adm.DeleteRecords(t.Context(), half)
		if err == nil {
			err = deleted.Error()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
