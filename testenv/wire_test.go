package testenv_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"stocksync/testenv"
)

// endOf returns the log end offset of partition 0.
func endOf(t *testing.T, c *testenv.Cluster, topic string) int64 {
	t.Helper()
	ends, err := kadm.NewClient(c.Client(t)).ListEndOffsets(limit(t), topic)
	if err != nil {
		t.Fatal(err)
	}
	end, _ := ends.Lookup(topic, 0)
	return end.Offset
}

// The experiment that the protocol's step 8 is about: the broker has committed, the client is not told.
func TestWire_LosesTheAnswerOfAnAppliedEndTxn(t *testing.T) {
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		topic := c.Prefix(t).Name("x")
		makeTopic(t, c, topic, 1)
		w := c.Wire()
		cl := c.Client(t, w.Opt(), kgo.TransactionalID(topic),
			kgo.RequestRetries(2), kgo.RetryTimeout(2*time.Second))
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		produce(t, cl, topic, "applied")
		all := w.LoseAnswers(kmsg.EndTxn, -1)
		if err := cl.EndTransaction(limit(t), kgo.TryCommit); err == nil {
			t.Error("end without an answer: want an error")
		}
		if all.Count() == 0 {
			t.Error("no answer was lost")
		}
		all.Stop()
		if got, want := committed(t, c, topic), []string{"applied"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestWire_OneLostAnswerHeals(t *testing.T) {
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		topic := c.Prefix(t).Name("x")
		makeTopic(t, c, topic, 1)
		w := c.Wire()
		cl := c.Client(t, w.Opt(), kgo.TransactionalID(topic))
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		lost := w.LoseAnswers(kmsg.Produce, 1)
		produce(t, cl, topic, "once")
		if err := lost.Wait(limit(t), 1); err != nil {
			t.Error(err)
		}
		lost = w.LoseAnswers(kmsg.EndTxn, 1)
		if err := cl.EndTransaction(limit(t), kgo.TryCommit); err != nil {
			t.Error(err)
		}
		if got := lost.Count(); got != 1 {
			t.Errorf("got %d lost answers of EndTxn, want 1", got)
		}
		if got, want := committed(t, c, topic), []string{"once"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestWire_LosesRequestsBeforeTheBroker(t *testing.T) {
	c := testenv.StartKfake(t)
	makeTopic(t, c, "x", 1)
	w := c.Wire()
	cl := c.Client(t, w.Opt(), kgo.RecordRetries(1000), kgo.RetryBackoffFn(func(int) time.Duration {
		return time.Millisecond
	}))
	lost := w.LoseRequests(kmsg.Produce, -1)
	done := make(chan error, 1)
	cl.Produce(t.Context(), &kgo.Record{Topic: "x"}, func(_ *kgo.Record, err error) { done <- err })
	if err := lost.Wait(limit(t), 3); err != nil {
		t.Fatal(err)
	}
	if got := endOf(t, c, "x"); got != 0 {
		t.Errorf("the broker has %d records, want none", got)
	}
	lost.Stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Ensure a request that was held reaches the broker after its client has long gone on.
func TestWire_DeliversAHeldRequestLate(t *testing.T) {
	c := testenv.StartKfake(t)
	makeTopic(t, c, "x", 1)
	w := c.Wire()
	held := w.HoldRequest(kmsg.Produce)
	have := func() int64 { return endOf(t, c, "x") }
	old := c.Client(t, w.Opt(), kgo.DisableIdempotentWrite(), kgo.RecordRetries(0),
		kgo.ProduceRequestTimeout(100*time.Millisecond), kgo.RecordDeliveryTimeout(time.Second))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	produced := make(chan error, 1)
	old.Produce(ctx, &kgo.Record{Topic: "x", Value: []byte("late")}, func(_ *kgo.Record, err error) { produced <- err })
	if err := held.Wait(limit(t), 1); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-produced; err == nil {
		t.Error("a produce that was held: want an error in the end")
	}
	old.Close()
	produce(t, c.Client(t), "x", "new")
	held.Release()
	err := testenv.Until(limit(t), 5*time.Millisecond, func(context.Context) error {
		if have() < 2 {
			return errors.New("the late one has not arrived")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := committed(t, c, "x"), []string{"new", "late"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Ensure a request that is released in time is answered as if nothing had been, and so are those behind it.
func TestWire_ReleasesAHeldRequestToAClientThatWaits(t *testing.T) {
	c := testenv.StartKfake(t)
	makeTopic(t, c, "x", 1)
	w := c.Wire()
	cl := c.Client(t, w.Opt())
	produce(t, cl, "x", "a")
	held := w.HoldRequest(kmsg.Produce)
	lost := w.LoseRequests(kmsg.Produce, 0)
	done := make(chan error, 2)
	for _, v := range []string{"b", "c"} {
		cl.Produce(t.Context(), &kgo.Record{Topic: "x", Value: []byte(v)}, func(_ *kgo.Record, err error) { done <- err })
	}
	if err := held.Wait(limit(t), 1); err != nil {
		t.Fatal(err)
	}
	held.Release()
	if err := errors.Join(<-done, <-done); err != nil {
		t.Error(err)
	}
	produce(t, cl, "x", "d")
	if got, want := committed(t, c, "x"), []string{"a", "b", "c", "d"}; !slices.Equal(got, want) || lost.Count() > 0 {
		t.Errorf("got %v and %d losses, want %v", got, lost.Count(), want)
	}
}

func TestWire_CutBreaksConnectionsUntilMended(t *testing.T) {
	c := testenv.StartKfake(t)
	makeTopic(t, c, "x", 1)
	w := c.Wire()
	cl := c.Client(t, w.Opt(), kgo.RetryBackoffFn(func(int) time.Duration { return time.Millisecond }))
	produce(t, cl, "x", "a")
	w.Cut()
	if _, err := w.Dial(t.Context(), "tcp", c.Brokers[0]); err == nil {
		t.Error("dial over a cut wire: want an error")
	}
	done := make(chan error, 1)
	cl.Produce(t.Context(), &kgo.Record{Topic: "x", Value: []byte("b")}, func(_ *kgo.Record, err error) { done <- err })
	w.Mend()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := endOf(t, c, "x"); got != 2 {
		t.Errorf("got %d records, want 2", got)
	}
}

// echoWire returns a connection through a wire to something that sends all bytes back.
func echoWire(t *testing.T) (*testenv.Wire, net.Conn) {
	t.Helper()
	ours, theirs := net.Pipe()
	go func() {
		buf := make([]byte, 1<<16)
		for {
			n, err := theirs.Read(buf)
			if err != nil {
				return
			}
			if _, err := theirs.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	w := testenv.NewWire(func(context.Context, string, string) (net.Conn, error) { return ours, nil })
	conn, err := w.Dial(t.Context(), "tcp", "anywhere")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(); _ = theirs.Close() })
	return w, conn
}

func TestWire_StalledConnectionsKeepTheirDeadlines(t *testing.T) {
	w, conn := echoWire(t)
	w.Stall()
	w.Stall() // twice is once
	for range 2 {
		if err := conn.SetDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("write: got %v, want the deadline", err)
		}
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(10*time.Millisecond, w.Resume)
	if _, err := conn.Write([]byte("12345678")); err != nil {
		t.Fatalf("write without a deadline: got %v, want it to wait for Resume", err)
	}
	got := make([]byte, 8)
	if _, err := conn.Read(got); err != nil || string(got) != "12345678" {
		t.Errorf("got %q, %v, want what was written", got, err)
	}
	w.Stall()
	wrote := make(chan error, 1)
	go func() {
		_, err := conn.Write([]byte("x"))
		wrote <- err
	}()
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-wrote; !errors.Is(err, net.ErrClosed) {
		t.Errorf("write that waits while the client closes: got %v, want net.ErrClosed", err)
	}
	if _, err := conn.Read(got); !errors.Is(err, net.ErrClosed) {
		t.Errorf("read after close: got %v, want net.ErrClosed", err)
	}
}

func TestWire_FindsFramesHoweverTheStreamIsCut(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var stream []byte
	var want [][]byte
	for i := range 200 {
		size := 8 + rng.IntN(40)
		frame := binary.BigEndian.AppendUint32(nil, uint32(size))
		frame = append(frame, bytes.Repeat([]byte{byte(i)}, size)...)
		want = append(want, frame[:12])
		stream = append(stream, frame...)
	}
	for range 50 {
		var pieces [][]byte
		for rest := stream; len(rest) > 0; {
			n := min(len(rest), 1+rng.IntN(60))
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		got, _ := testenv.ScanFrames(12, pieces)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	}
	_, at := testenv.ScanFrames(12, [][]byte{stream[:5], stream[5:]})
	if at[0] != -5 {
		t.Errorf("a frame that began 5 bytes before its piece: got %d, want -5", at[0])
	}
}
