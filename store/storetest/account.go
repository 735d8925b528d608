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
