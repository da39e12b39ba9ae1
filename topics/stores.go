package topics

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Topic stores: what a person wants of one shop on one marketplace.
//
//	producer    people, through console and CLI
//	consumer    sinks, console, CLI
//	key         store id; `*` holds what applies to all stores
//	cleanup     compact; delete.retention.ms 7 d
//	partitions  S; the sink group's assignment
//	schema      schemas/stores.json
//	version     additive only. An invalid record means config_error and nothing sent, never defaults. A tombstone
//	            ends the store. Secrets are never in it: credentials_ref names them.

// Store is one shop. A nil or zero optional field means: as store `*` says, else the default named beside it.
type Store struct {
	Store                string          `json:"store"`
	Marketplace          string          `json:"marketplace,omitzero"` // the adapter; required but for `*`
	Name                 string          `json:"name,omitzero"`
	Mode                 StoreMode       `json:"mode,omitzero"` // DecodeStore reads absent as ModeLive
	DisableStockUpdate   bool            `json:"disable_stock_update"`
	DisabledUntil        Time            `json:"disabled_until"`
	Warehouses           []string        `json:"warehouses"` // AllWarehouses = all but the excluded; empty = none
	ExcludeWarehouses    []string        `json:"exclude_warehouses"`
	Locations            []StoreLocation `json:"locations"`
	Buffer               *Quantity       `json:"buffer"`  // default 0; negative is a backorder allowance
	Percent              *Quantity       `json:"percent"` // default 100
	Min                  *Quantity       `json:"min"`     // default 0; below it 0 is sent
	Max                  *Quantity       `json:"max"`     // default none
	AutoDisableUnmatched *bool           `json:"auto_disable_unmatched"`
	InFlight             InFlight        `json:"in_flight,omitzero"`   // default is the adapter's
	OrderGrace           Duration        `json:"order_grace,omitzero"` // default 30m
	BrakePercent         *Quantity       `json:"brake_percent"`        // default 30
	BrakeReleasedAt      Time            `json:"brake_released_at"`
	ResyncRequestedAt    Time            `json:"resync_requested_at"`
	CredentialsRef       string          `json:"credentials_ref,omitzero"` // name of an environment variable or file
	Options              RawJSON         `json:"options,omitempty"`        // a JSON object that the adapter reads
	ChangedBy            string          `json:"changed_by,omitzero"`
	ChangedAt            Time            `json:"changed_at"`
}

// StoreLocation says which warehouses fill one location of the shop.
type StoreLocation struct {
	LocationID string   `json:"location_id"`
	Warehouses []string `json:"warehouses"`
}

// StoreMode says whether a store is sent to.
type StoreMode string

// The modes of a store.
const (
	ModeLive    StoreMode = "live"
	ModePreview StoreMode = "preview" // everything is computed and shown, nothing is sent
)

// InFlight says whether what the shop sold and upstream does not know yet is read before each write.
type InFlight string

// The ways to treat orders in flight.
const (
	InFlightRead InFlight = "read"
	InFlightOff  InFlight = "off"
)

// maxOrderGrace keeps a slip of a unit from silencing repairs for ever.
const maxOrderGrace = Duration(30 * 24 * time.Hour)

// Key returns the record's key.
func (s *Store) Key() []byte { return []byte(s.Store) }

// Encode returns the record's value.
func (s *Store) Encode() []byte { return encodeRecord(s) }

// DecodeStore reads and checks a record's value. The error names every broken field and its value: a store whose
// record is invalid is sent nothing, and its person must see why.
func DecodeStore(value []byte) (Store, error) {
	var s Store
	if err := decodeRecord(value, &s); err != nil {
		return Store{}, fmt.Errorf("decode store: %w", err)
	}
	if s.Mode == "" {
		s.Mode = ModeLive
	}
	if err := s.check(); err != nil {
		return Store{}, fmt.Errorf("decode store: %w", err)
	}
	return s, nil
}

// check holds the rules of section "stores" of the schema and those a schema cannot say.
func (s *Store) check() error {
	var f faults
	f.store("store", s.Store, true)
	if s.Store != AllStores {
		f.id("marketplace", s.Marketplace, maxID)
	}
	f.text("name", s.Name, maxID)
	oneOf(&f, "mode", s.Mode, ModeLive, ModePreview)
	f.warehouses("warehouses", s.Warehouses, true)
	f.warehouses("exclude_warehouses", s.ExcludeWarehouses, false)
	for i, l := range s.Locations {
		at := "locations/" + strconv.Itoa(i)
		f.id(at+"/location_id", l.LocationID, maxID)
		f.warehouses(at+"/warehouses", l.Warehouses, true)
		if slices.IndexFunc(s.Locations, func(o StoreLocation) bool { return o.LocationID == l.LocationID }) < i {
			f.add(at+"/location_id", strconv.Quote(shorten(l.LocationID)), "is listed twice")
		}
	}
	f.limits(s.Buffer, s.Percent, s.Min, s.Max)
	f.between("brake_percent", s.BrakePercent, 0, 100*One)
	if s.InFlight != "" {
		oneOf(&f, "in_flight", s.InFlight, InFlightRead, InFlightOff)
	}
	if s.OrderGrace < 0 || s.OrderGrace > maxOrderGrace {
		f.add("order_grace", strconv.Quote(s.OrderGrace.String()), "is not between 0s and "+maxOrderGrace.String())
	}
	f.text("credentials_ref", s.CredentialsRef, maxID)
	if len(s.Options) > 0 && jsontext.Value(s.Options).Kind() != '{' {
		f.add("options", string(s.Options), "is not an object")
	}
	f.text("changed_by", s.ChangedBy, maxID)
	return f.err()
}
