package topics

import (
	"fmt"
	"strconv"
)

// Topic listings: what a store sells under a SKU.
//
//	producer    the catalogue sync of sinks, upstream, people; the catalogue never overwrites another origin
//	consumer    sinks, console, CLI
//	key         `store|sku`
//	cleanup     compact; delete.retention.ms 7 d
//	partitions  S
//	schema      schemas/listings.json
//	version     additive only

// Listing is what a store sells under one SKU: each target gets the full quantity.
type Listing struct {
	Store   string        `json:"store"`
	SKU     string        `json:"sku"`
	Targets []Target      `json:"targets"`
	Origin  ListingOrigin `json:"origin"`
	SeenAt  Time          `json:"seen_at"`
}

// Target is one product or variant of a shop.
type Target struct {
	ProductID           string       `json:"product_id"`
	VariantID           string       `json:"variant_id,omitzero"`
	Platform            string       `json:"platform,omitzero"`
	Status              TargetStatus `json:"status"`  // DecodeListing reads absent as TargetActive
	Tracked             bool         `json:"tracked"` // the shop keeps stock of it; DecodeListing reads absent as true
	Title               string       `json:"title,omitzero"`
	URL                 string       `json:"url,omitzero"`
	Locations           []string     `json:"locations,omitempty"`
	Promos              []Promo      `json:"promos,omitempty"`
	MarketplaceQty      *Quantity    `json:"marketplace_qty"`
	MarketplaceReserved *Quantity    `json:"marketplace_reserved"`
}

// Promo is a campaign of the marketplace that limits what may be sent.
type Promo struct {
	Kind  PromoKind `json:"kind"`
	From  Time      `json:"from"`
	Until Time      `json:"until"`
	Floor Quantity  `json:"floor,omitzero"` // of PromoFloor: the least that may be sent
}

// ListingOrigin says who wrote a listing.
type ListingOrigin string

// The origins of listings.
const (
	OriginCatalogue ListingOrigin = "catalogue"
	OriginUpstream  ListingOrigin = "upstream"
	OriginPerson    ListingOrigin = "person"
)

// TargetStatus is what the marketplace says of a product.
type TargetStatus string

// The statuses of targets.
const (
	TargetActive   TargetStatus = "active"
	TargetInactive TargetStatus = "inactive"
	TargetBanned   TargetStatus = "banned"
	TargetArchived TargetStatus = "archived"
	TargetDeleted  TargetStatus = "deleted"
)

// PromoKind says how a promo limits what may be sent.
type PromoKind string

// The kinds of promos.
const (
	PromoLock      PromoKind = "lock"       // nothing may be sent
	PromoFloor     PromoKind = "floor"      // nothing below Floor
	PromoRaiseOnly PromoKind = "raise_only" // nothing below what is shown
)

// Key returns the record's key.
func (l *Listing) Key() []byte { return PairKey(l.Store, l.SKU) }

// Encode returns the record's value.
func (l *Listing) Encode() []byte { return encodeRecord(l) }

// DecodeListing reads and checks a record's value. The error names every broken field and its value.
func DecodeListing(value []byte) (Listing, error) {
	var l Listing
	if err := decodeRecord(value, &l); err != nil {
		return Listing{}, fmt.Errorf("decode listing: %w", err)
	}
	if err := l.readDefaults(value); err != nil {
		return Listing{}, fmt.Errorf("decode listing: %w", err)
	}
	if err := l.check(); err != nil {
		return Listing{}, fmt.Errorf("decode listing: %w", err)
	}
	return l, nil
}

// readDefaults fills what a target leaves out: a target that says nothing of it is active and tracked. Whether one that
// is not tracked says so takes a second reading, which nearly none needs.
func (l *Listing) readDefaults(value []byte) error {
	tracked := true
	for i := range l.Targets {
		tracked = tracked && l.Targets[i].Tracked
		if l.Targets[i].Status == "" {
			l.Targets[i].Status = TargetActive
		}
	}
	if tracked {
		return nil
	}
	var given struct {
		Targets []struct {
			Tracked *bool `json:"tracked"`
		} `json:"targets"`
	}
	if err := decodeRecord(value, &given); err != nil {
		return err
	}
	for i := range l.Targets {
		if given.Targets[i].Tracked == nil {
			l.Targets[i].Tracked = true
		}
	}
	return nil
}

// check holds the rules of a listing.
func (l *Listing) check() error {
	var f faults
	f.store("store", l.Store, false)
	f.id("sku", l.SKU, maxID)
	oneOf(&f, "origin", l.Origin, OriginCatalogue, OriginUpstream, OriginPerson)
	for i := range l.Targets {
		l.Targets[i].check(&f, "targets/"+strconv.Itoa(i)+"/")
	}
	return f.err()
}

// check holds the rules of one target, whose fields are named behind the prefix at.
func (t *Target) check(f *faults, at string) {
	f.id(at+"product_id", t.ProductID, maxID)
	f.text(at+"variant_id", t.VariantID, maxID)
	f.text(at+"platform", t.Platform, maxID)
	oneOf(f, at+"status", t.Status, TargetActive, TargetInactive, TargetBanned, TargetArchived, TargetDeleted)
	for i, location := range t.Locations {
		f.id(at+"locations/"+strconv.Itoa(i), location, maxID)
	}
	f.amount(at+"marketplace_qty", t.MarketplaceQty)
	f.amount(at+"marketplace_reserved", t.MarketplaceReserved)
	for i, p := range t.Promos {
		promo := at + "promos/" + strconv.Itoa(i) + "/"
		oneOf(f, promo+"kind", p.Kind, PromoLock, PromoFloor, PromoRaiseOnly)
		f.between(promo+"floor", &p.Floor, 0, MaxQuantity)
		if !p.Until.IsZero() && p.Until < p.From {
			f.add(promo+"until", p.Until.String(), "is before from "+p.From.String())
		}
	}
}
