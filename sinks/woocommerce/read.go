package woocommerce

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"stocksync/sinks"
)

// pageSize is the most that the shop puts on a page.
const pageSize = 100

// ReadBack reads the numbers of products, and of variations product by product.
func (s *session) ReadBack(ctx context.Context, updates []sinks.Update) ([]sinks.Reading, sinks.Outcome) {
	readings := make([]sinks.Reading, len(updates))
	groups := map[string][]int{}
	var order []string
	for i := range updates {
		if _, ok := number(idOf(&updates[i].Target)); !ok {
			continue
		}
		g := s.Group(&updates[i])
		if groups[g] == nil {
			order = append(order, g)
		}
		groups[g] = append(groups[g], i)
	}
	for _, g := range order {
		for some := range slices.Chunk(groups[g], pageSize) {
			if o := s.readSome(ctx, g, updates, some, readings); o.Class != sinks.ClassOK {
				return nil, o
			}
		}
	}
	return readings, sinks.Outcome{Class: sinks.ClassOK}
}

// readSome reads the updates of one group with these indexes.
func (s *session) readSome(ctx context.Context, group string, updates []sinks.Update, some []int,
	readings []sinks.Reading,
) sinks.Outcome {
	ids := make([]string, len(some))
	for n, i := range some {
		ids[n] = idOf(&updates[i].Target)
	}
	path := "/products"
	if group != "" {
		if _, ok := number(group); !ok {
			return sinks.Outcome{Class: sinks.ClassOK} // not found
		}
		path += "/" + group + "/variations"
	}
	var list []product
	_, o := s.call(ctx, http.MethodGet, path, url.Values{
		"include": {strings.Join(ids, ",")}, "per_page": {strconv.Itoa(pageSize)}, "status": {"any"},
		"_fields": {"id,manage_stock,stock_quantity"},
	}, nil, &list)
	if o.Class != sinks.ClassOK {
		return o
	}
	for n, i := range some {
		found := slices.IndexFunc(list, func(p product) bool { return strconv.FormatInt(p.ID, 10) == ids[n] })
		if found >= 0 {
			readings[i] = sinks.Reading{Found: true, Qty: list[found].Quantity.qty}
		}
	}
	return o
}
