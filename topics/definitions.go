package topics

import (
	"maps"
	"slices"
	"strconv"
	"time"
)

// PartitionClass says which number decides a topic's count of partitions.
type PartitionClass uint8

// The partition classes.
const (
	PartitionsSKU  PartitionClass = iota // P: as many as mutations has; what ops scale
	PartitionsSink                       // S: chosen when the topic is made
	PartitionsOne
)

// String returns the class as the design's table writes it.
func (c PartitionClass) String() string {
	switch c {
	case PartitionsSKU:
		return "P"
	case PartitionsSink:
		return "S"
	case PartitionsOne:
		return "1"
	}
	return "PartitionClass(" + strconv.Itoa(int(c)) + ")"
}

// The values of cleanup.policy.
const (
	CleanupDelete  = "delete"
	CleanupCompact = "compact"
)

// The names of the topic settings that stocksync makes and checks.
const (
	settingCleanup       = "cleanup.policy"
	settingTimestampType = "message.timestamp.type"
	settingRetention     = "retention.ms"
	settingRetentionSize = "retention.bytes"
	settingMaxBytes      = "max.message.bytes"
	settingTombstones    = "delete.retention.ms"
	settingCompactionLag = "min.compaction.lag.ms"
	settingMinISR        = "min.insync.replicas"
	settingUnclean       = "unclean.leader.election.enable"
)

// logAppendTime makes the broker's clock the time stamp of a record.
const logAppendTime = "LogAppendTime"

// Definition is what one topic should be.
type Definition struct {
	Base       string
	Partitions PartitionClass
	Cleanup    string            // CleanupDelete or CleanupCompact
	Key        string            // what the record key is, in words
	Configs    map[string]string // the topic's settings but for cleanup.policy; others are the broker's
	Guarded    bool              // never loses an acknowledged write: see guards
}

// Definitions returns every topic, inputs first. The caller owns the result.
func Definitions() []Definition {
	const (
		week  = 7 * 24 * time.Hour
		month = 30 * 24 * time.Hour
		year  = 365 * 24 * time.Hour
	)
	compacted := map[string]string{settingTombstones: millis(week)}
	lagging := with(compacted, settingCompactionLag, millis(week))
	large := strconv.Itoa(MaxOutputBytes)
	input := map[string]string{settingTimestampType: logAppendTime}
	ledger := with(input, settingMaxBytes, strconv.Itoa(MaxInputBytes))
	return []Definition{
		{Mutations, PartitionsSKU, CleanupDelete, "SKU", ledger, false},
		{Orders, PartitionsSKU, CleanupDelete, "SKU", maps.Clone(ledger), false},
		{Commands, PartitionsSKU, CleanupDelete, "none", with(input, settingRetention, millis(week)), false},
		{AvailabilityTopic, PartitionsSKU, CleanupCompact, "SKU", with(lagging, settingMaxBytes, large), true},
		{Changelog, PartitionsSKU, CleanupCompact, "internal", with(compacted, settingMaxBytes, large), true},
		{
			DeadLetters, PartitionsSKU, CleanupDelete, "original key",
			map[string]string{settingRetention: millis(month), settingMaxBytes: large},
			false,
		},
		{Items, PartitionsSink, CleanupCompact, "SKU", maps.Clone(compacted), false},
		{Stores, PartitionsSink, CleanupCompact, "store id", maps.Clone(compacted), false},
		{ItemSettingsTopic, PartitionsSink, CleanupCompact, "store|sku", maps.Clone(compacted), false},
		{Listings, PartitionsSink, CleanupCompact, "store|sku", maps.Clone(compacted), false},
		{SyncStatusTopic, PartitionsSink, CleanupCompact, "store|sku", maps.Clone(lagging), false},
		{
			SyncLogTopic, PartitionsSink, CleanupDelete, "store|sku",
			map[string]string{settingRetention: millis(month)},
			false,
		},
		{AuditTopic, PartitionsOne, CleanupDelete, "actor", map[string]string{settingRetention: millis(year)}, false},
	}
}

// guards returns the settings of a guarded topic with three replicas or more: a write counts when two have it, and no
// replica that lacks it becomes the leader.
func guards() map[string]string {
	return map[string]string{settingMinISR: "2", settingUnclean: "false"}
}

// guardedReplicas is how many replicas a guarded topic needs for its guards.
const guardedReplicas = 3

// with returns a copy of configs with one more.
func with(configs map[string]string, name, value string) map[string]string {
	more := maps.Clone(configs)
	more[name] = value
	return more
}

// millis writes a duration as Kafka's settings take it.
func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// settings returns the settings to create the topic with, cleanup.policy included.
func (d *Definition) settings(deleteChangelog bool) map[string]string {
	settings := with(d.Configs, settingCleanup, d.Cleanup)
	if d.Base == Changelog && deleteChangelog {
		settings[settingCleanup] = CleanupDelete
		settings[settingRetention], settings[settingRetentionSize] = "-1", "-1"
		delete(settings, settingTombstones)
	}
	return settings
}

// settingNames returns the names of all settings of any topic that are looked at, sorted.
func settingNames() []string {
	return slices.Sorted(slices.Values([]string{
		settingCleanup, settingTimestampType, settingRetention, settingRetentionSize, settingMaxBytes,
		settingTombstones, settingCompactionLag, settingMinISR, settingUnclean,
	}))
}
