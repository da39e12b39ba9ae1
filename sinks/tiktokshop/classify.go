package tiktokshop

import (
	"stocksync/sinks"
	"stocksync/sinks/dialect"
)

// wrapper is the code of an error whose reason lies inside.
const wrapper = "12052990"

// productCodes are those codes about a request that are about its product, and so about every SKU in it alike.
func productCodes() []string {
	return []string{
		"12052032", "12052260", "12052031", "12019008", "12019150", // there is no such product
		"12052048", "12052034", // it is another shop's
	}
}

// classify returns what an error means.
func classify(code, message string) sinks.Outcome {
	o := meanings().Outcome(code, message)
	if code == "12052700" || code == "12052704" { // the seller is inactive, or missing
		o.Code = sinks.CodeShopClosed
	}
	return o
}

// meanings is the table of the codes. One code may have a dozen messages: those rules come first.
func meanings() dialect.Table {
	return dialect.Table{
		{Class: sinks.ClassToken, Codes: []string{"36009004"}, Says: []string{"access_token", "x-tts-access-token"}},
		{Class: sinks.ClassToken, Codes: []string{"105002", "105001"}},
		{Class: sinks.ClassNotFound, Codes: productCodes()},
		{Class: sinks.ClassNotFound, Codes: []string{
			"12052556", "12052557", // the SKU is missing, or another product's
			"12052036", // there is no SKU in the request
			"12052553", // there is one twice
		}},
		{Class: sinks.ClassNotEditable, Codes: []string{
			"12052901", "12019113", // not in this status
			"12052308",             // an appeal is pending
			"12052371",             // an auction is running
			"12052700", "12052704", // the seller is inactive, or missing
			"12052050", "12052160", "12052902", // the product's SKUs are not as they may be
			"12052535", "12052703", // the shop lacks a return warehouse, a tax number
		}},
		{Class: sinks.ClassRaiseOnly, Codes: []string{"12052393"}},
		{Class: sinks.ClassBelowReserved, Codes: []string{"12052146"}},
		{Class: sinks.ClassQuantity, Codes: []string{"12052055", "12019024"}},
		{Class: sinks.ClassLocation, Codes: []string{
			"12019022", "12019028", "12052037", "12052094", "12052095", "12052096", "12052097", "12052115", "12052207",
			"12052364", "12052403", "12052465", "12052516", "12052530", "12052531", "12052532", "12052533", "12052555",
		}},
		{Class: sinks.ClassManagedElsewhere, Codes: []string{
			"12052144",                         // a warehouse of the platform
			"12052382",                         // Dilayani Tokopedia
			"12052921",                         // shares its stock with another shop
			"12052503",                         // allocated together with others
			"12052141",                         // edited for all markets at once
			"12052850", "12052708", "12052849", // a combination
		}},
		{Class: sinks.ClassShopUnauthorised, Codes: []string{
			"105005",               // the consent lacks the scope
			"12019114", "12009014", // the seller lacks the permission
		}},
		{Class: sinks.ClassConfig, Codes: []string{
			"101000",   // token and shop_cipher do not belong together
			"36009033", // our address is not on the application's list
			"106001",   // the signature
			"106013",   // no shop_cipher
			"36009004", // a parameter
			"36009009", "36009010", "36009014", "36009022", "36009023",
		}},
		{Class: sinks.ClassThrottle, Codes: []string{"36009002", "12052109"}},
		{Class: sinks.ClassTransient, Codes: []string{
			"36009003", "36009007", "12001000", "12052881", "33001002",
			"12052332", // the shop is being merged with Tokopedia
			wrapper,    // which says no more
			tooMany,    // of a search, which is split then
		}},
	}
}

// refusals is the table of the codes by which a refresh is refused for good. The reference names none of them:
// they are from public clients, and whatever else is said of a refresh is tried again.
func refusals() dialect.Table {
	return dialect.Table{
		{Class: sinks.ClassConfig, Says: []string{"app_key", "app key", "app_secret", "app secret"}},
		{Class: sinks.ClassShopUnauthorised, Codes: []string{
			"36004004", "36004005", "98001004", "98001005", "98001006", "105001", "105002",
		}},
		{Class: sinks.ClassShopUnauthorised, Says: []string{"refresh_token", "refresh token", "auth code", "authoriz"}},
	}
}
