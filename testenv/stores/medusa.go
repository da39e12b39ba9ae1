package stores

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"stocksync/testenv"
)

// The person who keeps the shop.
const (
	medusaEmail    = "admin@example.com"
	medusaPassword = "supersecret"
)

// Medusa is a Medusa shop with a hundred of each of its products at one of two locations.
type Medusa struct {
	URL       string
	Key       string   // a secret API key
	Locations []string // the first has everything

	admin, front            *client // as the shop's keeper, and as what shows it to buyers
	channel, region, option string

	mu       sync.Mutex
	variants map[string]string // id by SKU
}

// StartMedusa starts a shop with so many products: SKU-0001 and so on. It ends with the test.
func StartMedusa(tb testing.TB, products int) *Medusa {
	tb.Helper()
	database := startPostgres(tb, "medusa")
	home, err := install(tb.Context(), "medusa")
	if err != nil {
		tb.Fatal(err)
	}
	port := strconv.Itoa(testenv.FreePort(tb))
	command := func(args ...string) *exec.Cmd {
		cmd := exec.Command("node", append([]string{"node_modules/@medusajs/cli/cli.js"}, args...)...)
		cmd.Dir, cmd.Env = home, append(cmd.Environ(),
			"DATABASE_URL="+database, "NODE_ENV=production", "MEDUSA_DISABLE_TELEMETRY=1")
		return cmd
	}
	for _, args := range [][]string{{"db:migrate"}, {"user", "-e", medusaEmail, "-p", medusaPassword}} {
		if out, err := command(args...).CombinedOutput(); err != nil {
			tb.Fatalf("medusa %s: %v\n%s", args[0], err, out)
		}
	}
	server := testenv.StartProgram(tb, command("start", "--port", port, "--host", "127.0.0.1"))
	m := &Medusa{URL: "http://127.0.0.1:" + port, variants: map[string]string{}}
	m.admin, m.front = newClient(m.URL), newClient(m.URL)
	ctx, cancel := context.WithTimeout(tb.Context(), 5*time.Minute)
	defer cancel()
	err = server.Wait(ctx, func(ctx context.Context) error {
		_, err := m.front.call(ctx, http.MethodGet, "/health", nil, nil)
		return err
	})
	if err == nil {
		err = m.setUp(ctx, products)
	}
	if err != nil {
		tb.Fatalf("start medusa: %v", err)
	}
	return m
}

// object is a JSON object.
type object = map[string]any

// post changes something and reads the field of the answer that is asked for by its path.
func (m *Medusa) post(ctx context.Context, path string, body object, field ...string) (string, error) {
	var answer object
	if _, err := m.admin.call(ctx, http.MethodPost, path, body, &answer); err != nil {
		return "", err
	}
	var value any = answer
	for _, name := range field {
		inner, ok := value.(object)
		if list, isList := inner[name].([]any); isList && len(list) > 0 {
			value = list[0]
			continue
		}
		if !ok || inner[name] == nil {
			return "", fmt.Errorf("post %s: the answer has no %s", path, name)
		}
		value = inner[name]
	}
	if len(field) == 0 {
		return "", nil
	}
	return fmt.Sprint(value), nil
}

// setUp makes what a shop needs to sell: keys, locations, a channel, a region, shipping, products, stock.
func (m *Medusa) setUp(ctx context.Context, products int) error {
	token, err := m.post(ctx, "/auth/user/emailpass", object{"email": medusaEmail, "password": medusaPassword}, "token")
	if err != nil {
		return err
	}
	m.admin.header.Set("Authorization", "Bearer "+token)
	for _, step := range []func(context.Context) error{m.makeKeys, m.makePlaces, m.makeShipping} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return m.makeProducts(ctx, products)
}

func (m *Medusa) makeKeys(ctx context.Context) (err error) {
	if m.Key, err = m.NewKey(ctx); err != nil {
		return err
	}
	if m.channel, err = m.post(ctx, "/admin/sales-channels", object{"name": "Web"}, "sales_channel", "id"); err != nil {
		return err
	}
	var made struct {
		APIKey struct{ ID, Token string } `json:"api_key"`
	}
	web := object{"title": "web", "type": "publishable"}
	if _, err = m.admin.call(ctx, http.MethodPost, "/admin/api-keys", web, &made); err != nil {
		return err
	}
	m.front.header.Set("X-Publishable-Api-Key", made.APIKey.Token)
	_, err = m.post(ctx, "/admin/api-keys/"+made.APIKey.ID+"/sales-channels", object{"add": []string{m.channel}})
	return err
}

