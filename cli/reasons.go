package cli

import "stocksync/topics"

// reasonText says in a sentence why a SKU is where it is in a store, and what mends it.
func reasonText(r topics.SyncReason) string {
	for _, known := range reasonTexts() {
		if known.reason == r {
			return known.text
		}
	}
	return string(r)
}

// reasonTextOf pairs a reason with its text.
type reasonTextOf struct {
	reason topics.SyncReason
	text   string
}

// reasonTexts returns the text of every reason, in their order of precedence.
func reasonTexts() []reasonTextOf {
	return []reasonTextOf{
		{topics.SyncConfigError, "The store's record is invalid, so nothing is sent: correct it."},
		{topics.SyncStoreDisabled, "Stock updates are disabled for the store: enable them."},
		{topics.SyncPreview, "The store is in preview, everything is computed and nothing sent: set its mode to live."},
		{topics.SyncShopUnauthorised, "The shop withdrew the authorisation: authorise it again."},
		{topics.SyncAuthExpired, "The shop's token has expired and is being renewed."},
		{topics.SyncShopClosed, "The shop is closed or on holiday: open it on the marketplace."},
		{topics.SyncNoWarehouse, "No warehouse is chosen for the store: choose the warehouses whose stock it offers."},
		{topics.SyncItemDisabled, "Stock updates are disabled for this SKU by a person: enable them."},
		{topics.SyncAutoDisabled, "Disabled by itself, because no listing has this SKU: correct the listing's SKU."},
		{topics.SyncMappingPending, "The store's catalogue has not been read completely since the SKU was first seen."},
		{topics.SyncSKUMismatch, "No listing has exactly this SKU; case and spaces count: correct the listing's SKU."},
		{topics.SyncNoTransactionYet, "No stock mutation and no order was seen for this SKU yet, so nothing is sent."},
		{topics.SyncListingDeleted, "The listing was deleted on the marketplace: list it again."},
		{topics.SyncListingBanned, "The marketplace banned the listing: settle it there."},
		{topics.SyncListingArchived, "The listing is archived: activate it on the marketplace."},
		{topics.SyncListingInactive, "The listing is inactive: activate it on the marketplace."},
		{topics.SyncListingUntracked, "The listing does not track stock: switch tracking on."},
		{topics.SyncManagedElsewhere, "Another system manages this listing's stock: choose one of the two."},
		{topics.SyncLocationMissing, "A location of the store's settings is not in the shop: correct the locations."},
		{topics.SyncBraked, "Too many SKUs would fall to 0 at once: look why, then release the brake."},
		{topics.SyncPromoLocked, "A promotion locks the quantity: it is sent when the promotion ends."},
		{topics.SyncRaiseOnly, "A promotion lets the quantity only rise: it is lowered when the promotion ends."},
		{topics.SyncBelowReserved, "The shop has promised more than there is: its floor was sent, the shortfall is shown."},
		{topics.SyncQuantityRefused, "The shop refused the quantity: see its answer."},
		{topics.SyncMarketplaceError, "The shop answered with an error: it is tried again."},
		{topics.SyncRateLimited, "The shop takes no more requests now: it is sent as soon as it does."},
		{topics.SyncWaiting, "Waiting to be sent."},
		{topics.SyncChangedOnMarketplace, "The quantity was changed on the marketplace: it is being repaired."},
		{topics.SyncZeroAvailable, "In sync at 0, because Reserved is not below Actual."},
		{topics.SyncZeroByRule, "In sync at 0 by a rule: buffer, percent, min or max."},
		{topics.SyncInSync, "In sync."},
	}
}
