package storetest

import (
	"bytes"
	"errors"

	"jsfs/store"
)

// limitCases are about what a stream holds at most.
var limitCases = []testCase{
	{name: "max_msgs takes the oldest away after each store", run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", MaxMsgs: 3})
		for i := range 10 {
			b.append(st, "x", numbered(i+1))
			if s := b.check(st); s.Live.Messages != int64(min(i+1, 3)) || s.Last != store.Seq(i+1) { //nolint:gosec // small
				b.Errorf("after %d messages: got %+v", i+1, s)
			}
		}
		b.wantSeqs(st, store.Query{}, 8, 9, 10)
		b.wantGone(st, 7, store.ErrNotFound)
		n, err := st.AppendAll(b.ctx, entries(100))
		b.must(err)
		if n != 100 {
			b.Errorf("AppendAll stored %d, want 100", n)
		}
		b.wantSeqs(st, store.Query{}, 108, 109, 110)
	}},
	{name: "max_msgs counts live messages wherever they are", run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", MaxMsgs: 3})
		b.fill(st, 3)
		b.remove(st, 2)
		b.append(st, "x", "4")
		b.wantSeqs(st, store.Query{}, 1, 3, 4)
		b.append(st, "x", "5")
		b.wantSeqs(st, store.Query{}, 3, 4, 5)
	}},
	{name: "max_bytes takes the oldest away after each store", run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", MaxBytes: 1000})
		for range 30 {
			b.append(st, "x", "some data\n")
			if s := b.check(st); s.Live.JSON > 1000 {
				b.Errorf("%d bytes are live", s.Live.JSON)
			}
		}
		one := b.load(st, 30).JSON
		if s := b.state(st); s.Live.Messages != 1000/one {
			b.Errorf("got %d messages of %d bytes, want %d", s.Live.Messages, one, 1000/one)
		}
	}},
	{name: "a message that is larger than max_bytes is refused", run: func(b *bench) {
		for name, discard := range map[string]store.Discard{"S": store.DiscardOld, "T": store.DiscardNew} {
			st := b.createWith(store.Config{Name: name, MaxBytes: 500, Discard: discard})
			b.append(st, "x", "stays")
			before := b.state(st)
			_, err := st.Append(b.ctx, store.Entry{Subject: "x", Data: bytes.Repeat([]byte("x"), 501)})
			b.wantErr(err, store.ErrTooLarge)
			if got := b.state(st); got != before {
				b.Errorf("the state changed from %+v to %+v", before, got)
			}
		}
	}},
	{name: "discard new refuses at max_msgs and takes again when there is room", run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", MaxMsgs: 2, Discard: store.DiscardNew})
		n, err := st.AppendAll(b.ctx, entries(5))
		b.wantErr(err, store.ErrLimit)
		if n != 2 || b.state(st).Last != 2 {
			b.Errorf("stored %d, last is %d, want 2", n, b.state(st).Last)
		}
		_, err = st.Append(b.ctx, store.Entry{Subject: "x"})
		b.wantErr(err, store.ErrLimit)
		b.remove(st, 1)
		if seq := b.append(st, "x", "room"); seq != 3 {
			b.Errorf("got sequence %d, want 3", seq)
		}
		_, err = st.Append(b.ctx, store.Entry{Subject: "x"})
		b.wantErr(err, store.ErrLimit)
		b.wantSeqs(st, store.Query{}, 2, 3)
	}},
	{name: "discard new refuses what would exceed max_bytes", run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", MaxBytes: 300, Discard: store.DiscardNew})
		var err error
		for err == nil {
			_, err = st.Append(b.ctx, store.Entry{Subject: "x", Data: []byte("0123456789")})
		}
		b.wantErr(err, store.ErrLimit)
		s := b.check(st)
		if one := b.load(st, 1).JSON; s.Live.JSON > 300 || s.Live.JSON+one <= 300 {
			b.Errorf("%d bytes are live, a message has %d", s.Live.JSON, one)
		}
	}},
	{name: "a lower limit takes effect at once", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 5000)
		b.must(b.s.Update(b.ctx, store.Config{Name: "S", MaxMsgs: 10}))
		b.wantSeqs(st, store.Query{To: 4991}, 4991)
		if s := b.check(st); s.First != 4991 || s.Live.Messages != 10 {
			b.Errorf("got %+v", s)
		}
		b.must(b.s.Update(b.ctx, store.Config{Name: "S", MaxBytes: b.state(st).Live.JSON - 1}))
		if s := b.check(st); s.First != 4992 {
			b.Errorf("with less bytes: got first %d, want 4992", s.First)
		}
		b.must(b.s.Update(b.ctx, store.Config{Name: "S", MaxMsgs: 1, Discard: store.DiscardNew}))
		if s := b.check(st); s.First != 4992 {
			b.Errorf("discard new removed something: first is %d, want 4992", s.First)
		}
		_, err := st.Append(b.ctx, store.Entry{Subject: "x"})
		b.wantErr(err, store.ErrLimit)
		b.must(b.s.Update(b.ctx, store.Config{Name: "S", MaxMsgs: 1}))
		b.wantSeqs(st, store.Query{}, 5000)
	}},
	{name: "what a limit took away does not come back", run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", MaxMsgs: 2})
		for range 6 {
			b.append(st, "x", "")
		}
		b.must(b.s.Update(b.ctx, store.Config{Name: "S"}))
		b.wantSeqs(st, store.Query{}, 5, 6)
		if b.engine.Durable {
			b.reopen()
			b.wantSeqs(b.open("S"), store.Query{}, 5, 6)
		}
	}},
	{name: "limits hold where deletion is denied", run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", MaxMsgs: 1, DenyDelete: true, DenyPurge: true})
		b.fill(st, 3)
		b.wantSeqs(st, store.Query{}, 3)
	}},
	{name: "Undelete brings nothing back that a limit would take away", run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", MaxMsgs: 2})
		b.fill(st, 4)
		b.wantErr(st.Undelete(b.ctx, 2), store.ErrLimit)
		b.remove(st, 3)
		b.must(st.Undelete(b.ctx, 2))
		b.wantSeqs(st, store.Query{}, 2, 4)
		b.must(b.s.Update(b.ctx, store.Config{Name: "S", MaxBytes: b.state(st).Live.JSON + 1}))
		b.wantErr(st.Undelete(b.ctx, 3), store.ErrLimit)
		b.must(b.s.Update(b.ctx, store.Config{Name: "S", MaxMsgsPerSubject: 2}))
		b.wantErr(st.Undelete(b.ctx, 3), store.ErrLimit)
		b.must(b.s.Update(b.ctx, store.Config{Name: "S"}))
		b.must(st.Undelete(b.ctx, 3))
		b.wantSeqs(st, store.Query{}, 2, 3, 4)
	}},
	{name: "each message that a limit takes away is an event", run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", MaxMsgs: 2})
		sub := st.Watch()
		defer sub.Close()
		for range 2 {
			b.append(st, "x", "")
		}
		_, err := st.AppendAll(b.ctx, entries(2))
		b.must(err)
		var got []store.Seq
		for i, e := range b.take(sub, 6) {
			if want := map[bool]store.Kind{true: store.Stored, false: store.Deleted}[i < 4]; e.Kind != want {
				b.Errorf("event %d: got kind %d, want %d", i, e.Kind, want)
			}
			got = append(got, e.Meta.Seq)
		}
		if want := []store.Seq{1, 2, 3, 4, 1, 2}; !equal(got, want) {
			b.Errorf("got events of %v, want %v", got, want)
		}
	}},
	{name: "Restore is not refused by a limit, and what is too much goes", run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", MaxMsgs: 2, Discard: store.DiscardNew})
		for seq := store.Seq(1); seq <= 4; seq++ {
			b.restore(st, seq, "r")
		}
		b.wantSeqs(st, store.Query{}, 1, 2, 3, 4)
		old := b.createWith(store.Config{Name: "T", MaxMsgs: 2})
		for seq := store.Seq(1); seq <= 4; seq++ {
			b.restore(old, seq, "r")
		}
		b.wantSeqs(old, store.Query{}, 3, 4)
	}},
}