// NewKey makes a secret API key.
func (m *Medusa) NewKey(ctx context.Context) (string, error) {
	return m.post(ctx, "/admin/api-keys", object{"title": "stocksync", "type": "secret"}, "api_key", "token")
}

// RevokeKeys revokes all secret API keys.
func (m *Medusa) RevokeKeys(ctx context.Context) error {
	var keys struct {
		APIKeys []struct{ ID string } `json:"api_keys"`
	}
	if _, err := m.admin.call(ctx, http.MethodGet, "/admin/api-keys?type=secret&limit=1000", nil, &keys); err != nil {
		return err
	}
	for _, k := range keys.APIKeys {
		if _, err := m.post(ctx, "/admin/api-keys/"+k.ID+"/revoke", object{}); err != nil {
			return err
		}
	}
	return nil
}

func (m *Medusa) makePlaces(ctx context.Context) error {
	for _, name := range []string{"WH-JKT", "WH-SBY"} {
		id, err := m.post(ctx, "/admin/stock-locations",
			object{"name": name, "address": object{"address_1": "Jl. 1", "country_code": "id"}}, "stock_location", "id")
		if err != nil {
			return err
		}
		m.Locations = append(m.Locations, id)
	}
	_, err := m.post(ctx, "/admin/stock-locations/"+m.Locations[0]+"/sales-channels", object{"add": []string{m.channel}})
	return err
}

func (m *Medusa) makeShipping(ctx context.Context) error {
	var shops struct{ Stores []struct{ ID string } }
	if _, err := m.admin.call(ctx, http.MethodGet, "/admin/stores", nil, &shops); err != nil {
		return err
	}
	_, err := m.post(ctx, "/admin/stores/"+shops.Stores[0].ID,
		object{"supported_currencies": []any{object{"currency_code": "idr", "is_default": true}}})
	if err != nil {
		return err
	}
	m.region, err = m.post(ctx, "/admin/regions", object{
		"name": "ID", "currency_code": "idr", "countries": []string{"id"}, "payment_providers": []string{"pp_system_default"},
	}, "region", "id")
	if err != nil {
		return err
	}
	at := "/admin/stock-locations/" + m.Locations[0]
	if _, err = m.post(ctx, at+"/fulfillment-providers", object{"add": []string{"manual_manual"}}); err != nil {
		return err
	}
	set, err := m.post(ctx, at+"/fulfillment-sets?fields=*fulfillment_sets", object{"name": "ship", "type": "shipping"},
		"stock_location", "fulfillment_sets", "id")
	if err != nil {
		return err
	}
	zone, err := m.post(ctx, "/admin/fulfillment-sets/"+set+"/service-zones", object{
		"name": "ID", "geo_zones": []any{object{"type": "country", "country_code": "id"}},
	}, "fulfillment_set", "service_zones", "id")
	if err != nil {
		return err
	}
	m.option, err = m.post(ctx, "/admin/shipping-options", object{
		"name": "Std", "service_zone_id": zone, "shipping_profile_id": m.profile(ctx), "provider_id": "manual_manual",
		"price_type": "flat", "type": object{"label": "Std", "description": "x", "code": "std"},
		"prices": []any{object{"currency_code": "idr", "amount": 10000}},
	}, "shipping_option", "id")
	return err
}

// profile returns the shipping profile; a shop has one from the start, or gets it here.
func (m *Medusa) profile(ctx context.Context) string {
	var profiles struct {
		Profiles []struct{ ID string } `json:"shipping_profiles"`
	}
	_, err := m.admin.call(ctx, http.MethodGet, "/admin/shipping-profiles", nil, &profiles)
	if err == nil && len(profiles.Profiles) > 0 {
		return profiles.Profiles[0].ID
	}
	made := object{"name": "Default", "type": "default"}
	id, err := m.post(ctx, "/admin/shipping-profiles", made, "shipping_profile", "id")
	if err != nil {
		return "" // the shop refuses what needs it, and says so
	}
	return id
}

