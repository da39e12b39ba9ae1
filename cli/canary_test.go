package cli_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/testenv"
	"stocksync/testenv/twin"
	"stocksync/topics"
)

// Ensure no secret of a store of any marketplace, and no token that follows from one, gets out of the environment of the
// program into a log, a topic, a dead letter, a metric, a page or what a command prints: not when marketplaces repeat
// what they were sent, when tokens end, when consents are taken back, and when secrets can't be read.
func TestSinks_ShowNoSecretOfAnyMarketplace(t *testing.T) {
	t.Parallel()
	kinds := []string{"webhook", "tiktokshop", "shopee", "lazada", "shopify", "woocommerce", "vendure", "medusa"}
	s := newStorm(t, stormSize{kinds: map[string]int{}})
	for _, kind := range kinds {
		s.size.kinds[kind] = 1
	}
	s.openStores()
	s.writeStores()
	secrets := map[string]string{}
	for _, store := range s.stores {
		secrets[store.record.CredentialsRef] = string(store.secretsText(t))
	}
	p := s.start("run", "one", secrets)
	s.count(1)
	s.waitTold()
	for _, store := range s.stores {
		store.repeatSecrets()
	}
	s.count(2)
	s.waitStars()
	s.heal()
	s.count(3)
	s.waitTold()
	for _, store := range s.stores {
		store.revoke(s.sandbox)
	}
	s.count(4)
	s.waitStopped()
	s.wantNoSecretOn(p)
	s.wantNoSecretPrinted(secrets)
	p.terminate(t)
	s.wantNoSecretIn("the log", p.Log()+p.Stdout())
	s.breakSecrets()
	s.wantNoSecretInTopics()
}

// count counts the stock of every SKU; what else comes can't be read.
func (s *storm) count(round int) {
	s.t.Helper()
	for n := range stormSKUs {
		sku := "SKU-" + strconv.Itoa(n)
		qty := topics.Quantity(1000*round+n) * topics.One
		s.history[sku] = append(s.history[sku], told{qty: qty})
		produce(s.t, s.cluster, s.cfg, topics.Mutations, sku, fmt.Sprintf(
			`{"line_id":%q,"version":%d,"sku":%q,"warehouse":"W1","qty":%s,"status":"posted","effective_at":"2026-02-01T08:00:00+07:00"}`,
			sku, round, sku, qty))
	}
	produce(s.t, s.cluster, s.cfg, topics.Mutations, "SKU-0", `{"line_id":`)
	produce(s.t, s.cluster, s.cfg, topics.Orders, "SKU-0", `{"sku":"SKU-0"}`)
}

// wantNoSecretOn looks at the pages of a process.
func (s *storm) wantNoSecretOn(p *member) {
	s.t.Helper()
	for _, path := range []string{"/metrics", "/healthz", "/readyz", "/nowhere"} {
		_, body, err := p.Get(s.t.Context(), path)
		if err != nil {
			s.t.Error(err)
		}
		s.wantNoSecretIn(path, body)
	}
}

