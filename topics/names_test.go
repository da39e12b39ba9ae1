package topics_test

import (
	"testing"

	"stocksync/topics"
)

func TestPrefix_NamesAndUnnames(t *testing.T) {
	rows := []struct {
		prefix     topics.Prefix
		base, name string
	}{
		{topics.DefaultPrefix, topics.Mutations, "stock.mutations"},
		{topics.DefaultPrefix, topics.ItemSettingsTopic, "stock.item-settings"},
		{"", topics.Orders, "orders"},
		{"eu-", topics.DeadLetters, "eu-dead-letters"},
	}
	for _, r := range rows {
		if got := r.prefix.Name(r.base); got != r.name {
			t.Errorf("got %s, want %s", got, r.name)
		}
		if got, ok := r.prefix.Base(r.name); !ok || got != r.base {
			t.Errorf("%s: got %s, %v, want %s", r.name, got, ok, r.base)
		}
	}
	if got, ok := topics.DefaultPrefix.Base("other.mutations"); ok {
		t.Errorf("other.mutations: got %s, want no topic of ours", got)
	}
}
