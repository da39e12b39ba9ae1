package stores

import "context"

// Till is a real shop as those see it who sell and buy there. Its methods may be called from any goroutine.
type Till interface {
	// Marketplace, Options and Credentials are those of the store record by which stocksync finds the shop.
	Marketplace() string
	Options() string
	Credentials() map[string]string

	// Offered returns how many of a SKU buyers may order now.
	Offered(ctx context.Context, sku string) (int64, error)
	// Order places a buyer's order and returns its id. An error may be that the shop offers less.
	Order(ctx context.Context, sku string, units int64) (id string, err error)
	// Fulfil ships an order, whole.
	Fulfil(ctx context.Context, order string) error
	// Cancel cancels an order that was not shipped.
	Cancel(ctx context.Context, order string) error
	// SetByHand makes the shop offer so many more than it does, as a person does in its own screens.
	SetByHand(ctx context.Context, sku string, more int64) error
}
