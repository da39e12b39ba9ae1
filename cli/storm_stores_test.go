package cli_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"stocksync/testenv"
	"stocksync/testenv/twin"
	"stocksync/testenv/twin/lazada"
	"stocksync/testenv/twin/medusa"
	"stocksync/testenv/twin/shopee"
	"stocksync/testenv/twin/shopify"
	"stocksync/testenv/twin/tiktokshop"
	"stocksync/testenv/twin/vendure"
	"stocksync/testenv/twin/woocommerce"
	"stocksync/topics"
)

// stormStore is one store of a storm: a twin of its marketplace, or one of the sandbox's.
type stormStore struct {
	record  topics.Store
	secrets map[string]string
	shop    shop // nil: it is the sandbox's

	twin    *twin.Twin // nil: it is the sandbox's
	items   map[string]twin.ID
	rotates bool         // its refresh tokens are good for one refresh
	renewed atomic.Int64 // refreshes that there will be when it has renewed its token

	sandbox *sandboxes
	fault   *testenv.Injected // of the sandbox, the last; nil: none
}

// webhookRate is requests a second of a webhook store, and webhookFlight how many at a time.
const (
	webhookRate   = 5
	webhookFlight = 3
)

// sandboxes is the sandbox of all webhook stores, whose requests are timed.
type sandboxes struct {
	*testenv.Sandbox

	url string

	mu       sync.Mutex
	requests map[string][]time.Time // by store
}

func startSandboxes(t *testing.T) *sandboxes {
	t.Helper()
	s := &sandboxes{
		Sandbox:  testenv.NewSandbox(testenv.SandboxConfig{MaxWrites: 1000, Overlap: 20 * time.Second}),
		requests: map[string][]time.Time{},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		store := strings.TrimPrefix(r.URL.Path, "/stores/")
		s.mu.Lock()
		s.requests[store] = append(s.requests[store], time.Now())
		s.mu.Unlock()
		s.ServeHTTP(w, r)
	}))
	s.url = server.URL
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close sandbox: %v", err)
		}
		server.Close()
	})
	return s
}

// openStores opens the stores of the storm's size.
func (s *storm) openStores() {
	s.sandbox = startSandboxes(s.t)
	for _, kind := range slices.Sorted(maps.Keys(s.size.kinds)) {
		for n := range s.size.kinds[kind] {
			store := s.openStore(kind)
			store.record.Store = fmt.Sprintf("%s-%d", kind, n)
			store.record.Marketplace, store.record.CredentialsRef = kind, store.record.Store
			store.record.Mode, store.record.Warehouses = topics.ModeLive, []string{topics.AllWarehouses}
			if store.readsFirst() {
				store.record.OrderGrace = stormGrace
			} else {
				store.record.InFlight = topics.InFlightOff // they sell nothing
			}
			if store.twin == nil {
				store.record.Options = fmt.Appendf(nil, `{"url":%q,"batch":20,"rate":%d,"in_flight":%d}`,
					s.sandbox.url+"/stores/"+store.record.Store, webhookRate, webhookFlight)
			} else {
				store.list()
			}
			s.stores = append(s.stores, store)
		}
	}
}

// stormGrace is how long the stores that are read before they are written keep what looks like a sale: they sell
// nothing, but who takes over from a sink that was killed can't know what its last request brought them to.
const stormGrace = topics.Duration(10 * time.Second)

// readsFirst tells whether sales that nobody has reported are looked for before each write.
func (s *stormStore) readsFirst() bool {
	return s.record.Marketplace == "vendure" || s.record.Marketplace == "medusa"
}

// shop is what the twins of all dialects have.
type shop interface {
	Options() []byte
	Credentials() map[string]string
	Secrets() []string
	Revoke()
}

// openStore opens a store of a kind.
func (s *storm) openStore(kind string) *stormStore {
	take := func(t *twin.Twin, from shop, rotates bool, locations ...string) *stormStore {
		store := &stormStore{twin: t, shop: from, secrets: from.Credentials(), rotates: rotates}
		store.record.Options = from.Options()
		for _, l := range locations {
			store.record.Locations = append(store.record.Locations, topics.StoreLocation{
				LocationID: l, Warehouses: []string{topics.AllWarehouses},
			})
		}
		return store
	}
	within := func(most int) map[twin.Op]twin.Window {
		return map[twin.Op]twin.Window{twin.OpPush: {Most: most, Per: time.Second}}
	}
	switch kind {
	case "tiktokshop":
		t := tiktokshop.Start(s.t, tiktokshop.Config{Limits: within(50)})
		return take(t.Twin, t, true)
	case "shopee":
		t := shopee.Start(s.t, shopee.Config{Limits: within(16)})
		return take(t.Twin, t, true)
	case "lazada":
		t := lazada.Start(s.t, lazada.Config{Limits: within(50)})
		t.Stock(stormSKUs - len(t.Items()))
		return take(t.Twin, t, true)
	case "shopify":
		t := shopify.Start(s.t, shopify.Config{Auth: shopify.Granted})
		return take(t.Twin, t, true)
	case "woocommerce":
		t := woocommerce.Start(s.t, woocommerce.Config{})
		for i := range stormSKUs {
			t.Put(twin.Item{
				ID: twin.ID{Product: strconv.Itoa(700 + i)}, SKU: "SKU-" + strconv.Itoa(i), Status: "publish",
				Levels: map[string]twin.Level{"": {}},
			})
		}
		return take(t.Twin, t, false)
	case "vendure":
		t := vendure.Start(s.t, vendure.Config{SignIn: true})
		return take(t.Twin, t, false, vendure.Locations()[0])
	case "medusa":
		t := medusa.Start(s.t, medusa.Config{SignIn: true})
		return take(t.Twin, t, false, medusa.Locations()[0])
	}
	return &stormStore{secrets: map[string]string{"secret": testenv.DefaultSecret}, sandbox: s.sandbox}
}

// list notes under which ids the twin sells the storm's SKUs.
func (s *stormStore) list() {
	s.items = map[string]twin.ID{}
	for _, it := range s.twin.Items() {
		s.items[it.SKU] = it.ID
	}
}

// write puts the store's secrets where its record says.
func (s *stormStore) write(t *testing.T, dir string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, s.record.CredentialsRef), s.secretsText(t), 0o600); err != nil {
		t.Fatal(err)
	}
}

// secretsText is the store's secrets as whoever runs the sinks gives them.
func (s *stormStore) secretsText(t *testing.T) []byte {
	t.Helper()
	text, err := json.Marshal(s.secrets)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// shows returns what the store offers of a SKU; below 0 as long as nobody told it.
func (s *stormStore) shows(sku string) topics.Quantity {
	if s.twin == nil {
		qty, _, ok := s.sandbox.Quantity(s.record.Store, sku)
		if !ok {
			return -1
		}
		return qty
	}
	it, ok := s.twin.Item(s.items[sku])
	if !ok {
		return -1
	}
	var sum topics.Quantity
	for _, level := range it.Levels {
		sum += level.Qty
	}
	return sum
}
