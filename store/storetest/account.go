package storetest

import (
	"errors"
	"strings"
	"testing"

	"jsfs/store"
)

// AccountLimits demands that an engine holds the limits of a whole store. open opens an empty store with them.
func AccountLimits(t *testing.T, open func(tb testing.TB, l store.AccountLimits) store.Store) {
	s := open(t, store.AccountLimits{MaxStreams: 2, MaxConsumers: 3})
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	ctx := t.Context()
	refused := func(what string, err error, limit string) {
		t.Helper()
		if !errors.Is(err, store.ErrLimit) || !strings.Contains(err.Error(), limit) {
			t.Errorf("%s: got %v, want %v that names %s", what, err, store.ErrLimit, limit)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var streams []store.Stream
	for _, name := range []string{"A", "B"} {
		st, err := s.Create(ctx, store.Config{Name: name})
		must(err)
		streams = append(streams, st)
	}
	_, err := s.Create(ctx, store.Config{Name: "C"})
	refused("a third stream", err, "max_streams")
	for i, name := range []string{"x", "y", "z"} {
		_, err := streams[i%2].CreateConsumer(ctx, store.ConsumerConfig{Name: name})
		must(err)
	}
	_, err = streams[1].CreateConsumer(ctx, store.ConsumerConfig{Name: "w"})
	refused("a fourth consumer", err, "max_consumers")
	must(streams[0].RemoveConsumer(ctx, "x"))
	_, err = streams[1].CreateConsumer(ctx, store.ConsumerConfig{Name: "w"})
	must(err)
	must(s.Remove(ctx, "A"))
	_, err = s.Create(ctx, store.Config{Name: "C"})
	must(err)
	_, err = streams[1].Append(ctx, store.Entry{Subject: "a"})
	must(err)
	if _, err = s.Truncate(ctx, "B", 0); err != nil { // it is no further one
		t.Errorf("truncate with as many streams as may be: %v", err)
	}
}

// AccountRoom demands that a store whose storage is bounded makes room by what was removed, streams included. open opens an empty one
// that takes at most so many bytes, and keeps what was removed.
func AccountRoom(t *testing.T, open func(tb testing.TB, most int64) store.Store) {
	const most = 300_000
	s, ctx := open(t, most), t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	defer func() { must(s.Close()) }()
	fits := func(st store.Stream) bool {
		t.Helper()
		_, err := st.Append(ctx, store.Entry{Subject: "a", Data: make([]byte, 1000)})
		if err != nil && !errors.Is(err, store.ErrLimit) && !errors.Is(err, store.ErrNoSpace) {
			t.Fatal(err)
		}
		return err == nil
	}
	full := func(st store.Stream) (n int64) {
		t.Helper()
		for ; fits(st); n++ {
		}
		return n
	}
	removed := func() int {
		t.Helper()
		list, err := s.RemovedStreams(ctx)
		must(err)
		return len(list)
	}
	a, err := s.Create(ctx, store.Config{Name: "A"})
	must(err)
	for range 100 {
		fits(a)
	}
	b, err := s.Create(ctx, store.Config{Name: "B"})
	must(err)
	n := full(b)
	if n < 100 || n > 200 {
		t.Errorf("%d messages of 1,000 bytes fit besides 100", n)
	}
	_, err = a.Purge(ctx, store.Purge{})
	must(err)
	must(s.Remove(ctx, "A"))
	if removed() != 1 {
		t.Errorf("%d streams are kept, want one", removed())
	}
	if more := full(b); more < 90 || more > 110 || removed() != 0 {
		t.Errorf("in the place of a removed stream of 100 messages %d fit, and %d streams are kept", more, removed())
	}
	u, err := s.Usage(ctx)
	must(err)
	if u.Total != most || u.Free > 3000 || u.Used > most {
		t.Errorf("usage of the full store: %+v", u)
	}
	_, err = b.Purge(ctx, store.Purge{Below: 101})
	must(err)
	if more := full(b); more < 80 || more > 110 {
		t.Errorf("in the place of 100 removed messages %d fit", more)
	}
}
