package storetest

import (
	"errors"
	"fmt"
	"time"

	"pgregory.net/rapid"

	"jsfs/store"
)

// removed returns the streams that were removed and are kept.
func (b *bench) removed() []store.RemovedStream {
	b.Helper()
	list, err := b.s.RemovedStreams(b.ctx)
	b.must(err)
	return list
}

// wantRemoved demands that a message of a stream that was removed is read as it was.
func (b *bench) wantRemoved(st store.Stream, seq store.Seq, data string) {
	b.Helper()
	m, err := b.s.LoadRemoved(b.ctx, st.Incarnation(), seq, nil)
	if err != nil || m.Seq != seq || m.Subject != "x" || string(m.Data) != data {
		b.Errorf("message %d of the removed stream: got %d on %q with %q, %v, want %q", seq, m.Seq, m.Subject, m.Data, err, data)
	}
}

// empty removes messages first to last one by one, as rm does.
func (b *bench) empty(st store.Stream, first, last store.Seq) {
	b.Helper()
	for seq := first; seq <= last; seq++ {
		b.remove(st, seq)
	}
}

// atticCases are about streams that were removed and are kept.
var atticCases = []testCase{
	{name: "a sealed stream is removed with its messages and comes back with them", run: removeSealed},
	timed("a removed stream comes back with the messages that were removed with it", func(b *bench) {
		st, err := b.s.Create(b.ctx, store.Config{Name: "S", Description: "of before"})
		b.must(err)
		for i := range 60 {
			b.append(st, "x", numbered(i))
		}
		b.remove(st, 7, 9)
		pause(5 * time.Minute)
		want := durablePart(b.state(st))
		b.empty(st, 1, 6)
		pause(59 * time.Second) // it takes long
		b.remove(st, 8)
		b.empty(st, 10, 60)
		inc := st.Incarnation()
		b.must(b.s.Remove(b.ctx, "S"))
		list := b.removed()
		if len(list) != 1 || list[0].Name != "S" || list[0].Incarnation != inc || list[0].Messages != 58 || list[0].Bytes != want.Live.Payload ||
			list[0].Time != time.Now().UnixNano() {
			b.Fatalf("removed streams: got %+v, want S with the incarnation %d, and %+v", list, inc, want.Live)
		}
		pause(time.Hour)
		if b.engine.Durable {
			b.reopen()
		}
		sub := b.s.Watch()
		defer sub.Close()
		back, err := b.s.Revive(b.ctx, inc)
		b.must(err)
		if back.Config().Description != "of before" || back.Incarnation() != inc {
			b.Errorf("got %+v with the incarnation %d", back.Config(), back.Incarnation())
		}
		if e := b.take(sub, 1)[0]; e.Kind != store.StreamCreated || e.Stream != "S" || e.Incarnation != inc {
			b.Errorf("got event %+v, want that S was created", e)
		}
		if got := durablePart(b.check(back)); got != want {
			b.Errorf("state: got %+v, want %+v", got, want)
		}
		b.wantKept(back, 7, 9)
		b.wantData(back, 8, numbered(7))
		b.wantGone(st, 8, store.ErrClosed)
		if list := b.removed(); len(list) > 0 {
			b.Errorf("removed streams: got %+v, want none", list)
		}
		if seq := b.append(back, "x", "next"); seq != 61 {
			b.Errorf("the next message has %d, want 61", seq)
		}
	}),
	{name: "a removed stream does not come back under a name that is taken", run: func(b *bench) {
		old := b.create("S")
		b.append(old, "x", "old")
		b.remove(old, 1)
		b.must(b.s.Remove(b.ctx, "S"))
		st := b.create("S")
		_, err := b.s.Revive(b.ctx, old.Incarnation())
		b.wantErr(err, store.ErrExists)
		_, err = b.s.Revive(b.ctx, st.Incarnation())
		b.wantErr(err, store.ErrNotFound)
		b.must(b.s.Remove(b.ctx, "S"))
		if list := b.removed(); len(list) != 2 || list[0].Messages != 1 || list[1].Messages != 0 {
			b.Errorf("got %+v, want two", list)
		}
		back, err := b.s.Revive(b.ctx, old.Incarnation())
		b.must(err)
		b.wantData(back, 1, "old")
		_, err = b.s.Revive(b.ctx, old.Incarnation())
		b.wantErr(err, store.ErrNotFound)
	}},
	timed("who had a message open reads it when its stream is removed", func(b *bench) {
		st := b.create("S")
		b.append(st, "x", "one")
		b.append(st, "x", "two")
		st2 := b.truncate(st, 1)
		b.wantRemoved(st, 1, "one")
		b.wantRemoved(st, 2, "two")
		b.append(st2, "x", "other")
		b.remove(st2, 1)
		pause(2 * time.Minute)
		b.remove(st2, 2)
		_, err := b.s.LoadRemoved(b.ctx, st2.Incarnation(), 1, nil)
		b.wantErr(err, store.ErrNotFound)
		b.must(b.s.Remove(b.ctx, "S"))
		if b.engine.Durable {
			b.reopen()
		}
		b.wantRemoved(st2, 1, "one")
		b.wantRemoved(st2, 2, "other")
		b.wantRemoved(st, 2, "two")
		_, err = b.s.LoadRemoved(b.ctx, st2.Incarnation(), 3, nil)
		if !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrBeyond) {
			b.Errorf("beyond its end: %v", err)
		}
		_, err = b.s.LoadRemoved(b.ctx, 77, 1, nil)
		b.wantErr(err, store.ErrNotFound)
		back, err := b.s.Revive(b.ctx, st2.Incarnation())
		b.must(err)
		b.wantData(back, 2, "other")
		_, err = b.s.LoadRemoved(b.ctx, st2.Incarnation(), 2, nil)
		b.wantErr(err, store.ErrNotFound)
		pause(28 * time.Hour)
		_, err = b.s.LoadRemoved(b.ctx, st.Incarnation(), 1, nil)
		b.wantErr(err, store.ErrNotFound)
	}),
	timed("a removed stream is kept for a day", func(b *bench) {
		st := b.create("S")
		b.fill(st, 20)
		b.empty(st, 1, 20)
		b.must(b.s.Remove(b.ctx, "S"))
		pause(23 * time.Hour)
		b.reclaim()
		if list := b.removed(); len(list) != 1 || list[0].Messages != 20 {
			b.Errorf("after 23 hours: got %+v", list)
		}
		pause(5 * time.Hour)
		if list := b.removed(); len(list) != 0 {
			b.Errorf("after 28 hours: got %+v", list)
		}
		b.reclaim()
		_, err := b.s.Revive(b.ctx, st.Incarnation())
		b.wantErr(err, store.ErrNotFound)
		if again := b.create("S"); again.Incarnation() <= st.Incarnation() {
			b.Errorf("a stream has the incarnation %d after one with %d", again.Incarnation(), st.Incarnation())
		}
	}),
	{name: "a stream that came back is within its limits", run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", MaxMsgsPerSubject: 1})
		for range 3 {
			_, err := st.Append(b.ctx, store.Entry{Subject: "a"})
			b.must(err)
			_, err = st.Purge(b.ctx, store.Purge{})
			b.must(err)
		}
		b.must(b.s.Remove(b.ctx, "S"))
		back, err := b.s.Revive(b.ctx, st.Incarnation())
		b.must(err)
		b.wantSeqs(back, store.Query{}, 3)
	}},
	{name: "what was removed before a message came that is ahead of the clock comes back with the stream", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 3)
		b.remove(st, 1, 2)
		b.restoreOn(st, 4, time.Now().Add(time.Hour).UnixNano(), "x")
		b.remove(st, 3, 4)
		b.must(b.s.Remove(b.ctx, "S"))
		if list := b.removed(); len(list) != 1 || list[0].Messages != 4 {
			b.Errorf("got %+v, want one with all messages", list)
		}
		back, err := b.s.Revive(b.ctx, st.Incarnation())
		b.must(err)
		b.wantSeqs(back, store.Query{}, 1, 2, 3, 4)
	}},
	{name: "what a limit removed does not come back with the stream", run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", MaxMsgs: 2})
		b.fill(st, 5)
		b.empty(st, 4, 5)
		b.must(b.s.Remove(b.ctx, "S"))
		back, err := b.s.Revive(b.ctx, st.Incarnation())
		b.must(err)
		b.wantSeqs(back, store.Query{}, 4, 5)
	}},
}

