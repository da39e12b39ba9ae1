package stores

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"stocksync/testenv"
)

// superadmin is name and password of a Vendure that was just set up.
const superadmin = "superadmin"

// Vendure is a Vendure shop with a hundred of each of its products.
type Vendure struct {
	URL string // of its Admin API
	Key string // an API key that may do what a superadmin may

	base  string
	admin *client

	mu       sync.Mutex
	variants map[string]string // id by SKU
}

// StartVendure starts a shop with so many products: SKU-0001 and so on, each tenth with three variants instead of one,
// SKU-0010-S, -M and -L. It ends with the test.
func StartVendure(tb testing.TB, products int) *Vendure {
	tb.Helper()
	database := startPostgres(tb, "vendure")
	home, err := install(tb.Context(), "vendure")
	if err != nil {
		tb.Fatal(err)
	}
	port := strconv.Itoa(testenv.FreePort(tb))
	cmd := exec.Command("node", "server.js", strconv.Itoa(products))
	cmd.Dir, cmd.Env = home, append(cmd.Environ(), "PORT="+port, "DATABASE_URL="+database)
	server := testenv.StartProgram(tb, cmd)
	v := &Vendure{base: "http://127.0.0.1:" + port, variants: map[string]string{}}
	v.URL, v.admin = v.base+"/admin-api", newClient(v.base)
	ctx, cancel := context.WithTimeout(tb.Context(), 5*time.Minute)
	defer cancel()
	err = server.Wait(ctx, func(ctx context.Context) error {
		_, err := v.admin.call(ctx, http.MethodGet, "/health", nil, nil)
		return err
	})
	if err == nil {
		err = v.signIn(ctx)
	}
	if err != nil {
		tb.Fatalf("start vendure: %v", err)
	}
	return v
}

// signIn gets a session for the tests and a key for stocksync.
func (v *Vendure) signIn(ctx context.Context) error {
	header, err := v.admin.query(ctx, "/admin-api", `mutation($n:String!){ login(username:$n,password:$n){
		__typename ... on ErrorResult { errorCode message } } }`, map[string]any{"n": superadmin}, nil)
	if err != nil {
		return err
	}
	v.admin.header.Set("Authorization", "Bearer "+header.Get("vendure-auth-token"))
	v.Key, err = v.NewKey(ctx)
	return err
}

// NewKey makes an API key of the superadmin's role.
func (v *Vendure) NewKey(ctx context.Context) (string, error) {
	var roles struct {
		Roles struct {
			Items []struct{ ID, Code string }
		}
	}
	if _, err := v.admin.query(ctx, "/admin-api", `{ roles { items { id code } } }`, nil, &roles); err != nil {
		return "", err
	}
	for _, r := range roles.Roles.Items {
		if r.Code != "__super_admin_role__" {
			continue
		}
		var made struct{ CreateAPIKey struct{ APIKey string } }
		_, err := v.admin.query(ctx, "/admin-api", `mutation($r:[ID!]!){ createApiKey(input:{roleIds:$r,
			translations:[{languageCode:en,name:"stocksync"}]}){ apiKey } }`, map[string]any{"r": []string{r.ID}}, &made)
		return made.CreateAPIKey.APIKey, err
	}
	return "", errors.New("no role of a superadmin")
}

// RevokeKeys deletes all API keys.
func (v *Vendure) RevokeKeys(ctx context.Context) error {
	var keys struct {
		APIKeys struct{ Items []struct{ ID string } }
	}
	if _, err := v.admin.query(ctx, "/admin-api", `{ apiKeys { items { id } } }`, nil, &keys); err != nil {
		return err
	}
	var ids []string
	for _, k := range keys.APIKeys.Items {
		ids = append(ids, k.ID)
	}
	_, err := v.admin.query(ctx, "/admin-api", `mutation($i:[ID!]!){ deleteApiKeys(ids:$i){ result } }`,
		map[string]any{"i": ids}, nil)
	return err
}

