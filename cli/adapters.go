package cli

import (
	"stocksync/sinks"
	"stocksync/sinks/lazada"
	"stocksync/sinks/medusa"
	"stocksync/sinks/shopee"
	"stocksync/sinks/shopify"
	"stocksync/sinks/tiktokshop"
	"stocksync/sinks/token"
	"stocksync/sinks/vendure"
	"stocksync/sinks/webhook"
	"stocksync/sinks/woocommerce"
)

// adapters returns one adapter for each marketplace. Those whose tokens are renewed share a place to keep them.
func (c *call) adapters() []sinks.Adapter {
	tokens := token.NewSafe(c.cfg.TokensDir)
	return []sinks.Adapter{
		webhook.Adapter{},
		tiktokshop.Adapter{Tokens: tokens},
		shopee.Adapter{Tokens: tokens},
		lazada.Adapter{Tokens: tokens},
		shopify.Adapter{Tokens: tokens},
		woocommerce.Adapter{},
		vendure.Adapter{},
		medusa.Adapter{},
	}
}