// compareRemoved compares the removed streams, and returns those of both stores.
func (m *model) compareRemoved(rt *rapid.T) (got, want []store.RemovedStream) {
	rt.Helper()
	got, gotErr := m.got.RemovedStreams(rt.Context())
	want, wantErr := m.want.RemovedStreams(rt.Context())
	check(rt, gotErr)
	check(rt, wantErr)
	if len(got) != len(want) {
		rt.Fatalf("removed streams: got %+v, want %+v", got, want)
	}
	for i := range got {
		g := got[i]
		if g.Incarnation = want[i].Incarnation; g != want[i] {
			rt.Fatalf("removed streams: got %+v, want %+v", got, want)
		}
	}
	return got, want
}

// revive brings a removed stream back in both stores.
func (m *model) revive(rt *rapid.T) {
	got, want := m.compareRemoved(rt)
	if len(got) == 0 {
		return
	}
	i := rapid.IntRange(0, len(got)-1).Draw(rt, "which")
	_, gotErr := m.got.Revive(rt.Context(), got[i].Incarnation)
	_, wantErr := m.want.Revive(rt.Context(), want[i].Incarnation)
	if same(rt, fmt.Sprintf("revive %+v", got[i]), gotErr, wantErr) {
		m.open(rt, got[i].Name)
	}
}

