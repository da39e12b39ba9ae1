package testenv

import (
	"fmt"
	"net/http"
	"time"

	"golang.org/x/time/rate"
)

// secret returns what a store's requests are signed with.
func (s *Sandbox) secret(store string) string {
	if secret, ok := s.cfg.Secrets[store]; ok {
		return secret
	}
	return s.cfg.Secret
}

// store returns a store's data, and makes it at first. The caller holds the mutex.
func (s *Sandbox) store(name string) *sandboxStore {
	st := s.stores[name]
	if st == nil {
		st = &sandboxStore{items: map[string]*sandboxItem{}}
		if s.cfg.Rate > 0 {
			st.limit = rate.NewLimiter(s.cfg.Rate, s.cfg.Burst)
		}
		s.stores[name] = st
	}
	return st
}

// item returns what a store has of a SKU, and makes it at first. The caller holds the mutex.
func (s *Sandbox) item(store, sku string) *sandboxItem {
	items := s.store(store).items
	if items[sku] == nil {
		items[sku] = &sandboxItem{}
	}
	return items[sku]
}

// allowed takes one request from a store's limit; if there is none left, wait is how long until there is.
func (s *Sandbox) allowed(store string) (wait time.Duration, ok bool) {
	s.mu.Lock()
	limit := s.store(store).limit
	s.mu.Unlock()
	if limit == nil {
		return 0, true
	}
	res := limit.Reserve()
	if wait = res.Delay(); wait > 0 {
		res.Cancel()
	}
	return wait, wait == 0
}

// watchRevisions notes revisions that are below one received before, whatever becomes of the request.
func (s *Sandbox) watchRevisions(q *sandboxRequest) {
	for _, u := range q.updates {
		s.mu.Lock()
		it := s.item(q.store, u.SKU)
		seen := it.seen
		it.seen = max(seen, u.Revision)
		s.mu.Unlock()
		if u.Revision < seen {
			text := fmt.Sprintf("%d after %d, request %s", u.Revision, seen, q.id)
			s.violate(ViolationRevision, q.store, u.SKU, text)
		}
	}
}

// apply takes a request's items, except those for which refuse, if there is one, names an outcome.
func (s *Sandbox) apply(q *sandboxRequest, refuse func(i int) string) []sandboxResult {
	results := make([]sandboxResult, len(q.updates))
	for i, u := range q.updates {
		outcome, why := "", ""
		if refuse != nil {
			outcome, why = refuse(i), "fault"
		}
		switch {
		case outcome != "":
		case !s.cfg.Sells(q.store, u.SKU):
			outcome, why = "not_found", "this store does not sell it"
		case u.Qty < 0:
			outcome, why = "quantity", "a quantity is never below 0"
		default:
			results[i] = s.take(q, u)
			continue
		}
		s.noteItem(q, u, outcome, why)
		results[i] = sandboxResult{SKU: u.SKU, Outcome: outcome, Message: why}
	}
	return results
}

// take applies one item.
func (s *Sandbox) take(q *sandboxRequest, u sandboxUpdate) sandboxResult {
	s.mu.Lock()
	it := s.item(q.store, u.SKU)
	if s.cfg.KeepNew && it.known && it.applied > u.Revision {
		kept := it.applied
		s.mu.Unlock()
		why := fmt.Sprintf("kept revision %d", kept)
		s.noteItem(q, u, "ok", why)
		return sandboxResult{SKU: u.SKU, Outcome: "ok", Message: why}
	}
	defer s.mu.Unlock()
	it.qty, it.applied, it.known = u.Qty, u.Revision, true
	s.stats.Writes++
	w := Write{
		Seq: s.stats.Writes, At: time.Now(), ID: q.id,
		Store: q.store, SKU: u.SKU, Qty: u.Qty, Revision: u.Revision,
	}
	if s.cfg.MaxWrites > 0 && len(s.writes) == s.cfg.MaxWrites {
		s.writes[s.head] = w
		s.head = (s.head + 1) % len(s.writes)
	} else {
		s.writes = append(s.writes, w)
	}
	return sandboxResult{SKU: u.SKU, Outcome: "ok"}
}

// count changes the counts.
func (s *Sandbox) count(f func(*SandboxStats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.stats)
}

// note records that a whole request changed nothing.
func (s *Sandbox) note(q *sandboxRequest, status int, why string) {
	s.count(func(st *SandboxStats) { st.Refused++ })
	s.record(Refusal{At: time.Now(), ID: q.id, Store: q.store, Status: status, Why: why})
}

// noteItem records that one item changed nothing, although the request was answered.
func (s *Sandbox) noteItem(q *sandboxRequest, u sandboxUpdate, outcome, why string) {
	s.record(Refusal{
		At: time.Now(), ID: q.id, Store: q.store, SKU: u.SKU, Qty: u.Qty, Revision: u.Revision,
		Status: http.StatusOK, Outcome: outcome, Why: why,
	})
}

func (s *Sandbox) record(r Refusal) {
	s.mu.Lock()
	s.stats.Refusals++
	if len(s.refusals) == refusalsKept {
		s.refusals = append(s.refusals[:0], s.refusals[refusalsKept/10:]...)
	}
	s.refusals = append(s.refusals, r)
	s.mu.Unlock()
	s.log.Info("sandbox refused", "store", r.Store, "sku", r.SKU, "id", r.ID,
		"status", r.Status, "outcome", r.Outcome, "why", r.Why)
}

// violate records that a client did what none may do.
func (s *Sandbox) violate(kind ViolationKind, store, sku, text string) {
	s.mu.Lock()
	s.stats.Violations++
	if len(s.violations) < refusalsKept {
		s.violations = append(s.violations, Violation{time.Now(), kind, store, sku, text})
	}
	s.mu.Unlock()
	s.log.Warn("sandbox violation", "rule", string(kind), "store", store, "sku", sku, "text", text)
}
