package lazada

import (
	"regexp"
	"slices"
	"strconv"
	"time"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
)

// enveloped tells whether a code says only that the reasons are in detail.
func enveloped(code string) bool {
	return slices.Contains([]string{"500", "501", "503", "E500", "E501", "E503"}, code)
}

// classify returns what an error means.
func (s *session) classify(code, message string) sinks.Outcome {
	o := meanings().Outcome(code, message)
	if o.Class == sinks.ClassRaiseOnly {
		o.Until = endOf(message, s.zone)
	}
	if o.Code == "4128" { // the seller is locked
		o.Code = sinks.CodeShopClosed
	}
	return o
}

// meanings is the table of the codes. Numbers come with a leading E at times.
func meanings() dialect.Table {
	return dialect.Table{
		{Class: sinks.ClassBelowReserved, Says: []string{"negative sellable on channel inventory"}},
		{Class: sinks.ClassPromoLock, Says: []string{
			"thd_ic_err_f_ic_ability_pg_003", "thd_ic_err_f_ic_ability_pg_004", "edit was blocked by tag",
		}},
		{Class: sinks.ClassRaiseOnly, Says: []string{"may not decrease stock"}},
		{Class: sinks.ClassShopUnauthorised, Says: []string{"seller_not_permitted"}},
		{Class: sinks.ClassPromoLock, Codes: []string{"THD_IC_ERR_F_IC_ABILITY_PG_003", "THD_IC_ERR_F_IC_ABILITY_PG_004"}},
		{Class: sinks.ClassRaiseOnly, Codes: []string{"4170"}},
		{Class: sinks.ClassNotFound, Codes: []string{
			"4137", "ITEM_NOT_FOUND", "4136", "SELLER_SKU_NOT_FOUND", "207", "E207", "208", "E208", "E0002", "E0003",
			"EDIT_ITEM_NOT_BELONG_SELLER",
		}},
		{Class: sinks.ClassNotFound, Says: []string{
			"item_not_found", "seller_sku_not_found", "sku not exist", "item not exist",
		}},
		{Class: sinks.ClassNotEditable, Codes: []string{"E0004", "4155", "BIZ_CHECK_NO_EDIT_ITEM_LOCK", "4128", "LOCK"}},
		{Class: sinks.ClassNotEditable, Says: []string{"biz_check_no_edit_item_lock"}},
		{Class: sinks.ClassQuantity, Codes: []string{"4152", "THD_INVENTORY_ERR_INV_PARAM_ILLEGAL"}},
		{Class: sinks.ClassQuantity, Says: []string{"inv_param_illegal"}},
		{Class: sinks.ClassManagedElsewhere, Codes: []string{"4225"}},
		{Class: sinks.ClassToken, Codes: []string{"IllegalAccessToken"}},
		{Class: sinks.ClassShopUnauthorised, Codes: []string{
			"IllegalRefreshToken", "AUTH_TYPE_UNSUPPORTED", "SellerNotActive", "SellerNotVerified", "SELLER_NOT_PERMITTED",
		}},
		{Class: sinks.ClassConfig, Codes: []string{
			"IncompleteSignature", "MissingParameter", "InsufficientPermission", "InvalidCode", "InvalidAppKey",
			"AppWhiteIpLimit", // our address is not on the application's list
			"204", "E204", "4171", "4193", "4216",
		}},
		{Class: sinks.ClassThrottle, Codes: []string{
			"901", "E901", "998", "ApiCallLimit", "AppApiCallLimit", "AppCallLimit", "SellerCallLimit",
			"4154", "SYS_REQUEST_TOO_FAST", "HOT_KEY_BLOCK_EXCEPTION",
		}},
		{Class: sinks.ClassTransient, Codes: []string{
			"6", "E006", "E0006", "1000", "513", "ServiceTimeout", "E1002", "IC_EXCEPTION", "4159",
			"4147", // another request changes the item
			"500", "501", "503", "E500", "E501", "E503",
		}},
		{Class: sinks.ClassLocation, Says: []string{"warehouse"}}, // for which no code is known
	}
}

// window finds the two moments of a campaign in a message.
var window = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\s*-\s*(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)`)

// endOf returns when the window that a message tells ends; zero when it tells none.
func endOf(message string, zone time.Duration) time.Time {
	m := window.FindStringSubmatch(message)
	if m == nil {
		return time.Time{}
	}
	at, err := time.Parse(time.DateTime, m[1])
	if err != nil {
		return time.Time{}
	}
	return at.Add(-zone)
}

// ban finds how long requests are refused in a message.
var ban = regexp.MustCompile(`(\d+)\s*second`)

// banMost bounds what a message may ask for.
const banMost = time.Hour

// banOf returns for how long a message says that requests are refused; 0 when it does not say.
func banOf(message string) time.Duration {
	m := ban.FindStringSubmatch(message)
	if m == nil {
		return 0
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return banMost
	}
	return time.Duration(min(n, int64(banMost/time.Second))) * time.Second
}
