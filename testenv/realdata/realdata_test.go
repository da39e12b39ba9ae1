// Package realdata_test loads order lines that nobody here wrote with `stocksync load`, lets `stocksync processor`
// fold them, and holds `stocksync summary` against a fold of the data set by SQL. See dataset.py.
package realdata_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"stocksync/testenv"
)

const (
	// begun is how many records a load has produced when it is interrupted.
	begun = 200_000
	// patience is for the whole data set on two busy cores; alone it takes a tenth of that.
	patience = 20 * time.Minute
)

// The flags that make records of the data set's columns.
var (
	asOrders = []string{
		"--topic", "orders", "--map", "sku=product_id", "--map", "warehouse=store_id", "--map", "order_id=basket_id",
		"--map", "ordered_qty=quantity", "--map", "ordered_at=transaction_timestamp",
		"--set", "order_line_id={basket_id}/{product_id}", "--set", "version=1", "--set", "status=open",
	}
	asShipments = []string{
		"--topic", "mutations", "--map", "sku=product_id", "--map", "warehouse=store_id", "--map", "voucher_no=basket_id",
		"--set", "qty=-{quantity}", "--map", "effective_at=transaction_timestamp", "--set", "order_line_id={basket_id}/{product_id}",
		"--set", "line_id={basket_id}/{product_id}/out", "--set", "version=1", "--set", "reason=sales_invoice",
	}
	asFirstPieces = []string{
		"--topic", "mutations", "--map", "sku=product_id", "--map", "warehouse=store_id", "--map", "voucher_no=basket_id",
		"--set", "qty=-1", "--map", "effective_at=transaction_timestamp", "--set", "order_line_id={basket_id}/{product_id}",
		"--set", "line_id={basket_id}/{product_id}/first", "--set", "version=1", "--set", "reason=sales_invoice",
	}
	asCounts = []string{
		"--topic", "mutations", "--map", "sku=product_id", "--map", "warehouse=store_id", "--map", "qty=quantity",
		"--map", "effective_at=counted_at", "--set", "line_id=opname/{store_id}/{counted_at}", "--set", "version=1",
		"--set", "kind=count", "--set", "reason=opname",
	}
)

// TestRealData_SummaryEqualsARefoldBySQL takes minutes and a download, so it runs on request only: `make test-data`.
// The first load of the orders is interrupted and done again, beside that of the shipments.
func TestRealData_SummaryEqualsARefoldBySQL(t *testing.T) {
	if os.Getenv("STOCKSYNC_DATA") != "1" {
		t.Skip("it downloads a data set and takes minutes: `make test-data` runs it")
	}
	dir := t.TempDir()
	out, err := dataset(t, "export", dir)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	rows := map[string]int64{} // by file
	if err := json.Unmarshal([]byte(out), &rows); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if rows["transactions"] < 1_000_000 {
		t.Fatalf("the data set has shrunk: %v", rows)
	}
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		s := &installation{cluster: c, dir: dir, rows: rows, env: map[string]string{
			"KAFKA_BROKERS": strings.Join(c.Brokers, ","), "TOPIC_PREFIX": string(c.Prefix(t)), "PARTITIONS": "8",
			"SINK_PARTITIONS": "1", "INSTANCE_ID": "realdata", "STATE_DIR": t.TempDir(),
		}}
		s.done(t, s.start(t, "topics", "ensure"))
		processor := s.start(t, "processor")
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := processor.WaitReady(ctx); err != nil {
			t.Fatal(err)
		}

		s.loaded(t, "counts", s.load(t, "counts", asCounts))
		once := s.interrupted(ctx, t, s.load(t, "transactions", asOrders))
		orders, shipments := s.load(t, "transactions", asOrders), s.load(t, "shipped", asShipments)
		s.loaded(t, "transactions", orders)
		s.loaded(t, "shipped", shipments)
		s.loaded(t, "partly", s.load(t, "partly", asFirstPieces))

		all := rows["transactions"] + rows["shipped"] + rows["partly"] + rows["counts"]
		begin := time.Now()
		s.folded(ctx, t, counters{Consumed: all + once, Applied: all, Duplicate: once})
		t.Logf("the processor was done %s after the last load", time.Since(begin).Round(time.Millisecond))
		s.compare(t)
		s.audited(t)
	})
}

// installation is stocksync on one cluster.
type installation struct {
	cluster *testenv.Cluster
	env     map[string]string
	dir     string           // of the data set's files
	rows    map[string]int64 // that each has
}

func (s *installation) start(t *testing.T, args ...string) *testenv.Process {
	t.Helper()
	return testenv.StartProcess(t, testenv.ProcessConfig{Args: args, Env: s.env})
}

// done waits for a process that has to end well, and returns what it printed.
func (s *installation) done(t *testing.T, p *testenv.Process) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if code, err := p.Wait(ctx); err != nil || code != 0 {
		t.Fatalf("it ended with code %d (%v):\n%s", code, err, p.Log())
	}
	return p.Stdout()
}

// load starts to load a file of the data set.
func (s *installation) load(t *testing.T, name string, flags []string) *testenv.Process {
	t.Helper()
	args := append([]string{"load", "--json"}, flags...)
	return s.start(t, append(args, filepath.Join(s.dir, name+".csv.gz"))...)
}

// report is what a load prints.
type report struct {
	Rows          int64   `json:"rows"`
	Produced      int64   `json:"produced"`
	Rejected      int64   `json:"rejected"`
	Seconds       float64 `json:"seconds"`
	RowsPerSecond float64 `json:"rows_per_second"`
}

