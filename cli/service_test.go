package cli_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"stocksync/cli"
	"stocksync/testenv"
	"stocksync/topics"
)

// patience is how long a test waits for what normally takes a fraction of a second.
const patience = 60 * time.Second

// service is a command that runs until it is told to stop.
type service struct {
	url    string
	stderr *buffer
	stop   context.CancelFunc
	wait   func() result
}

// buffer is a stream that one goroutine writes and another looks at.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// start runs a service command and returns when its HTTP server listens.
func start(t *testing.T, cfg cli.Config, args ...string) *service {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var stdout, stderr buffer
	done := make(chan int, 1)
	go func() {
		done <- cli.Main(ctx, cli.Program{
			Args: args, Stdout: &stdout, Stderr: &stderr,
			Config: func() (cli.Config, error) { return cfg, nil },
		})
	}()
	s := &service{stop: cancel, stderr: &stderr}
	s.wait = sync.OnceValue(func() result { return result{<-done, stdout.String(), stderr.String()} })
	t.Cleanup(func() {
		cancel()
		s.wait()
	})
	address := regexp.MustCompile(`"url":"(http://[^"]+)"`)
	until(t, func(context.Context) error {
		found := address.FindStringSubmatch(stderr.String())
		if found == nil {
			return errors.New("no address in the log: " + stderr.String())
		}
		s.url = found[1]
		return nil
	})
	return s
}

func until(t *testing.T, cond func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := testenv.Until(ctx, 20*time.Millisecond, cond); err != nil {
		t.Fatal(err)
	}
}

// get asks the service for a path.
func (s *service) get(t *testing.T, path string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// ready waits until /readyz says yes.
func (s *service) ready(t *testing.T) {
	t.Helper()
	until(t, func(context.Context) error {
		if code, body := s.get(t, "/readyz"); code != http.StatusOK {
			return errors.New(body)
		}
		return nil
	})
}

const stockOrders = `order_line_id,version,sku,warehouse,status,ordered_qty,ordered_at,order_id,store
SO-1/1,1,A001,JKT,open,7,2026-01-30,SO-1,tokopedia-main
SO-2/1,1,A001,JKT,open,2,2026-01-29,SO-2,shopee-id
SO-3/1,1,A001,JKT,cancelled,5,2026-01-28,SO-3,shopee-id
SO-4/1,1,A002,JKT,open,9,2026-01-28,SO-4,
`

// stocked starts a processor and gives it a small stock.
func stocked(t *testing.T, c *testenv.Cluster) (cli.Config, *service) {
	t.Helper()
	cfg := withTopics(t, c)
	s := start(t, cfg, "processor")
	run(t, cfg, "load", "--topic", "mutations", write(t, "ledger.csv", ledger)).want(t, cli.ExitOK)
	run(t, cfg, "load", "--topic", "orders", write(t, "orders.csv", stockOrders)).want(t, cli.ExitOK)
	produce(t, c, cfg, topics.Items, "A001", `{"sku":"A001","name":"Kaos Merah"}`)
	produce(t, c, cfg, topics.Items, "A002", `{"sku":"A002","name":"Kaos Biru"}`)
	settle(t, c, cfg)
	return cfg, s
}

func settle(t *testing.T, c *testenv.Cluster, cfg cli.Config) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := testenv.WaitQuiet(ctx, c, topics.Prefix(cfg.TopicPrefix)); err != nil {
		t.Fatal(err)
	}
}

func TestProcessor_ServesHealthAndStopsInOrder(t *testing.T) {
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		cfg := withTopics(t, c)
		s := start(t, cfg, "processor")
		s.ready(t)
		if code, body := s.get(t, "/healthz"); code != http.StatusOK || body != "ok\n" {
			t.Errorf("/healthz answers %d %q", code, body)
		}
		if code, body := s.get(t, "/readyz"); code != http.StatusOK || body != "processor: ready\n" {
			t.Errorf("/readyz answers %d %q", code, body)
		}
		if _, body := s.get(t, "/metrics"); !strings.Contains(body, "\nstocksync_processor_") || !strings.Contains(body, "\ngo_goroutines ") {
			t.Errorf("/metrics lacks the processor or the runtime:\n%s", body)
		}
		if code, _ := s.get(t, "/nothing"); code != http.StatusNotFound {
			t.Errorf("/nothing answers %d", code)
		}
		here := cfg
		here.HTTPAddr = strings.TrimPrefix(s.url, "http://")
		run(t, here, "healthcheck").want(t, cli.ExitOK, "1:ok")
		run(t, here, "healthcheck", "--ready").want(t, cli.ExitOK, "1:processor: ready")

		twin := run(t, cfg, "processor")
		twin.want(t, cli.ExitFailed, "2:stocksync: processor: ", "2:in use")

		s.stop()
		began := time.Now()
		s.wait().want(t, cli.ExitOK, `2:"msg":"stopped"`)
		if took := time.Since(began); took > 15*time.Second {
			t.Errorf("stopping took %s", took)
		}
		run(t, here, "healthcheck").want(t, cli.ExitFailed, "2:ask the service")
	})
}

func TestProcessor_IsNotReadyWhenItCannotWork(t *testing.T) {
	c := testenv.StartKfake(t)
	r := run(t, on(t, c), "processor")
	r.want(t, cli.ExitFailed, "2:stocksync: processor: ", "2:mutations", "2:topics ensure")
}

func TestServe_RefusesAnAddressInUse(t *testing.T) {
	c := testenv.StartKfake(t)
	s := start(t, withTopics(t, c), "processor")
	other := withTopics(t, c)
	other.HTTPAddr = strings.TrimPrefix(s.url, "http://")
	run(t, other, "processor").want(t, cli.ExitFailed, "2:HTTP_ADDR", "2:address already in use")
}

func TestProcessor_SaysHowMuchMemoryItHolds(t *testing.T) {
	cfg := config(t)
	const limit = 300 << 20
	memory := func(cache int64) int64 {
		cfg.CacheBytes = cache
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var stderr bytes.Buffer
		var asked int64
		code := cli.Main(ctx, cli.Program{
			Args: []string{"processor"}, Stdout: io.Discard, Stderr: &stderr,
			Config: func() (cli.Config, error) { return cfg, nil },
			Tune: func(memory int64) int64 {
				asked = memory
				cancel()
				return limit
			},
		})
		r := result{code: code, stderr: stderr.String()}
		r.want(t, cli.ExitOK, `2:"level":"WARN","msg":"memory"`, fmt.Sprintf(`2:"at_most_mib":%d,"limit_mib":300`, asked>>20))
		return asked
	}
	const more = 100 << 20
	if small, large := memory(1<<20), memory(1<<20+more); large-small != more || small < limit {
		t.Errorf("got %d and, with %d more of cache, %d", small, more, large)
	}
}
