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
	_, err = s.Revive(ctx, streams[0].Incarnation())
	refused("a third stream that comes back", err, "max_streams")
	must(s.Remove(ctx, "C"))
	_, err = streams[1].CreateConsumer(ctx, store.ConsumerConfig{Name: "v"})
	must(err)
	_, err = s.Revive(ctx, streams[0].Incarnation())
	refused("a fourth consumer that comes back", err, "max_consumers")
	must(streams[1].RemoveConsumer(ctx, "v"))
	_, err = s.Revive(ctx, streams[0].Incarnation())
	must(err)
	_, err = streams[1].Append(ctx, store.Entry{Subject: "a"})
	must(err)
	if _, err = s.Truncate(ctx, "B", 0); err != nil { // it is no further one
		t.Errorf("truncate with as many streams as may be: %v", err)
	}
}

// AccountDrafts demands that drafts count in a store whose storage is bounded, as long as they have a name. open opens an empty one
// that takes at most so many bytes.
func AccountDrafts(t *testing.T, open func(tb testing.TB, most int64) store.Store) {
	const most = 300_000
	a := &accountDrafts{T: t, s: open(t, most)}
	var err error
	a.st, err = a.s.Create(t.Context(), store.Config{Name: "S"})
	a.must(err)
	_, err = a.st.Append(t.Context(), store.Entry{Subject: "x"}) // it begins a block
	a.must(err)
	a.empty = a.free()
	a.change(most)
	a.publish()
	a.must(a.s.Close())
}

type accountDrafts struct {
	*testing.T
	s     store.Store
	st    store.Stream
	empty int64 // what was free when there was no draft
}

func (a *accountDrafts) must(err error) {
	a.Helper()
	if err != nil {
		a.Fatal(err)
	}
}

func (a *accountDrafts) free() int64 {
	a.Helper()
	u, err := a.s.Usage(a.Context())
	a.must(err)
	return int64(u.Free) //nolint:gosec // small
}

// takes demands that so much is taken.
func (a *accountDrafts) takes(what string, n int64) {
	a.Helper()
	if got := a.empty - a.free(); got != n {
		a.Errorf("%s: %d bytes are taken, want %d", what, got, n)
	}
}

// refused demands that there was no room.
func (a *accountDrafts) refused(what string, err error) {
	a.Helper()
	if !errors.Is(err, store.ErrLimit) && !errors.Is(err, store.ErrNoSpace) {
		a.Errorf("%s: got %v, want that there is no room", what, err)
	}
}

func (a *accountDrafts) write(name string, n int) {
	a.Helper()
	d, err := a.st.CreateDraft(a.Context(), name)
	a.must(err)
	_, err = d.WriteAt(make([]byte, n), 0)
	a.must(err)
	a.must(d.Close())
}

// change changes drafts of a store that takes at most so many bytes.
func (a *accountDrafts) change(most int64) {
	ctx := a.Context()
	a.write(".a", 200_000)
	a.takes("a draft", 200_000)
	d, err := a.st.OpenDraft(ctx, ".a")
	a.must(err)
	_, err = d.WriteAt(make([]byte, 120_000), 190_000)
	a.refused("a write beyond the limit", err)
	a.refused("an extension beyond the limit", d.Truncate(most+1))
	if size, err := d.Size(); err != nil || size != 200_000 {
		a.Errorf("after refusals the draft has %d bytes, %v", size, err)
	}
	_, err = a.st.Append(ctx, store.Entry{Subject: "x", Data: make([]byte, 150_000)})
	a.refused("a message beyond the limit", err)
	a.must(d.Truncate(1000))
	a.takes("a shorter draft", 1000)
	_, err = d.WriteAt(make([]byte, 500), 100)
	a.must(err)
	a.takes("a draft that was overwritten", 1000)
	a.must(d.Close())
	a.write(".b", 5000)
	a.must(a.st.RenameDraft(ctx, ".b", ".a"))
	a.takes("a draft in the place of another one", 5000)
	a.must(a.st.RemoveDraft(ctx, ".a"))
	a.takes("no draft", 0)
}

// publish makes a draft a message that has no room besides it.
func (a *accountDrafts) publish() {
	ctx := a.Context()
	a.write(".a", 180_000)
	_, err := a.st.PublishDraft(ctx, ".a", store.Entry{Subject: "x y", Data: make([]byte, 180_000)})
	if !errors.Is(err, store.ErrSubject) {
		a.Errorf("a draft with a bad subject: %v", err)
	}
	a.takes("a draft that was not published", 180_000)
	_, err = a.st.PublishDraft(ctx, ".a", store.Entry{Subject: "x", Data: make([]byte, 180_000)})
	a.must(err)
	if got := a.empty - a.free(); got < 180_000 || got > 195_000 {
		a.Errorf("the message takes %d bytes", got)
	}
	a.write(".b", 50_000)
	before := a.free()
	a.st, err = a.s.Truncate(ctx, "S", 0) // what was there is kept, and need not be
	a.must(err)
	if got := a.free() - before; got < 165_000 || got > 195_000 {
		a.Errorf("a truncation gives %d bytes free", got)
	}
	a.must(a.st.RemoveDraft(ctx, ".b"))
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
