package testenv

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/state"
	"stocksync/topics"
)

//go:embed testdata/*.txt
var scenarioFiles embed.FS

// Scenario is one hand-worked example of the fold: inputs in the order of their arrival and what they
// come to. The head of testdata/fold.txt describes the format.
type Scenario struct {
	Name   string
	Policy state.Policy
	// Arrival says that the order of arrival decides the result; otherwise every permutation of the
	// inputs comes to the same numbers.
	Arrival bool
	Inputs  []ScenarioInput
	Stock   string // the expected numbers, as FormatStock writes them, SKUs in order
	Refused string // the inputs that are not applied: lines `input N verdict`
}

// ScenarioInput is one input; one of the two is set.
type ScenarioInput struct {
	Mutation *topics.Mutation
	Order    *topics.Order
}

// Event returns the input as a record to produce.
func (i ScenarioInput) Event() Event {
	if i.Order != nil {
		return Event{Topic: topics.Orders, Key: []byte(i.Order.SKU), Value: i.Order.AppendJSON(nil)}
	}
	return Event{Topic: topics.Mutations, Key: []byte(i.Mutation.SKU), Value: i.Mutation.AppendJSON(nil)}
}

// Records returns the inputs as committed records of topics with one partition.
func (s *Scenario) Records(prefix topics.Prefix) []*kgo.Record {
	var records []*kgo.Record
	next := map[string]int64{}
	for _, in := range s.Inputs {
		e := in.Event()
		records = append(records, &kgo.Record{
			Topic: prefix.Name(e.Topic), Key: e.Key, Value: e.Value, Offset: next[e.Topic],
		})
		next[e.Topic]++
	}
	return records
}

// Scenarios returns all scenarios, in the order of their files.
func Scenarios() ([]Scenario, error) {
	names, err := fs.Glob(scenarioFiles, "testdata/*.txt")
	if err != nil {
		return nil, fmt.Errorf("list scenarios: %w", err)
	}
	var all []Scenario
	for _, name := range names {
		text, err := fs.ReadFile(scenarioFiles, name)
		if err != nil {
			return nil, fmt.Errorf("read scenarios: %w", err)
		}
		some, err := ParseScenarios(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, some...)
	}
	return all, nil
}

// FormatStock writes a SKU's numbers as the results of scenarios do, with a line for the SKU, each
// warehouse, each store with a number in a warehouse, and the stores of orders_from.
func FormatStock(a *topics.Availability) string {
	var b strings.Builder
	numbers := func(who string, actual, reserved, net, available topics.Quantity) {
		fmt.Fprintf(&b, "%s actual %s reserved %s net %s available %s\n", who, actual, reserved, net, available)
	}
	numbers(a.SKU, a.Actual, a.Reserved, a.Net, a.Available)
	for _, w := range a.Warehouses {
		numbers(a.SKU+" "+w.Warehouse, w.Actual, w.Reserved, w.Net, w.Available)
		for _, s := range w.ByStore {
			if s.Reserved != 0 || s.Taken != 0 {
				fmt.Fprintf(&b, "%s %s %s reserved %s taken %s\n", a.SKU, w.Warehouse, s.Store, s.Reserved, s.Taken)
			}
		}
	}
	if len(a.OrdersFrom) > 0 {
		var stores []string
		for _, s := range a.OrdersFrom {
			stores = append(stores, s.Store)
		}
		slices.Sort(stores)
		fmt.Fprintf(&b, "%s orders_from %s\n", a.SKU, strings.Join(stores, " "))
	}
	return b.String()
}

// ParseScenarios reads scenarios; an error names the line.
func ParseScenarios(text string) ([]Scenario, error) {
	var all []Scenario
	result := false
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if words[0] == "==" {
			all = append(all, Scenario{
				Name: strings.Join(words[1:], " "), Policy: state.Policy{ReturnsReserve: true},
			})
			result = false
			continue
		}
		if len(all) == 0 {
			return nil, fmt.Errorf("line %d: no scenario has begun", i+1)
		}
		s := &all[len(all)-1]
		switch {
		case words[0] == "----":
			result = true
		case result && words[0] == "input":
			s.Refused += strings.Join(words, " ") + "\n"
		case result:
			s.Stock += strings.Join(words, " ") + "\n"
		default:
			if err := s.command(words); err != nil {
				return nil, fmt.Errorf("line %d: %w", i+1, err)
			}
		}
	}
	return all, nil
}

