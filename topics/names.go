package topics

import "strings"

// The base names of the topics. Prefix.Name makes a topic's full name of one.
const (
	Mutations         = "mutations"
	Orders            = "orders"
	Commands          = "commands"
	AvailabilityTopic = "availability"
	Changelog         = "changelog"
	DeadLetters       = "dead-letters"
	Items             = "items"
	Stores            = "stores"
	ItemSettingsTopic = "item-settings"
	Listings          = "listings"
	SyncStatusTopic   = "sync-status"
	SyncLogTopic      = "sync-log"
	AuditTopic        = "audit"
)

// DefaultPrefix is the prefix of an installation that chose no other.
const DefaultPrefix Prefix = "stock."

// Prefix starts the name of every topic, group and transactional id of one installation.
type Prefix string

// Name returns the full name of the topic with that base name.
func (p Prefix) Name(base string) string { return string(p) + base }

// Base returns the base name of a full topic name; ok is false when the name is not one of the prefix.
func (p Prefix) Base(name string) (base string, ok bool) { return strings.CutPrefix(name, string(p)) }