// makeProducts makes products with one variant each, and a hundred of each in stock.
func (m *Medusa) makeProducts(ctx context.Context, n int) error {
	profile := m.profile(ctx)
	const atOnce = 50
	for first := 1; first <= n; first += atOnce {
		var list []any
		for i := first; i < min(first+atOnce, n+1); i++ {
			list = append(list, object{
				"title": fmt.Sprintf("Item %04d", i), "status": "published", "shipping_profile_id": profile,
				"sales_channels": []any{object{"id": m.channel}},
				"options":        []any{object{"title": "Size", "values": []string{"One"}}},
				"variants": []any{object{
					"title": "One", "sku": fmt.Sprintf("SKU-%04d", i), "manage_inventory": true,
					"options": object{"Size": "One"}, "prices": []any{object{"currency_code": "idr", "amount": 10000}},
				}},
			})
		}
		if _, err := m.post(ctx, "/admin/products/batch", object{"create": list}); err != nil {
			return err
		}
	}
	items, err := m.Items(ctx, "")
	if err != nil {
		return err
	}
	var levels []any
	for _, it := range items {
		levels = append(levels, object{"inventory_item_id": it.ID, "location_id": m.Locations[0], "stocked_quantity": 100})
	}
	_, err = m.post(ctx, "/admin/inventory-items/location-levels/batch", object{"create": levels})
	return err
}

// Marketplace returns "medusa".
func (m *Medusa) Marketplace() string { return "medusa" }

// Options are those of the store record.
func (m *Medusa) Options() string { return fmt.Sprintf(`{"url":%q}`, m.URL) }

// Credentials are what credentials_ref names.
func (m *Medusa) Credentials() map[string]string {
	return map[string]string{"email": medusaEmail, "password": medusaPassword}
}

// KeyHeader is how a secret key proves itself.
func KeyHeader(key string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(key+":"))
}

// Item is what a shop says of an inventory item.
type Item struct {
	ID, SKU, Title string
	Levels         []struct {
		LocationID string `json:"location_id"`
		Stocked    int64  `json:"stocked_quantity"`
		Reserved   int64  `json:"reserved_quantity"`
	} `json:"location_levels"`
}

// Items returns those of a SKU, or all in the order of their ids when it is empty.
func (m *Medusa) Items(ctx context.Context, sku string) ([]Item, error) {
	if sku == "" {
		return m.find(ctx, url.Values{})
	}
	return m.find(ctx, url.Values{"sku[]": {sku}})
}

// Held returns what lies of an item in the shop; false when there is no such item.
func (m *Medusa) Held(ctx context.Context, id string) (units int64, ok bool, err error) {
	list, err := m.find(ctx, url.Values{"id[]": {id}})
	if err != nil || len(list) == 0 {
		return 0, false, err
	}
	for _, l := range list[0].Levels {
		units += l.Stocked
	}
	return units, true, nil
}

func (m *Medusa) find(ctx context.Context, query url.Values) ([]Item, error) {
	query["limit"], query["order"] = []string{"10000"}, []string{"id"}
	query["fields"] = []string{"id,sku,title,*location_levels"}
	var found struct {
		Items []Item `json:"inventory_items"`
	}
	_, err := m.admin.call(ctx, http.MethodGet, "/admin/inventory-items?"+query.Encode(), nil, &found)
	return found.Items, err
}

// Make makes an inventory item that no variant points to.
func (m *Medusa) Make(ctx context.Context, sku string) (id string, err error) {
	return m.post(ctx, "/admin/inventory-items", object{"sku": sku, "title": sku}, "inventory_item", "id")
}

// MakeMany makes n of them, PREFIX-0001 and so on, with nothing in stock at the first location.
func (m *Medusa) MakeMany(ctx context.Context, prefix string, n int) error {
	var levels []any
	for i := range n {
		id, err := m.Make(ctx, fmt.Sprintf("%s-%04d", prefix, i+1))
		if err != nil {
			return err
		}
		levels = append(levels, object{"inventory_item_id": id, "location_id": m.Locations[0], "stocked_quantity": 0})
	}
	_, err := m.post(ctx, "/admin/inventory-items/location-levels/batch", object{"create": levels})
	return err
}

// Delete deletes an inventory item.
func (m *Medusa) Delete(ctx context.Context, id string) error {
	_, err := m.admin.call(ctx, http.MethodDelete, "/admin/inventory-items/"+id, nil, nil)
	return err
}

// item returns the one of a SKU.
func (m *Medusa) item(ctx context.Context, sku string) (Item, error) {
	list, err := m.Items(ctx, sku)
	switch {
	case err != nil:
		return Item{}, err
	case len(list) != 1:
		return Item{}, fmt.Errorf("%d items have the SKU %q", len(list), sku)
	}
	return list[0], nil
}

