package topics_test

import (
	"strings"
	"testing"

	"stocksync/topics"
)

// Ensure that people read a sentence in both languages for every reason, and what mends it unless nothing must.
func TestSyncReason_HasTextsInBothLanguages(t *testing.T) {
	seen := map[string]topics.SyncReason{}
	for _, r := range topics.SyncReasons() {
		for _, l := range []topics.Language{topics.English, topics.Indonesian} {
			why, fix := r.Text(l)
			if !strings.HasSuffix(why, ".") || strings.Contains(why, "_") {
				t.Errorf("%s in %s: got %q, want a sentence", r, l, why)
			}
			if other, twice := seen[why]; twice {
				t.Errorf("%s and %s have the same text in %s: %q", r, other, l, why)
			}
			seen[why] = r
			if r != topics.SyncInSync && !strings.HasSuffix(fix, ".") {
				t.Errorf("%s in %s: got fix %q, want a sentence", r, l, fix)
			}
		}
	}
	if why, fix := topics.SyncReason("of_tomorrow").Text(topics.Indonesian); why != "of_tomorrow" || fix != "" {
		t.Errorf("a reason of a later release: got %q, %q", why, fix)
	}
}

// Ensure that what is shown of evidence has a name in both languages.
func TestEvidence_HasLabelsInBothLanguages(t *testing.T) {
	for _, key := range topics.EvidenceKeys() {
		for _, l := range []topics.Language{topics.English, topics.Indonesian} {
			if label := topics.EvidenceLabel(key, l); label == "" || strings.Contains(label, "_") {
				t.Errorf("%s in %s: got %q, want a name", key, l, label)
			}
		}
	}
	if got := topics.EvidenceLabel("of_tomorrow", topics.Indonesian); got != "of_tomorrow" {
		t.Errorf("a key of a later release: got %q", got)
	}
}
