package sinks_test

import (
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"stocksync/sinks"
)

func TestLease_HoldsForASessionAfterTheRequestThatWasAnswered(t *testing.T) {
	l := sinks.NewLease(8 * time.Second)
	if l.Valid(second(0)) {
		t.Error("never heard of the group: got valid, want not")
	}
	l.Renew(second(0), second(2))
	for _, tc := range []struct {
		at   int
		want bool
	}{{2, true}, {7, true}, {8, false}, {100, false}} {
		if got := l.Valid(second(tc.at)); got != tc.want {
			t.Errorf("%d s after a request that took 2 s: got %v, want %v", tc.at, got, tc.want)
		}
	}
	l.Renew(second(4), second(5))
	l.Renew(second(1), second(6)) // an answer that comes late takes nothing back
	if !l.Valid(second(11)) || l.Valid(second(12)) {
		t.Error("renewed at 4: want valid to 12")
	}
}

// TestLease_TheFirstAnswerAfterASilenceRenewsNothing ensures S3: that answer may be the one that says that the
// stores are another's by now.
func TestLease_TheFirstAnswerAfterASilenceRenewsNothing(t *testing.T) {
	l := sinks.NewLease(8 * time.Second)
	l.Renew(second(0), second(0))
	l.Renew(second(20), second(20))
	if l.Valid(second(20)) {
		t.Error("first answer after 20 s: got valid, want not")
	}
	l.Renew(second(21), second(21))
	if !l.Valid(second(21)) {
		t.Error("second answer: got not valid, want valid")
	}
	l.Renew(second(40), second(40))
	l.Assigned()
	if !l.Valid(second(40)) {
		t.Error("stores assigned after a silence: got not valid, want valid")
	}
}

// TestLease_AnAnswerThatWasLongUnderwayIsSilence ensures that a process that was stopped with a heartbeat in
// flight does not take the answer for news.
func TestLease_AnAnswerThatWasLongUnderwayIsSilence(t *testing.T) {
	l := sinks.NewLease(8 * time.Second)
	l.Renew(second(0), second(0))
	l.Renew(second(1), second(60)) // sent at 1, stopped, read at 60
	if l.Valid(second(60)) {
		t.Error("the answer of before the stop: got valid, want not")
	}
	l.Renew(second(60), second(60)) // may say: you are no member
	if l.Valid(second(60)) {
		t.Error("the first answer since: got valid, want not")
	}
	l.Renew(second(61), second(61))
	if !l.Valid(second(61)) {
		t.Error("the next: got not valid, want valid")
	}
}

func TestLease_OnlyGroupRequestsThatWereAnsweredCount(t *testing.T) {
	for _, tc := range []struct {
		key  kmsg.Key
		e2e  kgo.BrokerE2E
		want bool
	}{
		{kmsg.Heartbeat, kgo.BrokerE2E{}, true},
		{kmsg.JoinGroup, kgo.BrokerE2E{}, true},
		{kmsg.SyncGroup, kgo.BrokerE2E{}, true},
		{kmsg.ConsumerGroupHeartbeat, kgo.BrokerE2E{}, true},
		{kmsg.Fetch, kgo.BrokerE2E{}, false},
		{kmsg.Metadata, kgo.BrokerE2E{}, false},
		{kmsg.OffsetCommit, kgo.BrokerE2E{}, false},
		{kmsg.Heartbeat, kgo.BrokerE2E{WriteErr: errors.New("x")}, false},
		{kmsg.Heartbeat, kgo.BrokerE2E{ReadErr: errors.New("x")}, false},
		{kmsg.Heartbeat, kgo.BrokerE2E{TimeToRead: time.Minute}, false},
	} {
		l := sinks.NewLease(8 * time.Second)
		l.OnBrokerE2E(kgo.BrokerMetadata{}, int16(tc.key), tc.e2e)
		if got := l.Valid(time.Now()); got != tc.want {
			t.Errorf("%s %+v: got valid %v, want %v", tc.key.Name(), tc.e2e, got, tc.want)
		}
	}
}