// wantNoSecretPrinted looks at what commands print that have the secrets in their environment.
func (s *storm) wantNoSecretPrinted(secrets map[string]string) {
	s.t.Helper()
	commands := [][]string{
		{"config"},
		{"stores", "list"},
		{"stores", "list", "--json"},
		{"status"},
		{"status", "--json"},
		{"audit"},
		{"summary"},
		{"explain", "SKU-0"},
		{"explain", "SKU-0", "--json"},
	}
	for _, store := range s.stores {
		commands = append(commands, []string{"explain", "SKU-1", store.record.Store},
			[]string{"stores", "preview", store.record.Store})
	}
	for _, args := range commands {
		cmd := exec.CommandContext(s.t.Context(), testenv.Binary(s.t), args...)
		for name, value := range s.environment("person", s.t.TempDir(), secrets) {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		out, err := cmd.CombinedOutput()
		if err != nil || len(out) == 0 {
			s.t.Errorf("%v: %v: %s", args, err, out)
		}
		s.wantNoSecretIn(fmt.Sprint(args), string(out))
	}
}

// wantNoSecretInTopics looks at every record of every topic that the program writes.
func (s *storm) wantNoSecretInTopics() {
	s.t.Helper()
	for _, base := range []string{
		topics.Stores, topics.Listings, topics.SyncStatusTopic, topics.SyncLogTopic, topics.AvailabilityTopic,
		topics.DeadLetters, topics.AuditTopic,
	} {
		list := records(s.t, s.cluster, s.cfg, base)
		if len(list) == 0 && base != topics.AuditTopic {
			s.t.Errorf("%s is empty", base)
		}
		for _, r := range list {
			s.wantNoSecretIn("a record of "+base, string(r.Key)+" "+string(r.Value)+headersOf(r))
		}
	}
}

func headersOf(r *kgo.Record) string {
	var b strings.Builder
	for _, h := range r.Headers {
		b.WriteString(" " + h.Key + "=" + string(h.Value))
	}
	return b.String()
}

// hidden returns what must not get out of a store: its secrets, and every token that it was given.
func (s *stormStore) hidden() []string {
	if s.twin == nil {
		return []string{strings.TrimPrefix(s.secrets["secret"], "whsec_")}
	}
	return s.shop.Secrets()
}

// repeatSecrets lets the store refuse its next requests in texts that hold its secrets, then answer what it never should,
// and ends its token.
func (s *stormStore) repeatSecrets() {
	if s.twin == nil {
		s.sandbox.Inject(testenv.SandboxFault{Kind: testenv.FaultRefuse, Store: s.record.Store, Outcome: s.secrets["secret"]})
		s.sandbox.Inject(testenv.SandboxFault{Kind: testenv.FaultGarbage, Store: s.record.Store})
		s.sandbox.Inject(testenv.SandboxFault{Kind: testenv.FaultWrongSKU, Store: s.record.Store})
		return
	}
	codes := map[string]string{"tiktokshop": "99999999", "lazada": "4147", "shopee": "error_server"}
	code, ok := codes[s.record.Marketplace]
	if !ok {
		code = "transient"
	}
	for i, secret := range s.hidden() {
		s.twin.Inject(twin.Fault{Kind: twin.FaultRefuse, Refusal: twin.Refusal{
			Code: code, Message: "try later, you sent " + secret + ".", Whole: i%2 == 0,
		}})
	}
	s.twin.Inject(twin.Fault{Kind: twin.FaultGarbage})
	s.twin.Inject(twin.Fault{Kind: twin.FaultWrongSKU})
	s.twin.Expire()
}

// revoke takes the store's consent back.
func (s *stormStore) revoke(sandbox *sandboxes) {
	if s.twin != nil {
		s.shop.Revoke()
		return
	}
	sandbox.Inject(testenv.SandboxFault{Kind: testenv.FaultUnauthorised, Store: s.record.Store, Count: -1})
}

// waitStars waits until the log of every store has a text of which a secret was taken out: else the test shows nothing.
func (s *storm) waitStars() {
	s.t.Helper()
	s.eventually(func(context.Context) error {
		starred := map[string]bool{}
		for _, r := range records(s.t, s.cluster, s.cfg, topics.SyncLogTopic) {
			l, err := topics.DecodeSyncLog(r.Value)
			if err != nil {
				return err
			}
			starred[l.Store] = starred[l.Store] || strings.Contains(l.Message+l.Code, "***")
		}
		for _, store := range s.stores {
			if !starred[store.record.Store] {
				return fmt.Errorf("%s repeated no secret", store.record.Store)
			}
		}
		return nil
	})
}

// waitStopped waits until every store says that it refuses us.
func (s *storm) waitStopped() {
	s.t.Helper()
	s.eventually(func(context.Context) error {
		stopped := map[string]topics.SyncReason{}
		for _, r := range records(s.t, s.cluster, s.cfg, topics.SyncStatusTopic) {
			status, err := topics.DecodeSyncStatus(r.Value)
			if err != nil {
				return err
			}
			if status.SKU == "SKU-0" {
				stopped[status.Store] = status.Reason
			}
		}
		for _, store := range s.stores {
			switch reason := stopped[store.record.Store]; reason {
			case topics.SyncShopUnauthorised, topics.SyncAuthExpired, topics.SyncConfigError:
			default:
				return fmt.Errorf("%s says %s, want that it is stopped", store.record.Store, reason)
			}
		}
		return nil
	})
}

// breakSecrets starts the sinks with secrets that can't be read, and waits until they say so.
func (s *storm) breakSecrets() {
	s.t.Helper()
	broken := map[string]string{}
	for _, store := range s.stores {
		broken[store.record.CredentialsRef] = fmt.Sprintf(`{"secret":%q,"number":1,`, store.hidden()[0])
	}
	p := s.start("sinks", "two", broken)
	until(s.t, func(context.Context) error {
		lines := strings.Split(p.Log(), "\n")
		for _, store := range s.stores {
			if !slices.ContainsFunc(lines, func(line string) bool {
				return strings.Contains(line, "store cannot be opened") && strings.Contains(line, "store="+store.record.Store)
			}) {
				return fmt.Errorf("%s was opened with broken secrets", store.record.Store)
			}
		}
		return nil
	})
	s.wantNoSecretOn(p)
	p.terminate(s.t)
	s.wantNoSecretIn("the log", p.Log()+p.Stdout())
}

// wantNoSecretIn looks for every secret of every store in a text, as it is and as it may be written.
func (s *storm) wantNoSecretIn(what, text string) {
	s.t.Helper()
	for _, store := range s.stores {
		for _, secret := range store.hidden() {
			for _, form := range []string{
				secret, url.QueryEscape(secret), hex.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte(secret)),
			} {
				if at := strings.Index(text, form); at >= 0 {
					s.t.Errorf("%s shows a secret of %s: %.300s", what, store.record.Store, text[max(0, at-200):])
				}
			}
		}
	}
}
