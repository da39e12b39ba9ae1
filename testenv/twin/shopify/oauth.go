package shopify

import (
	"net/http"
	"net/url"

	"stocksync/testenv/twin"
)

// authorised tells whether a request comes with a token that is good.
func (s *Shop) authorised(h http.Header) bool {
	s.mu.Lock()
	revoked := s.revoked
	s.mu.Unlock()
	given := h.Get("X-Shopify-Access-Token")
	if s.cfg.Auth == Lasting {
		return !revoked && given == s.seed.Access
	}
	return s.Check(given) == twin.TokenGood
}

// refusal is an error of the token endpoint.
func refusal(code, description string) twin.Answer {
	return twin.JSON(http.StatusBadRequest, map[string]string{"error": code, "error_description": description})
}

// oauth gives tokens, for forms as the documentation has them.
func (s *Shop) oauth(x *twin.Exchange) twin.Answer {
	form, err := url.ParseQuery(string(x.Body))
	s.mu.Lock()
	revoked := s.revoked
	s.mu.Unlock()
	switch {
	case err != nil || x.Request.Header.Get("Content-Type") != "application/x-www-form-urlencoded":
		return refusal("invalid_request", "no form")
	case form.Get("client_id") != s.key || form.Get("client_secret") != s.secret:
		return refusal("invalid_client", "Client authentication failed")
	}
	switch form.Get("grant_type") + " " + string(s.cfg.Auth) {
	case "client_credentials signed":
		if revoked {
			return refusal("shop_not_permitted", "Client credentials cannot be performed on this shop.")
		}
		return twin.JSON(http.StatusOK, map[string]any{
			"access_token": s.Issue().Access, "scope": "write_inventory", "expires_in": 86399,
		})
	case "refresh_token granted":
		pair, state := s.Spend(form.Get("refresh_token"))
		if state != twin.TokenGood {
			return refusal("invalid_grant", "The refresh token is "+string(state))
		}
		return twin.JSON(http.StatusOK, map[string]any{
			"access_token": pair.Access, "scope": "write_inventory", "expires_in": 3600,
			"refresh_token": pair.Refresh, "refresh_token_expires_in": 7776000,
		})
	}
	return refusal("unsupported_grant_type", form.Get("grant_type"))
}
