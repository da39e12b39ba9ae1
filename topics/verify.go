package topics

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// verifier compares topics with their definitions.
type verifier struct {
	prefix          Prefix
	deleteChangelog bool
	wanted          func(PartitionClass) int32 // 0 = any count will do
	findings        []Finding
}

// verify notes how one topic differs from its definition.
func (v *verifier) verify(d *Definition, t *TopicReport) {
	if t.Partitions == 0 {
		v.note(Finding{
			Level: LevelError, Topic: t.Name, Setting: "topic", Found: "missing", Wanted: "there",
			Mend: "stocksync topics ensure",
		})
		return
	}
	v.verifyPartitions(d, t)
	v.verifyReplicas(d, t)
	v.verifyCleanup(d, t)
	// A changelog that is compacted although it need not be is held to the rules of a compacted one.
	compacted := t.Settings[settingCleanup] == CleanupCompact
	for name, wanted := range d.settings(v.deleteChangelog && !compacted) {
		if name != settingCleanup {
			v.verifySetting(d, t, name, wanted)
		}
	}
	if d.Guarded && t.Replicas >= guardedReplicas {
		for name, wanted := range guards() {
			v.verifySetting(d, t, name, wanted)
		}
	}
	for _, p := range t.Leaderless {
		v.note(Finding{
			Level: LevelError, Topic: t.Name, Setting: "leader", Found: "none for partition " + strconv.Itoa(int(p)),
			Wanted: "one", Why: "no broker that holds the partition is up",
		})
	}
}

// note adds a finding.
func (v *verifier) note(f Finding) { v.findings = append(v.findings, f) }

// verifyPartitions notes a count other than wanted. A task owns the same partition number of every SKU-keyed topic,
// so one that has fewer than mutations has no place for the records of the last tasks.
func (v *verifier) verifyPartitions(d *Definition, t *TopicReport) {
	wanted := v.wanted(d.Partitions)
	if wanted == 0 || t.Partitions == wanted {
		return
	}
	f := Finding{
		Level: LevelWarning, Topic: t.Name, Setting: "partitions",
		Found: strconv.Itoa(int(t.Partitions)), Wanted: strconv.Itoa(int(wanted)),
	}
	switch {
	case d.Partitions != PartitionsSKU:
		f.Why = "works, but not as configured"
	case t.Partitions < wanted:
		f.Level = LevelError
		f.Why = "a task needs its partition of every SKU-keyed topic"
		f.Mend = "stocksync topics scale --partitions " + strconv.Itoa(int(wanted))
	default:
		f.Why = v.prefix.Name(Mutations) + " has fewer: a scale is under way, or stopped half-way"
		f.Mend = "stocksync topics scale --partitions " + strconv.Itoa(int(t.Partitions))
	}
	v.note(f)
}

// verifyReplicas warns of a guarded topic that lives on few disks.
func (v *verifier) verifyReplicas(d *Definition, t *TopicReport) {
	if !d.Guarded || t.Replicas >= guardedReplicas {
		return
	}
	f := Finding{
		Level: LevelWarning, Topic: t.Name, Setting: "replicas",
		Found: strconv.Itoa(t.Replicas), Wanted: strconv.Itoa(guardedReplicas),
		Mend: "kafka-reassign-partitions.sh",
	}
	switch {
	case d.Base == Changelog && t.Replicas < 2:
		f.Why = "ONE LOST DISK LOSES THE STOCK OF EVERY SKU: the changelog is the only copy of what was counted"
	case t.Replicas < 2:
		f.Why = "one lost disk loses it"
	default:
		f.Why = "min.insync.replicas=2 needs three to outlive a broker"
	}
	v.note(f)
}

// verifyCleanup notes a wrong cleanup.policy, which loses data: deletion takes the current value of a compacted topic,
// and compaction by SKU leaves one line of each ledger.
func (v *verifier) verifyCleanup(d *Definition, t *TopicReport) {
	found := t.Settings[settingCleanup]
	wanted := d.settings(v.deleteChangelog)[settingCleanup]
	if found == wanted || found == d.Cleanup {
		return
	}
	why := "what is older than retention.ms is lost, current or not"
	if wanted == CleanupDelete {
		why = "all but the last record of a key are lost"
	}
	v.note(Finding{
		Level: LevelError, Topic: t.Name, Setting: settingCleanup, Found: shownSetting(found), Wanted: wanted, Why: why,
		Mend: alter(t.Name, settingCleanup, wanted),
	})
}

// verifySetting notes a setting that is not as wanted. One that gives more than wanted is as good.
func (v *verifier) verifySetting(d *Definition, t *TopicReport, name, wanted string) {
	found := t.Settings[name]
	if found == wanted || (name != settingTimestampType && name != settingUnclean && atLeast(found, wanted)) {
		return
	}
	level, why := harm(d, name)
	v.note(Finding{
		Level: level, Topic: t.Name, Setting: name, Found: shownSetting(found), Wanted: wanted, Why: why,
		Mend: alter(t.Name, name, wanted),
	})
}

// harm tells what a wrong setting does, and how bad that is.
func harm(d *Definition, name string) (level Level, why string) {
	switch name {
	case settingTimestampType:
		return LevelError, "a producer's clock would decide retention and the nightly run"
	case settingMaxBytes:
		if d.Partitions == PartitionsSKU && d.Cleanup == CleanupDelete && d.Base != DeadLetters {
			return LevelWarning, "a large record that came to the wrong partition could not be forwarded"
		}
		return LevelError, "a large record would stop its task"
	case settingTombstones:
		return LevelError, "who was away for some days would not hear of what was deleted"
	case settingCompactionLag:
		return LevelWarning, "readers would miss the steps in between"
	case settingMinISR, settingUnclean:
		return LevelWarning, "a lost broker could take committed records with it"
	case settingRetention, settingRetentionSize:
		if d.Base == Changelog {
			return LevelError, "the state would be deleted"
		}
		return LevelWarning, "records are kept for another time"
	}
	return LevelWarning, ""
}

// atLeast tells whether a numeric setting is as wanted or more; -1 is without limit.
func atLeast(found, wanted string) bool {
	f, err1 := strconv.ParseInt(found, 10, 64)
	w, err2 := strconv.ParseInt(wanted, 10, 64)
	if err1 != nil || err2 != nil {
		return false
	}
	return f == -1 || (w != -1 && f >= w)
}

// alter returns the command that sets one setting of a topic.
func alter(topic, name, value string) string {
	return fmt.Sprintf("kafka-configs.sh --bootstrap-server ... --alter --entity-type topics --entity-name %s "+
		"--add-config %s=%s", topic, name, value)
}

// shownSetting shows a setting that the broker did not report.
func shownSetting(value string) string {
	if value == "" {
		return "not set"
	}
	return value
}

// sorted returns the findings topic by topic in the order given, errors before warnings.
func (v *verifier) sorted(order []TopicReport) []Finding {
	rank := make(map[string]int, len(order))
	for i, t := range order {
		rank[t.Name] = i
	}
	slices.SortFunc(v.findings, func(a, b Finding) int {
		if a.Level != b.Level {
			return strings.Compare(string(a.Level), string(b.Level))
		}
		if a.Topic != b.Topic {
			return rank[a.Topic] - rank[b.Topic]
		}
		return strings.Compare(a.Setting, b.Setting)
	})
	return v.findings
}