// subjectLimitCases are about what a subject holds at most.
var subjectLimitCases = []testCase{
	{name: "max_msgs_per_subject takes the oldest of the subject away", run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", MaxMsgsPerSubject: 2})
		for i := range 12 {
			b.append(st, []string{"a", "b.x", "b.y"}[i%3], numbered(i+1))
		}
		b.wantSeqs(st, store.Query{}, 7, 8, 9, 10, 11, 12)
		b.remove(st, 7)
		b.append(st, "a", "")
		b.wantSeqs(st, store.Query{Subject: "a"}, 10, 13)
		for range 3 {
			b.append(st, "b.x", "")
		}
		b.wantSeqs(st, store.Query{}, 9, 10, 12, 13, 15, 16)
		n, err := st.AppendAll(b.ctx, entries(50))
		b.must(err)
		if s := b.check(st); n != 50 || s.Live.Messages != 8 {
			b.Errorf("stored %d, %d are live, want 50 and 8", n, s.Live.Messages)
		}
	}},
	{name: "a limit on subjects that is new or lower takes effect at once", run: func(b *bench) {
		st := b.create("S")
		for i := range 600 {
			b.append(st, []string{"a", "b", "c"}[i%3], "")
		}
		b.must(b.s.Update(b.ctx, store.Config{Name: "S", MaxMsgsPerSubject: 2}))
		b.wantSeqs(st, store.Query{}, 595, 596, 597, 598, 599, 600)
		b.must(b.s.Update(b.ctx, store.Config{Name: "S", MaxMsgsPerSubject: 1, Discard: store.DiscardNew}))
		b.wantSeqs(st, store.Query{}, 598, 599, 600)
		b.check(st)
	}},
	{name: "subjects keep their last messages after reopening", durable: true, run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", MaxMsgsPerSubject: 1})
		for i := range 30 {
			b.append(st, []string{"a", "b", "c"}[i%3], "")
		}
		for range 2 {
			b.reopen()
			st = b.open("S")
			b.wantSeqs(st, store.Query{}, 28, 29, 30)
		}
		b.append(st, "b", "")
		b.wantSeqs(st, store.Query{}, 28, 30, 31)
	}},
	{name: "what replaces the oldest of its subject is taken at max_msgs", run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", MaxMsgs: 2, MaxMsgsPerSubject: 1, Discard: store.DiscardNew})
		b.append(st, "a", "")
		b.append(st, "b", "")
		_, err := st.Append(b.ctx, store.Entry{Subject: "c"})
		b.wantErr(err, store.ErrLimit)
		b.append(st, "a", "again")
		b.wantSeqs(st, store.Query{}, 2, 3)
		n, err := st.AppendAll(b.ctx, []store.Entry{{Subject: "b"}, {Subject: "b"}, {Subject: "c"}})
		b.wantErr(err, store.ErrLimit)
		if n != 2 {
			b.Errorf("AppendAll stored %d, want 2", n)
		}
		b.wantSeqs(st, store.Query{}, 3, 5)
	}},
	{name: "what replaces the oldest of its subject is taken at max_bytes if it fits", run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", MaxBytes: 400, MaxMsgsPerSubject: 1, Discard: store.DiscardNew})
		b.append(st, "a", "0123456789")
		b.append(st, "b", "0123456789")
		room := int(400 - b.state(st).Live.JSON)
		b.append(st, "a", "9876543210")
		_, err := st.Append(b.ctx, store.Entry{Subject: "a", Data: bytes.Repeat([]byte("x"), room+11)})
		b.wantErr(err, store.ErrLimit)
		b.wantSeqs(st, store.Query{}, 2, 3)
	}},
	{name: "discard_new_per_subject refuses at the limit of the subject", run: func(b *bench) {
		st := b.createWith(store.Config{
			Name: "S", MaxMsgsPerSubject: 2, Discard: store.DiscardNew, DiscardNewPerSubject: true, AllowRollup: true,
		})
		n, err := st.AppendAll(b.ctx, []store.Entry{{Subject: "a"}, {Subject: "b"}, {Subject: "a"}, {Subject: "a"}})
		b.wantErr(err, store.ErrLimit)
		if n != 3 {
			b.Errorf("AppendAll stored %d, want 3", n)
		}
		b.append(st, "b", "")
		_, err = st.Append(b.ctx, store.Entry{Subject: "b"})
		b.wantErr(err, store.ErrLimit)
		_, err = st.Append(b.ctx, store.Entry{Subject: "b", Header: acting("Nats-Rollup: sub")})
		b.must(err)
		b.wantSeqs(st, store.Query{}, 1, 3, 5)
	}},
}

// createWith creates a stream.
func (b *bench) createWith(cfg store.Config) store.Stream {
	b.Helper()
	st, err := b.s.Create(b.ctx, cfg)
	b.must(err)
	return st
}

// entries are n messages.
func entries(n int) []store.Entry {
	es := make([]store.Entry, n)
	for i := range es {
		es[i] = store.Entry{Subject: "x", Data: []byte(numbered(i))}
	}
	return es
}

// wantRefused demands that a message is refused, with target, and changes nothing.
func (b *bench) wantRefused(st store.Stream, e store.Entry, target error) {
	b.Helper()
	before := b.state(st)
	_, err := st.Append(b.ctx, e)
	if err == nil || !errors.Is(err, target) {
		b.Errorf("%q: got error %v, want %v", e.Header, err, target)
	}
	if got := b.state(st); got != before {
		b.Errorf("%q: a refusal changed the state from %+v to %+v", e.Header, before, got)
	}
}