// loaded waits for a load of the whole file.
func (s *installation) loaded(t *testing.T, name string, p *testenv.Process) {
	t.Helper()
	r := decode[report](t, s.done(t, p))
	if want := s.rows[name]; r.Rows != want || r.Produced != want || r.Rejected != 0 {
		t.Fatalf("%s: got %+v, want %d rows, all produced", name, r, want)
	}
	t.Logf("%s: %d rows in %.1f s, %.0f rows/s", name, r.Rows, r.Seconds, r.RowsPerSecond)
}

// interrupted asks a load to stop once it is well begun, and returns how many records it has produced.
func (s *installation) interrupted(ctx context.Context, t *testing.T, p *testenv.Process) int64 {
	t.Helper()
	admin := kadm.NewClient(s.cluster.Client(t))
	err := testenv.Until(ctx, 20*time.Millisecond, func(ctx context.Context) error {
		ends, err := admin.ListEndOffsets(ctx, s.env["TOPIC_PREFIX"]+"orders")
		if err != nil {
			return err
		}
		produced := int64(0)
		ends.Each(func(o kadm.ListedOffset) { produced += o.Offset })
		if produced < begun {
			return fmt.Errorf("%d records of %d are there", produced, begun)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if code, err := p.Terminate(ctx); err != nil || code != 1 {
		t.Fatalf("the interrupted load ended with code %d (%v), want 1:\n%s", code, err, p.Log())
	}
	if !strings.Contains(p.Log(), "loading again is safe") {
		t.Errorf("the interrupted load says %q", p.Log())
	}
	r := decode[report](t, p.Stdout())
	if r.Produced < begun || r.Produced >= s.rows["transactions"] {
		t.Fatalf("got %+v of an interrupted load", r)
	}
	t.Logf("interrupted after %d records", r.Produced)
	return r.Produced
}

// counters is what a processor did with the records it consumed.
type counters struct {
	Consumed     int64 `json:"consumed"`
	Applied      int64 `json:"applied"`
	Duplicate    int64 `json:"duplicate"`
	DeadLettered int64 `json:"dead_lettered"`
	Forwarded    int64 `json:"forwarded"`
}

// folded waits until the processor has consumed as many records as were produced, and compares what it did with
// them.
func (s *installation) folded(ctx context.Context, t *testing.T, want counters) {
	t.Helper()
	err := testenv.Until(ctx, time.Second, func(context.Context) error {
		var got counters
		for _, task := range decode[[]struct {
			Counters counters `json:"counters"`
		}](t, s.done(t, s.start(t, "positions", "show", "--json"))) {
			got.Consumed += task.Counters.Consumed
			got.Applied += task.Counters.Applied
			got.Duplicate += task.Counters.Duplicate
			got.DeadLettered += task.Counters.DeadLettered
			got.Forwarded += task.Counters.Forwarded
		}
		if got.Consumed < want.Consumed {
			return fmt.Errorf("%d records of %d are consumed", got.Consumed, want.Consumed)
		}
		if got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// compare holds the Item Summary against the fold by SQL; and then once more, with one number changed, to show that
// a difference is found.
func (s *installation) compare(t *testing.T) {
	t.Helper()
	begin := time.Now()
	summary := s.done(t, s.start(t, "summary", "--csv"))
	t.Logf("summary: %d bytes in %s", len(summary), time.Since(begin).Round(time.Millisecond))
	out, err := s.check(t, summary)
	if err != nil {
		t.Errorf("the summary differs from the fold by SQL: %v\n%s", err, out)
	}
	t.Log(strings.TrimSpace(out))

	lines := strings.SplitAfter(summary, "\n")
	cells := strings.Split(lines[len(lines)/2], ",") // sku, name, warehouse, actual...
	cells[3] += "1"
	lines[len(lines)/2] = strings.Join(cells, ",")
	out, err = s.check(t, strings.Join(lines, ""))
	want := fmt.Sprintf("sku %s warehouse %s: actual: got %s.000000, want ", cells[0], cells[2], cells[3])
	if err == nil || !strings.Contains(out, want) || !strings.Contains(out, " 1 numbers differ") {
		t.Errorf("a changed number is not found (%v): %q lacks %q", err, out, want)
	}
}

func (s *installation) check(t *testing.T, summary string) (string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "summary.csv")
	if err := os.WriteFile(file, []byte(summary), 0o600); err != nil {
		t.Fatal(err)
	}
	return dataset(t, "check", file)
}

// audited lets stocksync check itself: every number against the lines and the inputs.
func (s *installation) audited(t *testing.T) {
	t.Helper()
	begin := time.Now()
	got := decode[struct {
		Inputs      int64 `json:"inputs"`
		OrderLines  int64 `json:"order_lines"`
		Differences int64 `json:"differences_total"`
	}](t, s.done(t, s.start(t, "audit", "--json")))
	if got.Differences != 0 || got.OrderLines != s.rows["transactions"] || got.Inputs < got.OrderLines {
		t.Errorf("the audit says %+v, want %d order lines and no difference", got, s.rows["transactions"])
	}
	t.Logf("audit: %d input records in %s", got.Inputs, time.Since(begin).Round(time.Millisecond))
}

// decode reads the JSON that a command printed.
func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(errors.Join(err, errors.New(text)))
	}
	return v
}
