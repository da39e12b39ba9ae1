package shopee

import (
	"strings"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
)

// quotaSpent is the code of a day whose requests are spent.
const quotaSpent = "error_limit"

// updateFailed is the code of a request some of whose models failed, which its lists name.
const updateFailed = "error_busi_update_stock_failed"

// bare returns a code without the name of the module that some answers put before it.
func bare(code string) string {
	module, rest, ok := strings.Cut(code, ".")
	switch {
	case !ok:
		return code
	case module == "error": // error.param
		return "error_" + rest
	}
	return rest
}

// classify returns what an error means.
func classify(code, message string) sinks.Outcome {
	o := meanings().Outcome(bare(code), message)
	if o.Class == sinks.ClassNotEditable && strings.Contains(strings.ToLower(code+message), "holiday") {
		o.Code = sinks.CodeShopClosed // the whole shop is on holiday
	}
	return o
}

// ofItem tells whether the outcome of a request holds for each model of its item, so that smaller requests would
// fare no better.
func ofItem(o sinks.Outcome) bool {
	switch o.Class {
	case sinks.ClassNotEditable, sinks.ClassManagedElsewhere:
		return true
	case sinks.ClassNotFound:
		return strings.HasPrefix(o.Code, "error_item") || o.Code == "error_nil_shopid_or_itemid" ||
			o.Code == "error_edit_item_stock_for_item_has_model"
	case sinks.ClassPromoLock:
		return o.Code != "error_model_update_stock_model_in_promotion"
	default:
		return false
	}
}

// meanings is the table of the codes. It has a class for everything: what no rule knows is not tried again, unless
// it says that it may pass, for every failure counts against the application.
//
// error_auth, error_param, error_server and error_inner mean many things: what their messages tell comes first.
func meanings() dialect.Table {
	return append(bySaying(), byCode()...)
}

// bySaying are the rules that look at messages. Those without a code are good for the reasons of single models too,
// which have none.
func bySaying() dialect.Table {
	auth, param := []string{"error_auth"}, []string{"error_param"}
	return dialect.Table{
		{Class: sinks.ClassToken, Codes: auth, Says: []string{"invalid access_token"}},
		{Class: sinks.ClassConfig, Codes: auth, Says: []string{
			"partner_id", "app is deleted", "permissions for authorizations", "no permission to current api",
			"cnsc shop not upgraded",
		}},
		{Class: sinks.ClassConfig, Codes: param, Says: []string{
			"timestamp", "sign in query", "partner_id", "access_token in query", "shop_id", "request path", "gateway",
		}},
		{Class: sinks.ClassNotFound, Codes: param, Says: []string{"wrong model_id", "information you queried is not found"}},
		{Class: sinks.ClassNotEditable, Codes: auth, Says: []string{"holiday mode"}},
		{Class: sinks.ClassBelowReserved, Says: []string{
			"more than reserved stock", "larger than reserved stock", "less than reserve stock", "less than reserved stock",
		}},
		{Class: sinks.ClassLocation, Says: []string{
			"lack of location_id", "location_id input is not matched", "do not have right to use seller location_id",
			"invalid stock location id", "multi warehouse, please input location id", "different stock structure",
		}},
		{Class: sinks.ClassManagedElsewhere, Says: []string{"must be equal to 0"}}, // a shop whose stock Shopee keeps
		{Class: sinks.ClassPromoLock, Says: []string{"under promotion", "in promotion"}},
		{Class: sinks.ClassNotFound, Says: []string{"model not found", "model is not found", "model_id not exist"}},
	}
}

// byCode are the rules that look at codes alone.
func byCode() dialect.Table {
	return dialect.Table{
		{Class: sinks.ClassToken, Codes: []string{"invalid_acceess_token", "invalid_access_token"}}, // misspelt by them
		{Class: sinks.ClassShopUnauthorised, Codes: []string{
			"refresh_token_expired", "error_shop_refresh_token", "shop_access_expired", // of a refresh
			"shop_no_linked", "partner_shop_no_link",
			"shop_banned", "error_seller_under_penalty", "error_kyc_auth",
		}},
		{Class: sinks.ClassConfig, Codes: []string{
			"error_sign", "source_ip_undeclared", "error_partner_key_expired", "error_api_permission", "error_perm_non_admin",
			"invalid_partner_id", "error_api_call_restricted", "api_suspended", "error_ashop_api_permission",
			"error_shop", "error_shop_not_found", "error_param_shop_id_not_found",
		}},
		{Class: sinks.ClassNotFound, Codes: []string{
			"error_item_not_found", "error_item_not_belong_shop", "error_nil_shopid_or_itemid",
			"error_edit_item_stock_for_item_has_model", // it got variants: the mapping is an old one
		}},
		{Class: sinks.ClassNotEditable, Codes: []string{"error_item_uneditable", "error_holiday_mode_change_stock"}},
		{Class: sinks.ClassPromoLock, Codes: []string{
			"error_cannt_edit_stock_in_promotion", "error_promotion_cantnot_update_stock",
			"error_model_update_stock_model_in_promotion", "error_in_item_promotion_nomodel_to_models",
		}},
		{Class: sinks.ClassLocation, Codes: []string{"error_not_in_whitelist"}},
		{Class: sinks.ClassManagedElsewhere, Codes: []string{
			"error_wms_shop_block_upate_stock", "error_busi_cannot_edit_vsku",
		}},
		{Class: sinks.ClassThrottle, Codes: []string{"error_rate_limit", quotaSpent}},
		{Class: sinks.ClassTransient, Codes: []string{
			"error_server", "error_inner", "error_system_busy", "error_network", "error_data", updateFailed,
		}},
		{Class: sinks.ClassTransient, Says: []string{
			"system error", "try again", "try later", "busy", "timeout", "timed out",
		}},
		{Class: sinks.ClassQuantity}, // whatever else: refused until something changes
	}
}

// reason returns what the reason for which one model failed means: a text without a code.
func reason(text string) sinks.Outcome { return classify("failed_model", text) }
