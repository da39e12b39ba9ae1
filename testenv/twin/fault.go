package twin

import (
	"bytes"
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"sync"
)

// Kind names one way in which a shop fails.
type Kind string

// The kinds. "Applied" means that quantities are changed whatever the answer says. The names are those of
// testenv's Sandbox where it has the same.
const (
	FaultThrottle     Kind = "throttle"            // too many requests, in the dialect's words; not applied
	FaultUnavailable  Kind = "unavailable"         // Status, by default 503; not applied
	FaultReset        Kind = "reset"               // connection cut without an answer; not applied
	FaultRedirect     Kind = "redirect"            // 307 to a private address; not applied
	FaultRefuse       Kind = "refuse"              // Refusal, of every item or of the whole; not applied
	FaultPartial      Kind = "partial"             // items 0, 2, 4... get Refusal; the rest is applied
	FaultNotApplied   Kind = "not-applied"         // success is said; not applied
	FaultAppliedError Kind = "applied-error"       // applied, and then 500
	FaultHang         Kind = "timeout-after-apply" // applied, and never an answer
	FaultWrongSKU     Kind = "wrong-sku"           // applied; the answer names what nobody sent
	FaultGarbage      Kind = "garbage"             // applied; 200 and a page
	FaultHugeBody     Kind = "huge-body"           // applied; 200 and an answer of HugeBody bytes
	FaultEndlessBody  Kind = "endless-body"        // applied; 200 and an answer that never ends
)

// Kinds returns all of them.
func Kinds() []Kind {
	return []Kind{
		FaultThrottle, FaultUnavailable, FaultReset, FaultRedirect, FaultRefuse, FaultPartial, FaultNotApplied,
		FaultAppliedError, FaultHang, FaultWrongSKU, FaultGarbage, FaultHugeBody, FaultEndlessBody,
	}
}

// HugeBody is more than any client should read of one answer.
const HugeBody = 8 << 20

// Fault makes requests fail. Of the faults that fit a request the oldest is taken.
type Fault struct {
	Kind       Kind
	Op         Op      // of the requests that it hits; OpPush when empty
	Skip       int     // so many requests of that operation pass first
	Count      int     // how many it hits; 0 is one, negative is all
	RetryAfter string  // throttle: the header, as it stands; none when empty
	Status     int     // unavailable: default 503
	Refusal    Refusal // refuse, partial
}

// Refusal is how a marketplace says no, in its own words.
type Refusal struct {
	Code, Message string
	Whole         bool // said of the request, not of an item
}

// faults are those in force, oldest first.
type faults struct {
	mu  sync.Mutex
	all []*Fault
}

// Inject puts a fault in force.
func (t *Twin) Inject(f Fault) {
	f.Op = cmp.Or(f.Op, OpPush)
	f.Count = cmp.Or(f.Count, 1)
	f.Status = cmp.Or(f.Status, http.StatusServiceUnavailable)
	t.faults.mu.Lock()
	defer t.faults.mu.Unlock()
	t.faults.all = append(t.faults.all, &f)
}

// Heal removes all faults. Requests that hang go on hanging.
func (t *Twin) Heal() {
	t.faults.mu.Lock()
	defer t.faults.mu.Unlock()
	t.faults.all = nil
}

// pick returns the fault of a request, nil for none, and counts it.
func (fs *faults) pick(op Op) *Fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, f := range fs.all {
		if f.Op != op {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		if f.Count > 0 {
			if f.Count--; f.Count == 0 {
				fs.all = slices.DeleteFunc(fs.all, func(o *Fault) bool { return o == f })
			}
		}
		return f
	}
	return nil
}

// fail carries out the fault of a request.
func (t *Twin) fail(x *Exchange) {
	switch x.fault.Kind {
	case FaultThrottle:
		t.send(x, t.cfg.Dialect.Throttled(x))
		return
	case FaultUnavailable:
		t.send(x, page(x.fault.Status, "Service unavailable"))
		return
	case FaultRedirect:
		a := page(http.StatusTemporaryRedirect, "Moved")
		a.Header.Set("Location", t.URL()+redirected)
		t.send(x, a)
		return
	case FaultReset:
		t.cut(x)
		return
	default: // lie in what the dialect answers, or in what becomes of that
	}
	a := t.cfg.Dialect.Serve(x)
	switch x.fault.Kind {
	case FaultAppliedError:
		t.send(x, page(http.StatusInternalServerError, "Internal server error"))
	case FaultHang:
		t.hang()
		select {
		case <-x.Request.Context().Done():
		case <-t.stop:
		}
		t.cut(x) // or the server would say 200
	case FaultGarbage:
		t.send(x, page(http.StatusOK, "We'll be back soon!"))
	case FaultHugeBody:
		a.Header = http.Header{"Content-Length": {strconv.Itoa(HugeBody)}}
		a.Body = append(a.Body, bytes.Repeat([]byte(" "), HugeBody-len(a.Body))...)
		t.send(x, a)
	case FaultEndlessBody:
		t.endless(x)
	default:
		t.send(x, a)
	}
}

// page is what a proxy says in the place of a shop.
func page(status int, text string) Answer {
	return Answer{
		Status: status, Header: http.Header{"Content-Type": {"text/html"}},
		Body: []byte("<html><body>" + text + "</body></html>"),
	}
}

// cut ends the connection without an answer.
func (t *Twin) cut(x *Exchange) {
	conn, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		t.send(x, page(http.StatusBadGateway, "Bad gateway"))
		return
	}
	_ = conn.Close() // which is all that can be done with it
}

// endless answers with a body that never ends.
func (t *Twin) endless(x *Exchange) {
	x.w.Header().Set("Content-Type", "application/json")
	t.answered(x, http.StatusOK)
	filler := append([]byte(`{"data":`), bytes.Repeat([]byte(" "), 32<<10)...)
	for {
		if _, err := x.w.Write(filler); err != nil {
			return
		}
		select {
		case <-x.Request.Context().Done():
			return
		case <-t.stop:
			return
		default:
			filler = filler[len(filler)-32<<10:]
		}
	}
}