// command reads one line before the dashes.
func (s *Scenario) command(words []string) error {
	switch words[0] {
	case "policy":
		for _, w := range words[1:] {
			switch w {
			case "returns_release":
				s.Policy.ReturnsReserve = false
			case "on_hold_reserves":
				s.Policy.OnHoldReserves = true
			default:
				return fmt.Errorf("unknown policy %q", w)
			}
		}
		return nil
	case "arrival":
		s.Arrival = true
		return nil
	case "touch":
		if len(words) != 2 {
			return fmt.Errorf("touch takes a SKU")
		}
		m := &topics.Mutation{SKU: words[1], Kind: topics.KindTouch}
		s.Inputs = append(s.Inputs, ScenarioInput{Mutation: m})
		return nil
	case "delta", "count":
		m, err := parseLine(words)
		s.Inputs = append(s.Inputs, ScenarioInput{Mutation: m})
		return err
	case "order":
		o, err := parseOrderLine(words)
		s.Inputs = append(s.Inputs, ScenarioInput{Order: o})
		return err
	}
	return fmt.Errorf("unknown command %q", words[0])
}

// parseLine reads `delta|count SKU LINE VERSION WAREHOUSE QTY TIME [option ...]`.
func parseLine(words []string) (*topics.Mutation, error) {
	if len(words) < 7 {
		return nil, fmt.Errorf("%s takes SKU LINE VERSION WAREHOUSE QTY TIME", words[0])
	}
	m := &topics.Mutation{SKU: words[1], LineID: words[2], Warehouse: words[4]}
	if words[0] == "count" {
		m.Kind = topics.KindCount
	}
	var err error
	if m.Version, err = strconv.ParseInt(words[3], 10, 64); err != nil {
		return nil, fmt.Errorf("version: %w", err)
	}
	if m.Qty, err = topics.ParseQuantity(strings.TrimPrefix(words[5], "+")); err != nil {
		return nil, fmt.Errorf("quantity %q: %w", words[5], err)
	}
	if m.EffectiveAt, err = parseShortTime(words[6]); err != nil {
		return nil, err
	}
	for _, w := range words[7:] {
		name, value, _ := strings.Cut(w, "=")
		switch name {
		case "cancelled":
			m.Status = topics.StatusCancelled
		case "return":
			m.IsReturn = true
		case "for":
			m.OrderLineID = value
		case "seq":
			if m.Seq, err = strconv.ParseInt(value, 10, 64); err != nil {
				return nil, fmt.Errorf("seq: %w", err)
			}
		case "note":
			m.Note = value
		default:
			return nil, fmt.Errorf("unknown option %q", w)
		}
	}
	return m, nil
}

// parseOrderLine reads `order SKU LINE VERSION WAREHOUSE STATUS QTY [option ...]`.
func parseOrderLine(words []string) (*topics.Order, error) {
	if len(words) < 7 {
		return nil, fmt.Errorf("order takes SKU LINE VERSION WAREHOUSE STATUS QTY")
	}
	o := &topics.Order{SKU: words[1], OrderLineID: words[2], Warehouse: words[4], OrderID: "SO-" + words[2]}
	var err error
	if o.Version, err = strconv.ParseInt(words[3], 10, 64); err != nil {
		return nil, fmt.Errorf("version: %w", err)
	}
	statuses := map[string]topics.OrderStatus{
		"draft": topics.OrderDraft, "open": topics.OrderOpen, "on_hold": topics.OrderOnHold,
		"closed": topics.OrderClosed, "cancelled": topics.OrderCancelled, "removed": topics.OrderRemoved,
	}
	status, ok := statuses[words[5]]
	if !ok {
		return nil, fmt.Errorf("unknown status %q", words[5])
	}
	o.Status = status
	if o.OrderedQty, err = topics.ParseQuantity(words[6]); err != nil {
		return nil, fmt.Errorf("quantity %q: %w", words[6], err)
	}
	at := "01T00:00"
	for _, w := range words[7:] {
		name, value, _ := strings.Cut(w, "=")
		switch name {
		case "store":
			o.Store = value
		case "store_sku":
			o.StoreSKU = value
		case "at":
			at = value
		case "source":
			o.Source = value
		default:
			return nil, fmt.Errorf("unknown option %q", w)
		}
	}
	o.OrderedAt, err = parseShortTime(at)
	return o, err
}

// parseShortTime reads a day of January 2026 and a time, 02T09:30, or a whole RFC 3339 time.
func parseShortTime(s string) (topics.Time, error) {
	if len(s) == len("02T09:30") {
		s = "2026-01-" + s + ":00Z"
	}
	t, err := topics.ParseTime(s)
	if err != nil {
		return 0, fmt.Errorf("time %q: %w", s, err)
	}
	return t, nil
}
