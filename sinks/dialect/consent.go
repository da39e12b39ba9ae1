package dialect

import (
	"context"
	"errors"
	"time"

	"stocksync/sinks"
	"stocksync/sinks/token"
)

// Consent is what a store's secrets give: the application's id and secret, and the seller's consent.
type Consent struct {
	App, Secret string
	Grant       *token.Grant
}

// Keys names the secrets of a marketplace's application. Those of a consent are access_token and refresh_token
// everywhere.
type Keys struct {
	Marketplace string
	App, Secret string
	Scope       string // the shop, where one consent forks by shop
}

// Open reads the secrets of a store. Its errors repeat none.
func (k Keys) Open(a sinks.Account, tokens *token.Safe) (Consent, error) {
	c, err := a.Credentials()
	if err != nil {
		return Consent{}, err
	}
	if err := Need(c, k.App, k.Secret); err != nil {
		return Consent{}, err
	}
	seed := token.Seed{
		Marketplace: k.Marketplace, App: c.Get(k.App), Scope: k.Scope,
		Pair: token.Pair{Access: c.Get("access_token"), Refresh: c.Get("refresh_token")},
	}
	if seed.Pair.Access == "" && seed.Pair.Refresh == "" {
		return Consent{}, errors.New("credentials_ref names neither refresh_token nor access_token")
	}
	grant, err := tokens.Grant(seed)
	return Consent{seed.App, c.Get(k.Secret), grant}, err
}

// Use opens a consent for a request, and returns the access token to send with it. The outcome's class is ClassOK
// when there is one.
func (k Keys) Use(a sinks.Account, tokens *token.Safe) (c Consent, access string, o sinks.Outcome) {
	c, err := k.Open(a, tokens)
	if err != nil {
		return c, "", Unreadable(err)
	}
	access, o = c.Grant.Use(time.Now())
	return c, access, o
}

// Refresh gets a new pair of tokens for a store's consent by a request, which gets the refresh token.
func (k Keys) Refresh(ctx context.Context, a sinks.Account, tokens *token.Safe,
	pair func(ctx context.Context, c Consent, refresh string) (token.Pair, sinks.Outcome),
) sinks.Outcome {
	c, err := k.Open(a, tokens)
	if err != nil {
		return Unreadable(err)
	}
	return c.Grant.Hide(c.Grant.Refresh(ctx, func(ctx context.Context, refresh string) (token.Pair, sinks.Outcome) {
		return pair(ctx, c, refresh)
	}))
}

// Refused says what it means that a refresh failed, whose error is classified as that of any request: only what the
// marketplace says of the consent is for the seller to mend.
func Refused(o sinks.Outcome) sinks.Outcome {
	switch o.Class {
	case sinks.ClassThrottle, sinks.ClassTransient, sinks.ClassConfig, sinks.ClassShopUnauthorised:
	case sinks.ClassToken:
		o.Class = sinks.ClassShopUnauthorised
	default:
		o.Class = sinks.ClassTransient
	}
	return o
}
