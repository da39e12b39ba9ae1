package shopee_test

import (
	"testing"

	"stocksync/sinks"
	"stocksync/sinks/conformance"
	"stocksync/sinks/shopee"
	"stocksync/sinks/token"
	shop "stocksync/testenv/twin/shopee"
)

// subject is what the suite tries.
func subject(t *testing.T, cfg shop.Config) conformance.Subject {
	dir := t.TempDir()
	restart := func() sinks.Adapter { return shopee.Adapter{Tokens: token.NewSafe(dir)} }
	return conformance.Subject{
		Adapter: restart(), Restart: restart,
		Start: func(t *testing.T) conformance.Shop { return shop.Start(t, cfg) },
		Answers: []conformance.Answer{
			{Class: sinks.ClassQuantity, Message: "Parameter is not match the constraints, stock"},
			{Class: sinks.ClassBelowReserved, Message: "Total stock must be more than reserved stock."},
			{Class: sinks.ClassBelowReserved, Code: "error.param", Message: "Can not update item with stock less than reserved stock", Whole: true},
			{Class: sinks.ClassLocation, Message: "Lack of location_id, please double check."},
			{Class: sinks.ClassLocation, Code: "product.error_inner", Message: "Invalid stock location ID", Whole: true},
			{Class: sinks.ClassNotFound, Code: "error_param", Message: "Wrong model_id.", Whole: true},
			{Class: sinks.ClassNotFound, Code: "product.error_item_not_found", Message: "Product not found", Whole: true},
			{Class: sinks.ClassNotEditable, Code: "error_item_uneditable", Message: "Can't edit this item.", Whole: true},
			{Class: sinks.ClassNotEditable, Code: "error_holiday_mode_change_stock", Message: "Cannot change stock in holiday mode.", Whole: true},
			{Class: sinks.ClassPromoLock, Code: "error_cannt_edit_stock_in_promotion", Message: "Normal_stock cannot be edited", Whole: true},
			{Class: sinks.ClassPromoLock, Message: "Model stock cannot be editted when item/model is in promotion."},
			{Class: sinks.ClassManagedElsewhere, Code: "error_wms_shop_block_upate_stock", Message: "Warehouse shop can't update stock.", Whole: true},
			{Class: sinks.ClassToken, Code: "error_auth", Message: "Invalid access_token.", Whole: true},
			{Class: sinks.ClassToken, Code: "common.invalid_acceess_token", Message: "Invalid access_token, please have a check.", Whole: true},
			{Class: sinks.ClassShopUnauthorised, Code: "shop_banned", Message: "The shop account has been banned.", Whole: true},
			{Class: sinks.ClassConfig, Code: "error_sign", Message: "Wrong sign.", Whole: true},
			{Class: sinks.ClassConfig, Code: "error_param", Message: "Timestamp is expired.", Whole: true},
			{Class: sinks.ClassThrottle, Code: "error_limit", Message: "The daily API call limit", Whole: true},
			{Class: sinks.ClassTransient, Code: "error_auth", Message: "System error, please try again later.", Whole: true},
			{Class: sinks.ClassTransient, Code: "error_server", Message: "Something wrong. Please try later.\t", Whole: true},
			{Class: sinks.ClassTransient, Message: "Our system is taking some time to respond, please try later."},
		},
		Never: map[sinks.Class]string{
			sinks.ClassRaiseOnly: "a promotion sets a floor, or locks stock altogether",
		},
	}
}

func TestConformance(t *testing.T) { conformance.Run(t, subject(t, shop.Config{})) }

func TestConformance_WithLocations(t *testing.T) {
	conformance.Run(t, subject(t, shop.Config{Locations: []string{"IDZ", "IDA"}}))
}
