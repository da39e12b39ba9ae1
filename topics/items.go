package topics

import (
	"fmt"
	"strconv"
)

// Topic items: names for people; never a quantity of stock.
//
//	producer    upstream (optional), CLI
//	consumer    console, CLI
//	key         SKU
//	cleanup     compact; delete.retention.ms 7 d
//	partitions  S
//	schema      schemas/items.json
//	version     additive only

// Item describes a SKU to people.
type Item struct {
	SKU      string      `json:"sku"`
	Name     string      `json:"name,omitzero"`
	UOM      string      `json:"uom,omitzero"`
	Barcode  string      `json:"barcode,omitzero"`
	ImageURL string      `json:"image_url,omitzero"`
	Retired  bool        `json:"retired,omitzero"`
	Bundle   []Component `json:"bundle,omitempty"`
}

// Component is one part of a bundle.
type Component struct {
	SKU string   `json:"sku"`
	Qty Quantity `json:"qty"`
}

// Key returns the record's key.
func (i *Item) Key() []byte { return []byte(i.SKU) }

// Encode returns the record's value.
func (i *Item) Encode() []byte { return encodeRecord(i) }

// DecodeItem reads and checks a record's value. The error names every broken field and its value.
func DecodeItem(value []byte) (Item, error) {
	var item Item
	if err := decodeRecord(value, &item); err != nil {
		return Item{}, fmt.Errorf("decode item: %w", err)
	}
	var f faults
	f.id("sku", item.SKU, maxID)
	for i, c := range item.Bundle {
		at := "bundle/" + strconv.Itoa(i) + "/"
		f.id(at+"sku", c.SKU, maxID)
		f.between(at+"qty", &c.Qty, 1, MaxQuantity)
	}
	if err := f.err(); err != nil {
		return Item{}, fmt.Errorf("decode item: %w", err)
	}
	return item, nil
}
