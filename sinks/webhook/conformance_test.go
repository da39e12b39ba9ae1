package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"stocksync/sinks"
	"stocksync/sinks/conformance"
	"stocksync/sinks/webhook"
	"stocksync/testenv"
	"stocksync/testenv/twin"
	"stocksync/topics"
)

func TestConformance(t *testing.T) {
	s := conformance.Subject{
		Adapter: webhook.Adapter{},
		Start:   startShop,
		Cannot: map[twin.Kind]string{
			twin.FaultHugeBody: "the sandbox has the endless one, which meets the same cap",
		},
	}
	for _, c := range sinks.Classes() {
		if c != sinks.ClassOK {
			s.Answers = append(s.Answers, conformance.Answer{Class: c, Code: c.String()})
		}
	}
	conformance.Run(t, s)
}

// sandbox is testenv's sandbox as the suite sees a shop.
type sandbox struct {
	*testenv.Sandbox

	t *testing.T
}

func startShop(t *testing.T) conformance.Shop {
	return &sandbox{t: t, Sandbox: testenv.StartSandbox(t, testenv.SandboxConfig{
		Sells: func(_, sku string) bool { return sku != "GONE" },
	})}
}

func (s *sandbox) Options() []byte { return fmt.Appendf(nil, `{"url":%q}`, s.URL("shop-1")) }

func (s *sandbox) Credentials() map[string]string {
	return map[string]string{"secret": testenv.DefaultSecret}
}

func (s *sandbox) Secrets() []string { return []string{testenv.DefaultSecret} }

func (s *sandbox) Updates(n int) []sinks.Update {
	list := make([]sinks.Update, n)
	for i := range list {
		list[i] = sinks.Update{
			SKU: fmt.Sprintf("A%d", i), Qty: topics.Quantity(i+1) * topics.One, Revision: 1790388903011 + int64(i),
		}
	}
	return list
}

func (s *sandbox) Others() []sinks.Update { return nil }

func (s *sandbox) Unknown() sinks.Update {
	return sinks.Update{SKU: "GONE", Qty: topics.One, Revision: 1}
}

func (s *sandbox) Shown(u *sinks.Update) (topics.Quantity, bool) {
	qty, _, ok := s.Quantity("shop-1", u.SKU)
	return qty, ok
}

func (s *sandbox) Changed() <-chan struct{} {
	changed, before := make(chan struct{}), len(s.Writes())
	go func() {
		err := testenv.Until(s.t.Context(), time.Millisecond, func(context.Context) error {
			if len(s.Writes()) == before {
				return errors.New("no new write")
			}
			return nil
		})
		if err == nil {
			close(changed)
		}
	}()
	return changed
}

func (s *sandbox) Calls() []twin.Call {
	list := make([]twin.Call, s.Stats().Requests)
	for i := range list {
		list[i] = twin.Call{Seq: i + 1, Op: twin.OpPush}
	}
	return list
}

func (s *sandbox) Breaches() []string {
	var list []string
	for _, v := range s.Violations() {
		list = append(list, string(v.Kind)+": "+v.Text)
	}
	return list
}

func (s *sandbox) Inject(f twin.Fault) {
	kind, err := testenv.ParseFault(string(f.Kind))
	if err != nil {
		s.t.Error(err)
	}
	retry := f.RetryAfter
	if retry == "" {
		retry = "-"
	}
	s.Sandbox.Inject(testenv.SandboxFault{Kind: kind, Count: f.Count, RetryAfter: retry, Outcome: f.Refusal.Code})
}

func (s *sandbox) ExpireAfter(int) {}

func (s *sandbox) Revoke() {
	s.Sandbox.Inject(testenv.SandboxFault{Kind: testenv.FaultUnauthorised, Count: -1})
}