// Offered returns how many of a SKU buyers may order now.
func (m *Medusa) Offered(ctx context.Context, sku string) (int64, error) {
	one, err := m.item(ctx, sku)
	var sum int64
	for _, l := range one.Levels {
		sum += l.Stocked - l.Reserved
	}
	return sum, err
}

// SetByHand changes what lies at the first location.
func (m *Medusa) SetByHand(ctx context.Context, sku string, more int64) error {
	one, err := m.item(ctx, sku)
	if err != nil {
		return err
	}
	l := one.Levels[0]
	_, err = m.post(ctx, "/admin/inventory-items/"+one.ID+"/location-levels/"+l.LocationID,
		object{"stocked_quantity": l.Stocked + more})
	return err
}

// buy makes one step of a buyer's order.
func (m *Medusa) buy(ctx context.Context, path string, body object, result any) error {
	_, err := m.front.call(ctx, http.MethodPost, path, body, result)
	return err
}

// Order places a buyer's order, which reserves the goods.
func (m *Medusa) Order(ctx context.Context, sku string, units int64) (string, error) {
	variant, err := m.variantID(ctx, sku)
	if err != nil {
		return "", err
	}
	var made struct{ Cart struct{ ID string } }
	err = m.buy(ctx, "/store/carts", object{
		"region_id": m.region, "sales_channel_id": m.channel, "email": "a@example.com", "shipping_address": object{
			"first_name": "A", "last_name": "B", "address_1": "Jl. 1", "city": "Jakarta", "country_code": "id",
			"postal_code": "10110",
		},
	}, &made)
	if err != nil {
		return "", err
	}
	cart := "/store/carts/" + made.Cart.ID
	if err := m.buy(ctx, cart+"/line-items", object{"variant_id": variant, "quantity": units}, nil); err != nil {
		return "", err
	}
	if err := m.buy(ctx, cart+"/shipping-methods", object{"option_id": m.option}, nil); err != nil {
		return "", err
	}
	var payment struct {
		Collection struct{ ID string } `json:"payment_collection"`
	}
	if err := m.buy(ctx, "/store/payment-collections", object{"cart_id": made.Cart.ID}, &payment); err != nil {
		return "", err
	}
	sessions := "/store/payment-collections/" + payment.Collection.ID + "/payment-sessions"
	if err := m.buy(ctx, sessions, object{"provider_id": "pp_system_default"}, nil); err != nil {
		return "", err
	}
	var done struct {
		Order struct{ ID string }
		Error struct{ Message string }
	}
	if err := m.buy(ctx, cart+"/complete", object{}, &done); err != nil {
		return "", err
	}
	if done.Order.ID == "" {
		return "", errors.New("complete the cart: " + done.Error.Message)
	}
	return done.Order.ID, nil
}

// variantID returns the id of a SKU's variant, which is asked for once.
func (m *Medusa) variantID(ctx context.Context, sku string) (string, error) {
	m.mu.Lock()
	id, known := m.variants[sku]
	m.mu.Unlock()
	if known {
		return id, nil
	}
	var found struct{ Variants []struct{ ID string } }
	path := "/admin/product-variants?fields=id&sku=" + url.QueryEscape(sku)
	if _, err := m.admin.call(ctx, http.MethodGet, path, nil, &found); err != nil {
		return "", err
	}
	if len(found.Variants) != 1 {
		return "", fmt.Errorf("%d variants have the SKU %q", len(found.Variants), sku)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.variants[sku] = found.Variants[0].ID
	return found.Variants[0].ID, nil
}

// Fulfil makes a shipment of all lines, which takes the goods from the shelf.
func (m *Medusa) Fulfil(ctx context.Context, order string) error {
	var found struct {
		Order struct {
			Items []struct {
				ID       string
				Quantity int64
			}
		}
	}
	if _, err := m.admin.call(ctx, http.MethodGet, "/admin/orders/"+order, nil, &found); err != nil {
		return err
	}
	var items []any
	for _, it := range found.Order.Items {
		items = append(items, object{"id": it.ID, "quantity": it.Quantity})
	}
	_, err := m.post(ctx, "/admin/orders/"+order+"/fulfillments", object{"location_id": m.Locations[0], "items": items})
	return err
}

// Cancel gives back what the order has reserved.
func (m *Medusa) Cancel(ctx context.Context, order string) error {
	_, err := m.post(ctx, "/admin/orders/"+order+"/cancel", object{})
	return err
}
