package sinks

import (
	"context"
	"time"

	"stocksync/sinks/limit"
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
	// HTTP is the store's own: it waits for the store's rate limit and for its requests in flight, whichever
	// call of the adapter a request belongs to.
	HTTP *HTTP

	told func(Bucket)
}

// Told passes on what a shop that counts points says in any answer, also in those of a catalogue or a reading.
// It is safe for concurrent use.
func (a Account) Told(b Bucket) {
	if a.told != nil {
		a.told(b)
	}
}

// Session is one store as its adapter sees it. The reconciler of the store calls it from several
// goroutines, at most Traits.InFlight at a time, and never with the same pair in two of them.
// A session may also implement Refresher, Cataloguer, Finder or Reader.
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
// any status; a nil error means that the pass was complete. A SKU on several products may come in several
// calls: its targets add up. Of the listing, SKU and Targets count; the reconciler fills in the rest. An error
// of found ends the pass and is returned.
type Cataloguer interface {
	Catalogue(ctx context.Context, found func(topics.Listing) error) error
}

// Finder is a session that can look single SKUs up, which costs less than a pass over the catalogue. It calls
// found as Catalogue does, for those of the SKUs that the shop has. There are FindMost of them at most.
type Finder interface {
	Find(ctx context.Context, skus []string, found func(topics.Listing) error) error
}

// FindMost bounds the SKUs of one Find.
const FindMost = 50

// Reader is a session that can read back what the shop shows, by index of the updates, of which Target counts.
// There are as many as Traits.Batch at most, of any groups, and more than that where one pair has more targets.
type Reader interface {
	ReadBack(context.Context, []Update) ([]Reading, Outcome)
}

// Reading is what a shop shows of one target. A shop whose number is physical also says how much of it
// is allocated to orders and held back by a threshold. Where the update is spread over locations, Qty and
// Allocated are sums over them, and Locations tells each.
type Reading struct {
	Found                     bool
	Qty, Allocated, Threshold topics.Quantity
	Locations                 []LocationReading
}

// LocationReading is the part of a reading that one location of the shop holds.
type LocationReading struct {
	LocationID     string
	Qty, Allocated topics.Quantity
}

// Traits declares what the reconciler must respect.
type Traits struct {
	Batch    int    // most updates in one request, at least 1
	InFlight int    // most requests of one store at a time, at least 1
	Number   Number // what the shop takes the quantity for
	Rate     Rate   // of requests
	WholeSet bool   // a request must name every location of a target
	Cheap    bool   // reading a number costs next to nothing: read before an unchanged re-send
	// ReadFirst is what in_flight is where the store does not say: the shop subtracts its own orders, and is
	// read before each write for what it sold and nobody has told us of yet.
	ReadFirst bool
	// AutoDisable is what auto_disable_unmatched is where the store does not say.
	AutoDisable bool
}

// Number is what a shop takes the quantity for.
type Number uint8

// The meanings of a quantity.
const (
	NumberAvailable Number = iota // what buyers may order now; the shop subtracts its own orders
	NumberPhysical                // what lies there; the shop offers it less what is allocated
)

// Rate is the shape of a store's limit.
type Rate = limit.Rate

// Bucket is what a shop that counts points says of its limit.
type Bucket = limit.Bucket

// Update is one target to be brought to a quantity.
type Update struct {
	SKU      string
	Revision int64
	// Qty is the number to write, in whole units: for NumberPhysical what is allocated and held back is in it.
	Qty    topics.Quantity
	Target topics.Target // the listing's; zero for adapters without a catalogue
	// Locations says how Qty is spread, where the store or the target has locations: all of them that the
	// target has, those that get nothing too. Empty elsewhere.
	Locations []LocationQty
	// Read is what was read of the target just before, for a shop that compares before it sets; nil when it was
	// not read. A number that is another by then is ClassTransient: it is read and sent again.
	Read    *Reading
	Cause   topics.SyncCause
	Attempt int // 1 at first
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
	Until         time.Time // ClassPromoLock, ClassRaiseOnly, ClassBelowReserved: the end of the window, when known
	// Floor is, of ClassBelowReserved, the least that the shop takes; 0 when it does not say. It is sent instead.
	Floor topics.Quantity
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
	// Readings are what the answer shows after the write, by index of the updates; nil where it shows nothing.
	// When an Allocated is not the one that was reckoned with, the pair is read and sent again.
	Readings []Reading
	Bucket   Bucket // what a shop that counts points said; the zero Bucket when it said nothing
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