// removeSealed removes a sealed stream whole, which nothing but RemoveSealed does, and brings it back.
func removeSealed(b *bench) {
	st := b.create("S")
	inc := st.Incarnation()
	b.append(st, "x", "one")
	b.append(st, "y", "two")
	b.append(st, "x", "three")
	b.remove(st, 2)
	b.wantErr(b.s.RemoveSealed(b.ctx, "S"), store.ErrNotEmpty)
	b.draft(st, ".f", "draft")
	cfg := st.Config()
	cfg.Sealed = true
	b.must(b.s.Update(b.ctx, cfg))
	b.wantErr(b.s.Remove(b.ctx, "S"), store.ErrNotEmpty)
	b.wantErr(b.s.RemoveSealed(b.ctx, "S"), store.ErrNotEmpty)
	b.must(st.RemoveDraft(b.ctx, ".f"))
	b.wantSeqs(st, store.Query{}, 1, 3)
	sub := b.s.Watch()
	defer sub.Close()
	b.must(b.s.RemoveSealed(b.ctx, "S"))
	if events := b.take(sub, 1); events[0].Kind != store.StreamRemoved {
		b.Errorf("got %+v", events)
	}
	_, err := st.State(b.ctx)
	b.wantErr(err, store.ErrClosed)
	b.wantErr(b.s.RemoveSealed(b.ctx, "S"), store.ErrNotFound)
	if b.engine.Durable {
		b.reopen()
	}
	removed, err := b.s.RemovedStreams(b.ctx)
	b.must(err)
	if len(removed) != 1 || removed[0].Incarnation != inc || removed[0].Messages < 2 {
		b.Errorf("got %+v", removed)
	}
	st, err = b.s.Revive(b.ctx, inc)
	b.must(err)
	b.wantData(st, 1, "one")
	b.wantData(st, 3, "three")
	b.check(st)
}