// Base returns the server's address, without a path.
func (v *Vendure) Base() string { return v.base }

// Marketplace returns "vendure".
func (v *Vendure) Marketplace() string { return "vendure" }

// Options are those of the store record.
func (v *Vendure) Options() string { return fmt.Sprintf(`{"url":%q}`, v.URL) }

// Credentials are what credentials_ref names: name and password, since a key costs the shop a quarter of a second.
func (v *Vendure) Credentials() map[string]string {
	return map[string]string{"username": superadmin, "password": superadmin}
}

// Variant is what a shop says of a variant.
type Variant struct {
	ID          string
	SKU         string
	Name        string
	Enabled     bool
	StockLevels []struct {
		StockLocationID             string
		StockOnHand, StockAllocated int64
	}
}

// Variants returns all that there are, in the order of their ids.
func (v *Vendure) Variants(ctx context.Context) ([]Variant, error) {
	return v.find(ctx, map[string]any{})
}

// Held returns what lies of a variant in the shop; false when there is no such variant.
func (v *Vendure) Held(ctx context.Context, id string) (units int64, ok bool, err error) {
	list, err := v.find(ctx, map[string]any{"id": map[string]any{"eq": id}})
	if err != nil || len(list) == 0 {
		return 0, false, err
	}
	for _, l := range list[0].StockLevels {
		units += l.StockOnHand
	}
	return units, true, nil
}

func (v *Vendure) find(ctx context.Context, filter map[string]any) ([]Variant, error) {
	var found struct {
		ProductVariants struct{ Items []Variant }
	}
	_, err := v.admin.query(ctx, "/admin-api", `query($o:ProductVariantListOptions){ productVariants(options:$o){ items {
		id sku name enabled stockLevels { stockLocationId stockOnHand stockAllocated } } } }`,
		map[string]any{"o": map[string]any{"take": 1000, "sort": map[string]any{"id": "ASC"}, "filter": filter}}, &found)
	return found.ProductVariants.Items, err
}

// variant returns the one of a SKU.
func (v *Vendure) variant(ctx context.Context, sku string) (Variant, error) {
	list, err := v.find(ctx, map[string]any{"sku": map[string]any{"eq": sku}})
	switch {
	case err != nil:
		return Variant{}, err
	case len(list) != 1:
		return Variant{}, fmt.Errorf("%d variants have the SKU %q", len(list), sku)
	}
	return list[0], nil
}

// Change sets fields of a variant.
func (v *Vendure) Change(ctx context.Context, id string, fields map[string]any) error {
	input := map[string]any{"id": id}
	maps.Copy(input, fields)
	_, err := v.admin.query(ctx, "/admin-api", `mutation($i:[UpdateProductVariantInput!]!){
		updateProductVariants(input:$i){ id } }`, map[string]any{"i": []any{input}}, nil)
	return err
}

// Offered returns how many of a SKU buyers may order now; it is for shops without a threshold.
func (v *Vendure) Offered(ctx context.Context, sku string) (int64, error) {
	one, err := v.variant(ctx, sku)
	var sum int64
	for _, l := range one.StockLevels {
		sum += l.StockOnHand - l.StockAllocated
	}
	return sum, err
}

// SetByHand changes what lies at the first location.
func (v *Vendure) SetByHand(ctx context.Context, sku string, more int64) error {
	one, err := v.variant(ctx, sku)
	if err != nil {
		return err
	}
	l := one.StockLevels[0]
	return v.Change(ctx, one.ID, map[string]any{"stockLevels": []any{
		map[string]any{"stockLocationId": l.StockLocationID, "stockOnHand": l.StockOnHand + more},
	}})
}

// step takes one step of a buyer's order.
func (c *client) step(ctx context.Context, step string, result any) error {
	_, err := c.query(ctx, "/shop-api", "mutation { "+step+"{ "+orderFields+" } }", nil, result)
	return err
}

// orderFields are asked for of every step of an order.
const orderFields = `__typename ... on Order { id } ... on ErrorResult { errorCode message }`

