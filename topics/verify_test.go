package topics_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"stocksync/topics"
)

// asDefined returns the report of every topic as it should be, with three replicas and their guards, after change.
func asDefined(change func(base string, t *topics.TopicReport)) []topics.TopicReport {
	var all []topics.TopicReport
	for _, d := range topics.Definitions() {
		t := topics.TopicReport{
			Base: d.Base, Name: topics.DefaultPrefix.Name(d.Base), Partitions: 4, Replicas: 3,
			Settings: topics.WantedSettings(&d, false),
		}
		if d.Partitions == topics.PartitionsOne {
			t.Partitions = 1
		}
		if d.Guarded {
			t.Settings["min.insync.replicas"], t.Settings["unclean.leader.election.enable"] = "2", "false"
		}
		change(d.Base, &t)
		all = append(all, t)
	}
	return all
}

func TestVerify_IsContentWithWhatIsDefinedOrMore(t *testing.T) {
	rows := map[string]func(base string, t *topics.TopicReport){
		"as defined": func(string, *topics.TopicReport) {},
		"more than wanted": func(_ string, t *topics.TopicReport) {
			for name, value := range t.Settings {
				switch name {
				case "retention.ms":
					t.Settings[name] = "-1"
				case "max.message.bytes", "delete.retention.ms", "min.compaction.lag.ms":
					t.Settings[name] = value + "0"
				case "min.insync.replicas":
					t.Settings[name] = "3"
				}
			}
		},
	}
	for name, change := range rows {
		if got := topics.Verify(4, 4, false, asDefined(change)); len(got) > 0 {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestVerify_NamesSettingFoundAndWanted(t *testing.T) {
	set := func(name, value string) func(*topics.TopicReport) {
		return func(t *topics.TopicReport) { t.Settings[name] = value }
	}
	partitions := func(n int32) func(*topics.TopicReport) { return func(t *topics.TopicReport) { t.Partitions = n } }
	replicas := func(n int) func(*topics.TopicReport) { return func(t *topics.TopicReport) { t.Replicas = n } }
	const errs, warns = topics.LevelError, topics.LevelWarning
	rows := []struct {
		base                   string
		change                 func(*topics.TopicReport)
		level                  topics.Level
		setting, found, wanted string
		says                   string // in why or mend
	}{
		{topics.Orders, partitions(0), errs, "topic", "missing", "there", "stocksync topics ensure"},
		{topics.Orders, partitions(3), errs, "partitions", "3", "4", "stocksync topics scale --partitions 4"},
		{topics.Changelog, partitions(8), warns, "partitions", "8", "4", "stocksync topics scale --partitions 8"},
		{topics.Stores, partitions(9), warns, "partitions", "9", "4", "not as configured"},
		{topics.Stores, partitions(2), warns, "partitions", "2", "4", "not as configured"},
		{topics.AuditTopic, partitions(2), warns, "partitions", "2", "1", "not as configured"},
		{topics.Changelog, replicas(1), warns, "replicas", "1", "3", "LOSES THE STOCK OF EVERY SKU"},
		{topics.AvailabilityTopic, replicas(1), warns, "replicas", "1", "3", "one lost disk"},
		{topics.Changelog, replicas(2), warns, "replicas", "2", "3", "three to outlive"},
		{topics.Stores, set("cleanup.policy", "delete"), errs, "cleanup.policy", "delete", "compact", "lost, current or not"},
		{topics.Stores, set("cleanup.policy", "compact,delete"), errs, "cleanup.policy", "compact,delete", "compact", "lost"},
		{topics.Changelog, set("cleanup.policy", "delete"), errs, "cleanup.policy", "delete", "compact", "--entity-name stock.changelog --add-config cleanup.policy=compact"},
		{topics.Mutations, set("cleanup.policy", "compact"), errs, "cleanup.policy", "compact", "delete", "all but the last record"},
		{topics.Mutations, set("cleanup.policy", ""), errs, "cleanup.policy", "not set", "delete", "kafka-configs.sh"},
		{topics.Mutations, set("message.timestamp.type", "CreateTime"), errs, "message.timestamp.type", "CreateTime", "LogAppendTime", "producer's clock"},
		{topics.Mutations, set("max.message.bytes", "1048588"), warns, "max.message.bytes", "1048588", "2097152", "forwarded"},
		{topics.Changelog, set("max.message.bytes", "1048588"), errs, "max.message.bytes", "1048588", "8388608", "stop its task"},
		{topics.DeadLetters, set("max.message.bytes", "1048588"), errs, "max.message.bytes", "1048588", "8388608", "stop its task"},
		{topics.Listings, set("delete.retention.ms", "86400000"), errs, "delete.retention.ms", "86400000", "604800000", "away for some days"},
		{topics.SyncStatusTopic, set("min.compaction.lag.ms", "0"), warns, "min.compaction.lag.ms", "0", "604800000", "steps in between"},
		{topics.AuditTopic, set("retention.ms", "604800000"), warns, "retention.ms", "604800000", "31536000000", "another time"},
		{topics.Changelog, set("min.insync.replicas", "1"), warns, "min.insync.replicas", "1", "2", "lost broker"},
		{topics.AvailabilityTopic, set("unclean.leader.election.enable", "true"), warns, "unclean.leader.election.enable", "true", "false", "lost broker"},
		{topics.Items, func(t *topics.TopicReport) { t.Leaderless = []int32{3} }, errs, "leader", "none for partition 3", "one", "no broker"},
	}
	for _, row := range rows {
		t.Run(row.base+" "+row.setting+" "+row.found, func(t *testing.T) {
			found := topics.Verify(4, 4, false, asDefined(func(base string, r *topics.TopicReport) {
				if base == row.base {
					row.change(r)
				}
			}))
			if len(found) != 1 {
				t.Fatalf("got %v, want one finding", found)
			}
			f := found[0]
			if f.Level != row.level || f.Topic != "stock."+row.base || f.Setting != row.setting || f.Found != row.found || f.Wanted != row.wanted {
				t.Errorf("got %+v, want %s %s, found %s, wanted %s", f, row.level, row.setting, row.found, row.wanted)
			}
			if !strings.Contains(f.Why+f.Mend, row.says) {
				t.Errorf("%s lacks %q", f, row.says)
			}
		})
	}
}

func TestVerify_FindsEveryDifferenceOfATopic(t *testing.T) {
	found := topics.Verify(4, 4, false, asDefined(func(base string, r *topics.TopicReport) {
		if base == topics.Mutations {
			r.Partitions, r.Leaderless = 3, []int32{1, 2}
			r.Settings = map[string]string{"cleanup.policy": "compact", "message.timestamp.type": "CreateTime"}
		}
		if base == topics.AvailabilityTopic {
			r.Replicas, r.Settings["max.message.bytes"] = 1, "1"
		}
	}))
	var got []string
	for _, f := range found {
		got = append(got, fmt.Sprint(f.Level, " ", f.Topic, " ", f.Setting))
	}
	want := []string{ // errors first, then in the order of the topics
		"error stock.mutations cleanup.policy", "error stock.mutations leader", "error stock.mutations leader",
		"error stock.mutations message.timestamp.type", "error stock.mutations partitions", "error stock.availability max.message.bytes",
		"warning stock.mutations max.message.bytes", "warning stock.availability replicas",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestVerify_TakesADeletedChangelogWhereItIsAllowed(t *testing.T) {
	deleted := func(retention string) []topics.TopicReport {
		return asDefined(func(base string, r *topics.TopicReport) {
			if base == topics.Changelog {
				delete(r.Settings, "delete.retention.ms")
				r.Settings["cleanup.policy"], r.Settings["retention.ms"], r.Settings["retention.bytes"] = "delete", retention, "-1"
			}
		})
	}
	if got := topics.Verify(4, 4, true, deleted("-1")); len(got) > 0 {
		t.Errorf("kept for ever: got %v", got)
	}
	got := topics.Verify(4, 4, true, deleted("604800000"))
	if len(got) != 1 || got[0].Level != topics.LevelError || got[0].Setting != "retention.ms" || !strings.Contains(got[0].Why, "state") {
		t.Errorf("kept a week: got %v", got)
	}
	if got := topics.Verify(4, 4, true, asDefined(func(string, *topics.TopicReport) {})); len(got) > 0 {
		t.Errorf("compacted all the same: got %v", got)
	}
	got = topics.Verify(4, 4, true, asDefined(func(base string, r *topics.TopicReport) {
		if base == topics.Changelog {
			r.Settings["max.message.bytes"] = "1048588"
		}
	}))
	if len(got) != 1 || got[0].Setting != "max.message.bytes" {
		t.Errorf("compacted, with small records: got %v", got)
	}
}
