package topics_test

import (
	"fmt"
	"slices"
	"testing"

	"stocksync/topics"
)

// The table is the contract's: base name, partitions, cleanup, key.
func TestDefinitions_AreTheContracts(t *testing.T) {
	want := []string{
		"mutations P delete SKU",
		"orders P delete SKU",
		"commands P delete none",
		"availability P compact SKU guarded",
		"changelog P compact internal guarded",
		"dead-letters P delete original key",
		"items S compact SKU",
		"stores S compact store id",
		"item-settings S compact store|sku",
		"listings S compact store|sku",
		"sync-status S compact store|sku",
		"sync-log S delete store|sku",
		"audit 1 delete actor",
	}
	var got []string
	for _, d := range topics.Definitions() {
		line := fmt.Sprint(d.Base, " ", d.Partitions, " ", d.Cleanup, " ", d.Key)
		if d.Guarded {
			line += " guarded"
		}
		got = append(got, line)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := topics.PartitionClass(9).String(), "PartitionClass(9)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDefinitions_KeepRecordsAsLongAsTheContractSays(t *testing.T) {
	const day = 86_400_000
	want := map[string]map[string]int64{
		topics.Mutations:         {"max.message.bytes": 2 << 20},
		topics.Orders:            {"max.message.bytes": 2 << 20},
		topics.Commands:          {"retention.ms": 7 * day},
		topics.AvailabilityTopic: {"max.message.bytes": 8 << 20, "delete.retention.ms": 7 * day, "min.compaction.lag.ms": 7 * day},
		topics.Changelog:         {"max.message.bytes": 8 << 20, "delete.retention.ms": 7 * day},
		topics.DeadLetters:       {"max.message.bytes": 8 << 20, "retention.ms": 30 * day},
		topics.Items:             {"delete.retention.ms": 7 * day},
		topics.Stores:            {"delete.retention.ms": 7 * day},
		topics.ItemSettingsTopic: {"delete.retention.ms": 7 * day},
		topics.Listings:          {"delete.retention.ms": 7 * day},
		topics.SyncStatusTopic:   {"delete.retention.ms": 7 * day, "min.compaction.lag.ms": 7 * day},
		topics.SyncLogTopic:      {"retention.ms": 30 * day},
		topics.AuditTopic:        {"retention.ms": 365 * day},
	}
	for _, d := range topics.Definitions() {
		settings := map[string]string{}
		for name, value := range want[d.Base] {
			settings[name] = fmt.Sprint(value)
		}
		if d.Base == topics.Mutations || d.Base == topics.Orders || d.Base == topics.Commands {
			settings["message.timestamp.type"] = "LogAppendTime"
		}
		if got := fmt.Sprint(d.Configs); got != fmt.Sprint(settings) {
			t.Errorf("%s: got %s, want %s", d.Base, got, fmt.Sprint(settings))
		}
	}
}
