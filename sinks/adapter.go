package sinks

import (
	"context"
	"time"

	"stocksync/topics"
)

// Adapter speaks the dialect of one marketplace. It keeps no state of its own between stores and is safe
// for concurrent use.
type Adapter interface {
	// Marketplace is the name by which store records ask for the adapter.
	Marketplace() string
	// Listed tells whether a pair exists by a listing (or a setting, or an order from the store); if not,
	// every SKU is a pair.
	Listed() bool
	// Open checks a store's options and returns its session. It makes no request. An error means that
	// the store record can't be used as it is (config_error); it must not hold a secret.
	Open(Account) (Session, error)
}

// Account is what an adapter gets to know of a store.
type Account struct {
	Store   string
	Options []byte // JSON object of the store record; may be nil
	// Credentials reads the secrets that the store's credentials_ref names, anew at each call, so that a
	// key that was rotated is used at once.
	Credentials func() (Credentials, error)
	HTTP        *HTTP
}

// Session is one store as its adapter sees it. The reconciler of the store calls it from several
// goroutines, at most Traits.InFlight at a time, and never with the same pair in two of them.
// A session may also implement Refresher, Cataloguer or Reader.
type Session interface {
	// Traits says what the reconciler must respect; it does not change.
	Traits() Traits
	// Group returns the key by which updates may share a request: equal keys may, different ones not.
	// The empty key shares with every empty key.
	Group(*Update) string
	// Push sends updates of one group, at most Traits.Batch of them, and classifies the answer. A
	// context that ends is a transient outcome.
	Push(context.Context, []Update) Reply
}

// Refresher is a session whose access token expires. Refresh gets a new one; the reconciler calls it
// once after ClassToken, while no request of the store is in flight. The outcome's class is ClassOK,
// ClassTransient, ClassThrottle, ClassShopUnauthorised or ClassConfig.
type Refresher interface {
	Refresh(context.Context) Outcome
}

// Cataloguer is a session that can list what the shop sells. It calls found for each SKU of the shop, of
// any status; a nil error means that the pass was complete.
type Cataloguer interface {
	Catalogue(ctx context.Context, found func(topics.Listing) error) error
}

// Reader is a session that can read back what the shop shows, by index of targets.
type Reader interface {
	ReadBack(context.Context, []Update) ([]Reading, Outcome)
}

// Reading is what a shop shows of one target. A shop whose number is physical also says how much of it
// is allocated to orders and held back by a threshold.
type Reading struct {
	Found                     bool
	Qty, Allocated, Threshold topics.Quantity
}

// Traits declares what the reconciler must respect.
type Traits struct {
	Batch    int    // most updates in one request, at least 1
	InFlight int    // most requests of one store at a time, at least 1
	Number   Number // what the shop takes the quantity for
	Rate     Rate   // of requests
	WholeSet bool   // a request must name every location of a target
	Cheap    bool   // reading a number costs next to nothing: read before an unchanged re-send
}

// Number is what a shop takes the quantity for.
type Number uint8

// The meanings of a quantity.
const (
	NumberAvailable Number = iota // what buyers may order now; the shop subtracts its own orders
	NumberPhysical                // what lies there; the shop offers it less what is allocated
)

// Rate is the number of requests that a store may be sent in a second, and how many at once. The zero
// Rate sets no limit beyond what the marketplace's answers ask for.
type Rate struct {
	PerSecond float64
	Burst     int
}

// Update is one target to be brought to a quantity.
type Update struct {
	SKU      string
	Revision int64
	Qty      topics.Quantity // whole units
	Target   topics.Target   // the listing's; zero for adapters without a catalogue
	// Locations says how Qty is spread, where the store has locations; empty elsewhere.
	Locations []LocationQty
	Cause     topics.SyncCause
	Attempt   int // 1 at first
}

// LocationQty is the part of a quantity that goes to one location of the shop.
type LocationQty struct {
	LocationID string
	Qty        topics.Quantity
}

// Outcome is what the marketplace answered about one update, or about a whole request.
type Outcome struct {
	Class         Class
	Code, Message string    // the marketplace's; never a secret
	Until         time.Time // ClassPromoLock, ClassRaiseOnly: the end of the window, when known
}

// Reply is the classified answer to one request.
type Reply struct {
	// Whole is the outcome of the request as such. Unless its class is ClassOK it is the outcome of
	// every update, and Items counts for nothing.
	Whole Outcome
	// Items are the outcomes by index of the updates; one that is missing is transient.
	Items []Outcome
	// RetryAfter is how long the marketplace asked to be left alone; 0 when it did not.
	RetryAfter time.Duration
	RequestID  string
}

// item returns the outcome of the update with that index.
func (r *Reply) item(i int) Outcome {
	switch {
	case r.Whole.Class != ClassOK:
		return r.Whole
	case i < len(r.Items) && r.Items[i].Class != 0:
		return r.Items[i]
	}
	return Outcome{Class: ClassTransient, Code: "no_result", Message: "the answer says nothing of this update"}
}