// Order places a buyer's order, up to an authorised payment: then the stock is allocated.
func (v *Vendure) Order(ctx context.Context, sku string, units int64) (string, error) {
	id, err := v.variantID(ctx, sku)
	if err != nil {
		return "", err
	}
	buyer := newClient(v.base)
	header, err := buyer.query(ctx, "/shop-api", `mutation($v:ID!,$n:Int!){
		addItemToOrder(productVariantId:$v,quantity:$n){ `+orderFields+` } }`, map[string]any{"v": id, "n": units}, nil)
	if err != nil {
		return "", err
	}
	buyer.header.Set("Authorization", "Bearer "+header.Get("vendure-auth-token"))
	var shipping struct {
		EligibleShippingMethods []struct{ ID string }
	}
	for _, step := range []string{
		`setCustomerForOrder(input:{firstName:"A",lastName:"B",emailAddress:"` + rand.Text() + `@example.com"})`,
		`setOrderShippingAddress(input:{streetLine1:"Jl. 1",city:"Jakarta",countryCode:"ID"})`,
	} {
		if err := buyer.step(ctx, step, nil); err != nil {
			return "", err
		}
	}
	if _, err := buyer.query(ctx, "/shop-api", `{ eligibleShippingMethods { id } }`, nil, &shipping); err != nil {
		return "", err
	}
	var paid struct{ AddPaymentToOrder struct{ ID string } }
	for _, step := range []string{
		`setOrderShippingMethod(shippingMethodId:["` + shipping.EligibleShippingMethods[0].ID + `"])`,
		`transitionOrderToState(state:"ArrangingPayment")`,
	} {
		if err := buyer.step(ctx, step, nil); err != nil {
			return "", err
		}
	}
	err = buyer.step(ctx, `addPaymentToOrder(input:{method:"dummy",metadata:{}})`, &paid)
	return paid.AddPaymentToOrder.ID, err
}

// variantID returns the id of a SKU's variant, which is asked for once.
func (v *Vendure) variantID(ctx context.Context, sku string) (string, error) {
	v.mu.Lock()
	id, known := v.variants[sku]
	v.mu.Unlock()
	if known {
		return id, nil
	}
	one, err := v.variant(ctx, sku)
	if err != nil {
		return "", err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.variants[sku] = one.ID
	return one.ID, nil
}

// lines returns the lines of an order.
func (v *Vendure) lines(ctx context.Context, order string) ([]any, error) {
	var found struct {
		Order struct {
			Lines []struct {
				ID       string
				Quantity int64
			}
		}
	}
	_, err := v.admin.query(ctx, "/admin-api", `query($i:ID!){ order(id:$i){ lines { id quantity } } }`,
		map[string]any{"i": order}, &found)
	var lines []any
	for _, l := range found.Order.Lines {
		lines = append(lines, map[string]any{"orderLineId": l.ID, "quantity": l.Quantity})
	}
	return lines, err
}

// Fulfil makes a shipment of all lines, which takes the goods from the shelf.
func (v *Vendure) Fulfil(ctx context.Context, order string) error {
	lines, err := v.lines(ctx, order)
	if err != nil {
		return err
	}
	_, err = v.admin.query(ctx, "/admin-api", `mutation($l:[OrderLineInput!]!){ addFulfillmentToOrder(input:{lines:$l,
		handler:{code:"manual-fulfillment",arguments:[{name:"method",value:"van"},{name:"trackingCode",value:"1"}]}}){
		__typename ... on Fulfillment { id } ... on ErrorResult { errorCode message } } }`, map[string]any{"l": lines}, nil)
	return err
}

// Cancel gives back what the order has allocated.
func (v *Vendure) Cancel(ctx context.Context, order string) error {
	_, err := v.admin.query(ctx, "/admin-api", `mutation($i:ID!){ cancelOrder(input:{orderId:$i,reason:"changed my mind"}){
		`+orderFields+` } }`, map[string]any{"i": order}, nil)
	return err
}
