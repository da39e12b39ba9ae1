package sinks

import (
	"fmt"

	"stocksync/topics"
)

// Class says what a marketplace's answer about one update means. The list is closed: adapters translate
// every answer into one of these, and the reconciler knows nothing else of marketplaces.
type Class uint8

// The classes. The zero Class is none of them.
const (
	ClassOK               Class = iota + 1
	ClassNotFound               // the product is not there: the mapping is broken
	ClassNotEditable            // it is there and may not be changed: banned, archived, under review
	ClassPromoLock              // nothing may be sent during a campaign
	ClassBelowReserved          // less than the shop has promised
	ClassRaiseOnly              // may go up, not down, during a campaign
	ClassToken                  // the access token is refused: refresh and try again
	ClassShopUnauthorised       // the shop took its consent back
	ClassLocation               // the shop's warehouse is unknown or missing
	ClassQuantity               // the number is refused
	ClassThrottle               // too many requests
	ClassTransient              // it may work later
	ClassConfig                 // our application, signature, address or scope is wrong
	ClassManagedElsewhere       // the marketplace itself keeps this stock
)

// CodeCredentials is the code of a ClassConfig outcome whose cause is that the store's secrets could not be
// read. No request was made; the reconciler goes on when they can be.
const CodeCredentials = "credentials"

// CodeShopClosed is the code of a ClassNotEditable outcome that is about the whole shop: it is closed, or its
// seller on holiday. The store is left alone for a while, and every pair says so.
const CodeShopClosed = "shop_closed"

// Classes returns every class.
func Classes() []Class {
	list := make([]Class, 0, ClassManagedElsewhere)
	for c := ClassOK; c <= ClassManagedElsewhere; c++ {
		list = append(list, c)
	}
	return list
}

// Outcome returns the name of the class in the sync log.
func (c Class) Outcome() topics.SyncOutcome {
	switch c {
	case ClassOK:
		return topics.OutcomeOK
	case ClassNotFound:
		return topics.OutcomeNotFound
	case ClassNotEditable:
		return topics.OutcomeNotEditable
	case ClassPromoLock:
		return topics.OutcomePromoLock
	case ClassBelowReserved:
		return topics.OutcomeBelowReserved
	case ClassRaiseOnly:
		return topics.OutcomeRaiseOnly
	case ClassToken:
		return topics.OutcomeToken
	case ClassShopUnauthorised:
		return topics.OutcomeShopUnauthorised
	case ClassLocation:
		return topics.OutcomeLocation
	case ClassQuantity:
		return topics.OutcomeQuantity
	case ClassThrottle:
		return topics.OutcomeThrottle
	case ClassTransient:
		return topics.OutcomeTransient
	case ClassConfig:
		return topics.OutcomeConfig
	case ClassManagedElsewhere:
		return topics.OutcomeManagedElsewhere
	}
	return "none"
}

// String returns the name of the class.
func (c Class) String() string { return string(c.Outcome()) }

// ParseClass returns the class of that name.
func ParseClass(name string) (Class, error) {
	for _, c := range Classes() {
		if c.String() == name {
			return c, nil
		}
	}
	return 0, fmt.Errorf("%q is not a class of outcomes", name)
}

// reason is what the status of a pair says after such an answer.
func (c Class) reason() topics.SyncReason {
	switch c {
	case ClassOK:
		return topics.SyncInSync
	case ClassNotFound:
		return topics.SyncSKUMismatch
	case ClassNotEditable:
		return topics.SyncListingInactive
	case ClassPromoLock:
		return topics.SyncPromoLocked
	case ClassBelowReserved:
		return topics.SyncBelowReserved
	case ClassRaiseOnly:
		return topics.SyncRaiseOnly
	case ClassToken:
		return topics.SyncAuthExpired
	case ClassShopUnauthorised:
		return topics.SyncShopUnauthorised
	case ClassLocation:
		return topics.SyncLocationMissing
	case ClassQuantity:
		return topics.SyncQuantityRefused
	case ClassThrottle:
		return topics.SyncRateLimited
	case ClassTransient:
		return topics.SyncMarketplaceError
	case ClassConfig:
		return topics.SyncConfigError
	case ClassManagedElsewhere:
		return topics.SyncManagedElsewhere
	}
	return topics.SyncMarketplaceError
}

// handling is what the reconciler does about a class.
type handling uint8

const (
	handleDone   handling = iota // delivered
	handleRetry                  // try again after a while
	handleWindow                 // try again at the end of the campaign's window
	handleChange                 // not again until something about the pair changes
	handleStop                   // no request to this store until something about the store changes
)

func (c Class) handling() handling {
	switch c {
	case ClassOK:
		return handleDone
	case ClassTransient, ClassThrottle, ClassToken:
		return handleRetry
	case ClassPromoLock, ClassRaiseOnly:
		return handleWindow
	case ClassShopUnauthorised, ClassConfig:
		return handleStop
	case ClassNotFound, ClassNotEditable, ClassBelowReserved, ClassLocation, ClassQuantity, ClassManagedElsewhere:
		return handleChange
	}
	return handleRetry
}

// ofNumber tells whether another number may be taken where this one was refused.
func (c Class) ofNumber() bool { return c == ClassQuantity || c == ClassBelowReserved }
