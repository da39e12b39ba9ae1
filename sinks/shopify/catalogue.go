package shopify

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
	"stocksync/topics"
)

// windowMost is how many objects are paged through before the list is begun anew behind the last one: Shopify ends a
// list after 25,000.
const windowMost = 20_000

const locationsDocument = `query Locations($after:String){
  locations(first:250, after:$after) { nodes { id } pageInfo { hasNextPage endCursor } }
}`

// pageInfo says whether there is more, and how to get it.
type pageInfo struct {
	More bool   `json:"hasNextPage"`
	End  string `json:"endCursor"`
}

// variant is one of the shop's, as far as it was asked for.
type variant struct {
	ID       string           `json:"id"`
	SKU      string           `json:"sku"`
	Title    string           `json:"title"`
	Quantity *topics.Quantity `json:"inventoryQuantity"`
	Product  struct {
		ID     string `json:"id"`
		Title  string `json:"title"`
		Status string `json:"status"`
		URL    string `json:"onlineStoreUrl"`
	} `json:"product"`
	Item levels `json:"inventoryItem"`
}

// variantPage is a page of them.
type variantPage struct {
	Variants struct {
		Nodes []variant `json:"nodes"`
		Page  pageInfo  `json:"pageInfo"`
	} `json:"productVariants"`
}

// Catalogue lists every variant, with the active locations at which its item is stocked.
func (s *session) Catalogue(ctx context.Context, found func(topics.Listing) error) error {
	g := sinks.NewGather(s.account.Store, time.Now())
	if err := s.list(ctx, "", g.Add); err != nil {
		return err
	}
	return g.Each(found)
}

// Find lists the variants with these SKUs. The shop's search is generous: what it finds is compared.
func (s *session) Find(ctx context.Context, skus []string, found func(topics.Listing) error) error {
	if len(skus) == 0 {
		return nil
	}
	wanted := map[string]bool{}
	var terms []string
	for _, sku := range skus {
		wanted[sku] = true
		terms = append(terms, `sku:"`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(sku)+`"`)
	}
	g := sinks.NewGather(s.account.Store, time.Now())
	err := s.list(ctx, strings.Join(terms, " OR "), func(sku string, t topics.Target) {
		if wanted[sku] {
			g.Add(sku, t)
		}
	})
	if err != nil {
		return err
	}
	return g.Each(found)
}

// list goes through all variants that a search finds; all there are when it is empty.
func (s *session) list(ctx context.Context, search string, add func(sku string, t topics.Target)) error {
	locations, err := s.locations(ctx)
	if err != nil {
		return err
	}
	document := variantsDocument(locations)
	size := pageFor(3 + len(locations)) // the variant, its product, its item, and a level each
	from, after, seen := search, "", 0
	for {
		var p variantPage
		tooDear := false
		err := s.patiently(ctx, func() sinks.Outcome {
			o := s.query(ctx, document, map[string]any{"first": size, "after": orNull(after), "query": orNull(from)}, &p)
			tooDear = o.Code == codeTooDear && size > 1
			return o
		})
		switch {
		case tooDear:
			size /= 2
			continue
		case err != nil:
			return fmt.Errorf("list variants: %w", err)
		}
		nodes := p.Variants.Nodes
		for i := range nodes {
			add(nodes[i].SKU, nodes[i].target(locations))
		}
		after, seen = p.Variants.Page.End, seen+len(nodes)
		switch {
		case !p.Variants.Page.More:
			return nil
		case len(nodes) == 0 || after == "":
			return fmt.Errorf("list variants: a page that is not the last has nothing behind it: %w", sinks.ErrMoved)
		case seen >= s.window:
			if from, err = behind(nodes[len(nodes)-1].ID, search); err != nil {
				return err
			}
			after, seen = "", 0
		}
	}
}

// patiently sends a request of a pass until it succeeds or there is no hope.
func (s *session) patiently(ctx context.Context, send func() sinks.Outcome) error {
	return dialect.Patiently(ctx, refreshing{s}.Refresh, send)
}

// behind is a search for the variants after one.
func behind(id, search string) (string, error) {
	last, err := strconv.ParseInt(plain(id), 10, 64)
	if err != nil {
		return "", fmt.Errorf("list variants: %q has no number", id)
	}
	from := "id:>=" + strconv.FormatInt(last+1, 10)
	if search != "" {
		from = "(" + search + ") AND " + from
	}
	return from, nil
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// variantsDocument asks for a page of variants in the order of their ids.
func variantsDocument(locations []string) string {
	return `query Variants($first:Int!,$after:String,$query:String){
  productVariants(first:$first, after:$after, query:$query, sortKey:ID) {
    nodes {
      id sku title inventoryQuantity
      product { id title status onlineStoreUrl }
      inventoryItem { id tracked
` + levelFields(locations, "id") + `}
    }
    pageInfo { hasNextPage endCursor }
  }
}`
}

// locations lists the shop's active locations. Those of fulfilment services that keep their own stock are left out
// unless one asks for them, which this does not.
func (s *session) locations(ctx context.Context) ([]string, error) {
	var all []string
	for after := ""; ; {
		var p struct {
			Locations struct {
				Nodes []struct {
					ID string `json:"id"`
				} `json:"nodes"`
				Page pageInfo `json:"pageInfo"`
			} `json:"locations"`
		}
		err := s.patiently(ctx, func() sinks.Outcome {
			return s.query(ctx, locationsDocument, map[string]any{"after": orNull(after)}, &p)
		})
		if err != nil {
			return nil, fmt.Errorf("list locations: %w", err)
		}
		for _, l := range p.Locations.Nodes {
			all = append(all, l.ID)
		}
		if !p.Locations.Page.More || p.Locations.Page.End == after {
			return all, nil
		}
		after = p.Locations.Page.End
	}
}

// noVariant is the title of the only variant of a product without options.
const noVariant = "Default Title"

// target is what a variant is to a listing.
func (v *variant) target(locations []string) topics.Target {
	var item struct {
		ID      string
		Tracked bool
	}
	_ = json.Unmarshal(v.Item["id"], &item.ID) // without an id the target is left out
	_ = json.Unmarshal(v.Item["tracked"], &item.Tracked)
	t := topics.Target{
		ProductID: plain(v.Product.ID), VariantID: plain(item.ID), Status: statusOf(v.Product.Status), Tracked: item.Tracked,
		Title: v.Product.Title, URL: v.Product.URL, MarketplaceQty: v.Quantity,
	}
	if v.Title != noVariant {
		t.Title += " " + v.Title
	}
	for i, id := range locations {
		if _, ok := v.Item.at(i); ok {
			t.Locations = append(t.Locations, plain(id))
		}
	}
	return t
}

// statusOf reads a product's status: ACTIVE, UNLISTED (on sale for those who know it), DRAFT or ARCHIVED.
func statusOf(status string) topics.TargetStatus {
	switch status {
	case "ACTIVE", "UNLISTED":
		return topics.TargetActive
	case "ARCHIVED":
		return topics.TargetArchived
	default:
		return topics.TargetInactive
	}
}
