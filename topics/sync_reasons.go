package topics

// SyncReason says why a pair is where it is.
type SyncReason string

// The reasons, in the order in which the first that holds is the reason of a status.
const (
	SyncConfigError      SyncReason = "config_error"
	SyncStoreDisabled    SyncReason = "store_disabled"
	SyncPreview          SyncReason = "preview"
	SyncShopUnauthorised SyncReason = "shop_unauthorised"
	SyncAuthExpired      SyncReason = "auth_expired"
	SyncShopClosed       SyncReason = "shop_closed"
	SyncNoWarehouse      SyncReason = "no_warehouse"

	SyncItemDisabled SyncReason = "item_disabled"
	SyncAutoDisabled SyncReason = "auto_disabled"

	SyncMappingPending   SyncReason = "mapping_pending"
	SyncSKUMismatch      SyncReason = "sku_mismatch"
	SyncNoTransactionYet SyncReason = "no_transaction_yet"

	SyncListingDeleted   SyncReason = "listing_deleted"
	SyncListingBanned    SyncReason = "listing_banned"
	SyncListingArchived  SyncReason = "listing_archived"
	SyncListingInactive  SyncReason = "listing_inactive"
	SyncListingUntracked SyncReason = "listing_untracked"
	SyncManagedElsewhere SyncReason = "managed_elsewhere"
	SyncLocationMissing  SyncReason = "location_missing"

	SyncBraked SyncReason = "braked"

	SyncPromoLocked   SyncReason = "promo_locked"
	SyncRaiseOnly     SyncReason = "raise_only"
	SyncBelowReserved SyncReason = "below_reserved"

	SyncQuantityRefused  SyncReason = "quantity_refused"
	SyncMarketplaceError SyncReason = "marketplace_error"
	SyncRateLimited      SyncReason = "rate_limited"
	SyncWaiting          SyncReason = "waiting"

	SyncChangedOnMarketplace SyncReason = "changed_on_marketplace"
	SyncZeroAvailable        SyncReason = "zero_available"
	SyncZeroByRule           SyncReason = "zero_by_rule"
	SyncInSync               SyncReason = "in_sync"
)

// SyncReasons returns every reason, in the order of precedence.
func SyncReasons() []SyncReason {
	return []SyncReason{
		SyncConfigError, SyncStoreDisabled, SyncPreview, SyncShopUnauthorised, SyncAuthExpired, SyncShopClosed,
		SyncNoWarehouse,
		SyncItemDisabled, SyncAutoDisabled,
		SyncMappingPending, SyncSKUMismatch, SyncNoTransactionYet,
		SyncListingDeleted, SyncListingBanned, SyncListingArchived, SyncListingInactive, SyncListingUntracked,
		SyncManagedElsewhere, SyncLocationMissing,
		SyncBraked,
		SyncPromoLocked, SyncRaiseOnly, SyncBelowReserved,
		SyncQuantityRefused, SyncMarketplaceError, SyncRateLimited, SyncWaiting,
		SyncChangedOnMarketplace, SyncZeroAvailable, SyncZeroByRule, SyncInSync,
	}
}

// State returns the state that follows from a reason; SyncWaiting is StatePending here, and StateSending while a
// request is in flight.
func (r SyncReason) State() SyncState {
	switch r {
	case SyncInSync, SyncZeroAvailable, SyncZeroByRule:
		return StateSynced
	case SyncWaiting, SyncChangedOnMarketplace:
		return StatePending
	case SyncMarketplaceError, SyncRateLimited, SyncAuthExpired:
		return StateRetrying
	case SyncStoreDisabled, SyncItemDisabled, SyncAutoDisabled:
		return StateDisabled
	case SyncMappingPending, SyncSKUMismatch:
		return StateUnmapped
	case SyncNoTransactionYet:
		return StateNever
	default:
		return StateBlocked
	}
}
