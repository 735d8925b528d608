package storetest

import (
	"fmt"
	"slices"
	"strings"

	"jsfs/store"
)

// acting is a header block with these lines.
func acting(lines ...string) []byte {
	return []byte("NATS/1.0\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n")
}

func equal(a, b []store.Seq) bool { return slices.Equal(a, b) }

// post appends a message with these header lines, and demands that it succeeds.
func (b *bench) post(st store.Stream, subject string, lines ...string) store.Seq {
	b.Helper()
	seq, err := st.Append(b.ctx, store.Entry{Subject: subject, Header: acting(lines...), Data: []byte("x")})
	b.must(err)
	return seq
}

// dedupeCases are about messages that come twice.
var dedupeCases = []testCase{
	{name: "a repeated Nats-Msg-Id gives the first sequence and stores nothing", run: func(b *bench) {
		st := b.create("S")
		b.append(st, "x", "")
		first := b.post(st, "x", "Nats-Msg-Id: A")
		b.append(st, "x", "")
		before := b.state(st)
		for range 3 {
			if seq := b.post(st, "y", "Other: 1", "Nats-Msg-Id: A"); seq != first {
				b.Errorf("got sequence %d, want %d", seq, first)
			}
		}
		if got := b.state(st); got != before {
			b.Errorf("the state changed from %+v to %+v", before, got)
		}
		if seq := b.post(st, "x", "Nats-Msg-Id: B"); seq != 4 {
			b.Errorf("another id got sequence %d, want 4", seq)
		}
		b.must(st.Sync(b.ctx))
	}},
	{name: "AppendAll counts a repeated message as stored", run: func(b *bench) {
		st := b.create("S", "x")
		id := func(id string) store.Entry { return store.Entry{Subject: "x", Header: acting("Nats-Msg-Id: " + id)} }
		n, err := st.AppendAll(b.ctx, []store.Entry{id("A"), {Subject: "x"}, id("A"), id("B"), id("B"), id("A")})
		b.must(err)
		if n != 6 || b.state(st).Last != 3 {
			b.Errorf("stored %d, last is %d, want 6 and 3", n, b.state(st).Last)
		}
		n, err = st.AppendAll(b.ctx, []store.Entry{id("A"), id("C"), id("B"), {Subject: "no"}, id("D")})
		b.wantErr(err, store.ErrSubject)
		if n != 3 || b.state(st).Last != 4 {
			b.Errorf("stored %d, last is %d, want 3 and 4", n, b.state(st).Last)
		}
	}},
	{name: "a message is remembered after it was removed", run: func(b *bench) {
		st := b.create("S")
		b.post(st, "x", "Nats-Msg-Id: A")
		b.remove(st, 1)
		if seq := b.post(st, "x", "Nats-Msg-Id: A"); seq != 1 {
			b.Errorf("got sequence %d, want 1", seq)
		}
	}},
	{name: "ids are remembered after reopening", durable: true, run: func(b *bench) {
		st := b.create("S")
		for i := range 40 {
			b.post(st, "x", fmt.Sprintf("Nats-Msg-Id: %d", i))
			b.append(st, "x", numbered(i))
		}
		b.remove(st, 3, 5)
		b.reopen()
		st = b.open("S")
		before := durablePart(b.state(st))
		for i := range 40 {
			if seq, want := b.post(st, "x", fmt.Sprintf("Nats-Msg-Id: %d", i)), store.Seq(2*i+1); seq != want { //nolint:gosec // small
				b.Errorf("id %d: got sequence %d, want %d", i, seq, want)
			}
		}
		if got := durablePart(b.state(st)); got != before {
			b.Errorf("the state changed from %+v to %+v", before, got)
		}
	}},
	{name: "a refused message's id is not remembered", run: func(b *bench) {
		st := b.create("S", "x")
		b.wantRefused(st, store.Entry{Subject: "y", Header: acting("Nats-Msg-Id: A")}, store.ErrSubject)
		b.wantRefused(st, store.Entry{Subject: "x", Header: acting("Nats-Msg-Id: A", "Nats-Expected-Last-Sequence: 7")}, store.ErrExpected)
		if seq := b.post(st, "x", "Nats-Msg-Id: A"); seq != 1 {
			b.Errorf("got sequence %d, want 1", seq)
		}
	}},
	{name: "Restore stores a repeated message, and is remembered", run: func(b *bench) {
		st := b.create("S")
		b.post(st, "x", "Nats-Msg-Id: A")
		now := b.state(st).LastTime
		for seq, id := range map[store.Seq]string{2: "A"} {
			b.must(st.Restore(b.ctx, store.Msg{Meta: store.Meta{Seq: seq, Time: now}, Subject: "x", Header: acting("Nats-Msg-Id: " + id)}))
		}
		b.must(st.Restore(b.ctx, store.Msg{Meta: store.Meta{Seq: 3, Time: now}, Subject: "x", Header: acting("Nats-Msg-Id: B")}))
		b.wantSeqs(st, store.Query{}, 1, 2, 3)
		if seq := b.post(st, "x", "Nats-Msg-Id: B"); seq != 3 {
			b.Errorf("got sequence %d, want 3", seq)
		}
	}},
}

// expectCases are about what the headers of a message expect.
var expectCases = []testCase{
	{name: "Nats-Expected-Last-Sequence is compared before storing", run: func(b *bench) {
		st := b.create("S")
		b.post(st, "x", "Nats-Expected-Last-Sequence: 0")
		b.post(st, "x", "Nats-Expected-Last-Sequence: 1")
		b.wantRefused(st, store.Entry{Subject: "x", Header: acting("Nats-Expected-Last-Sequence: 1")}, store.ErrExpected)
		b.remove(st, 2)
		b.post(st, "x", "Nats-Expected-Last-Sequence: 2")
		n, err := st.AppendAll(b.ctx, []store.Entry{
			{Subject: "x", Header: acting("Nats-Expected-Last-Sequence: 3")},
			{Subject: "x", Header: acting("Nats-Expected-Last-Sequence: 4")},
			{Subject: "x", Header: acting("Nats-Expected-Last-Sequence: 4")},
		})
		b.wantErr(err, store.ErrExpected)
		if n != 2 {
			b.Errorf("AppendAll stored %d, want 2", n)
		}
	}},
	{name: "Nats-Expected-Last-Subject-Sequence is compared before storing", run: expectOnSubject},
	{name: "Nats-Expected-Stream is compared before storing", run: func(b *bench) {
		st := b.create("S")
		b.post(st, "x", "Nats-Expected-Stream: S")
		b.wantRefused(st, store.Entry{Subject: "x", Header: acting("Nats-Expected-Stream: T")}, store.ErrExpected)
	}},
	{name: "Nats-Expected-Last-Msg-Id is compared with the newest message", run: func(b *bench) {
		st := b.create("S")
		b.wantRefused(st, store.Entry{Subject: "x", Header: acting("Nats-Expected-Last-Msg-Id: A")}, store.ErrExpected)
		b.post(st, "x", "Nats-Msg-Id: A")
		b.post(st, "x", "Nats-Msg-Id: B", "Nats-Expected-Last-Msg-Id: A")
		b.wantRefused(st, store.Entry{Subject: "x", Header: acting("Nats-Expected-Last-Msg-Id: A")}, store.ErrExpected)
		if b.engine.Durable {
			b.reopen()
			st = b.open("S")
		}
		n, err := st.AppendAll(b.ctx, []store.Entry{
			{Subject: "x", Header: acting("Nats-Msg-Id: C", "Nats-Expected-Last-Msg-Id: B")},
			{Subject: "x", Header: acting("Nats-Msg-Id: D", "Nats-Expected-Last-Msg-Id: C")},
			{Subject: "x"},
			{Subject: "x", Header: acting("Nats-Expected-Last-Msg-Id: D")},
		})
		b.wantErr(err, store.ErrExpected)
		if n != 3 {
			b.Errorf("AppendAll stored %d, want 3", n)
		}
	}},
	{name: "headers that act and are malformed are refused", run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", AllowRollup: true, AllowMsgTTL: true})
		b.append(st, "x", "")
		for _, line := range []string{
			"Nats-Expected-Last-Sequence: one", "Nats-Expected-Last-Sequence: -1", "Nats-Expected-Last-Subject-Sequence: 1x",
			"Nats-Expected-Last-Subject-Sequence-Subject: x", "Nats-Expected-Last-Subject-Sequence: 0\r\nNats-Expected-Last-Subject-Sequence-Subject: a..b",
			"Nats-Rollup: some", "Nats-TTL: soon", "Nats-TTL: 999ms", "Nats-TTL: -1",
		} {
			b.wantRefused(st, store.Entry{Subject: "x", Header: acting(line)}, store.ErrInvalid)
		}
	}},
	{name: "headers that are none are stored as they are", run: func(b *bench) {
		st := b.create("S")
		for i, block := range []string{"Nats-Rollup: all\r\n\r\n", "NATS/1.0\r\nX-Nats-Rollup: all\r\n\r\n", "NATS/1.0\r\nnats-rollup: all\r\n\r\n", "NATS/1.0\r\nNats-Rollup:\r\n\r\n"} {
			seq, err := st.Append(b.ctx, store.Entry{Subject: "x", Header: []byte(block)})
			b.must(err)
			if got := string(b.load(st, seq).Header); got != block || int(seq) != i+1 { //nolint:gosec // small
				b.Errorf("message %d: got %q, want %q", seq, got, block)
			}
		}
	}},
	{name: "Restore expects nothing", run: func(b *bench) {
		st := b.create("S")
		for seq, line := range []string{"Nats-Expected-Last-Sequence: 99", "Nats-Expected-Stream: T", "Nats-Rollup: all", "Nats-TTL: 1s", "Nats-Rollup: nonsense"} {
			b.must(st.Restore(b.ctx, store.Msg{Meta: store.Meta{Seq: store.Seq(seq + 1)}, Subject: "x", Header: acting(line)})) //nolint:gosec // small
		}
		b.wantSeqs(st, store.Query{}, 1, 2, 3, 4, 5)
	}},
}

func expectOnSubject(b *bench) {
	const last = "Nats-Expected-Last-Subject-Sequence: "
	const on = "Nats-Expected-Last-Subject-Sequence-Subject: "
	st := b.create("S")
	b.post(st, "a", last+"0")
	b.post(st, "b.x", last+"0")
	b.post(st, "a", last+"1")
	b.wantRefused(st, store.Entry{Subject: "a", Header: acting(last + "1")}, store.ErrExpected)
	b.wantRefused(st, store.Entry{Subject: "c", Header: acting(last + "3")}, store.ErrExpected)
	if b.engine.Durable {
		b.reopen()
		st = b.open("S")
	}
	b.post(st, "c", last+"3", on+"a")
	b.wantRefused(st, store.Entry{Subject: "c", Header: acting(last+"3", on+"b.*")}, store.ErrExpected)
	b.post(st, "b.y", last+"2", on+"b.*")
	b.remove(st, 3)
	b.post(st, "a", last+"1")
	b.remove(st, 1, 6)
	b.wantRefused(st, store.Entry{Subject: "a", Header: acting(last + "6")}, store.ErrExpected)
	b.post(st, "a", last+"0")
	n, err := st.AppendAll(b.ctx, []store.Entry{
		{Subject: "a", Header: acting(last + "7")},
		{Subject: "z", Header: acting(last + "0")},
		{Subject: "a", Header: acting(last + "8")},
		{Subject: "z", Header: acting(last + "0")},
	})
	b.wantErr(err, store.ErrExpected)
	if n != 3 || b.check(st).Last != 10 {
		b.Errorf("AppendAll stored %d, last is %d, want 3 and 10", n, b.state(st).Last)
	}
}

// rollupCases are about messages that replace others.
var rollupCases = []testCase{
	{name: "Nats-Rollup sub replaces what is on the subject", run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", AllowRollup: true})
		for i := range 9 {
			b.append(st, []string{"a", "a.b", "c"}[i%3], "")
		}
		b.post(st, "a", "Nats-Rollup: sub")
		b.wantSeqs(st, store.Query{}, 2, 3, 5, 6, 8, 9, 10)
		b.append(st, "a", "")
		b.wantSeqs(st, store.Query{Subject: "a"}, 10, 11)
		b.post(st, "new", "Nats-Rollup: sub")
		if s := b.check(st); s.Live.Messages != 9 {
			b.Errorf("%d messages are live, want 9", s.Live.Messages)
		}
		if b.engine.Durable {
			b.reopen()
			b.wantSeqs(b.open("S"), store.Query{}, 2, 3, 5, 6, 8, 9, 10, 11, 12)
		}
	}},
	{name: "Nats-Rollup all replaces everything", run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", AllowRollup: true})
		b.fill(st, 2000)
		b.post(st, "a", "Nats-Rollup: all")
		b.wantSeqs(st, store.Query{}, 2001)
		if b.engine.Durable {
			b.reopen()
			st = b.open("S")
		}
		b.append(st, "b", "")
		b.wantSeqs(st, store.Query{}, 2001, 2002)
		b.check(st)
	}},
	{name: "a rollup spares what comes behind it in a batch", run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", AllowRollup: true})
		b.append(st, "a", "")
		n, err := st.AppendAll(b.ctx, []store.Entry{
			{Subject: "a"}, {Subject: "b"}, {Subject: "a", Header: acting("Nats-Rollup: sub")}, {Subject: "a"}, {Subject: "b"},
		})
		b.must(err)
		if n != 5 {
			b.Errorf("stored %d, want 5", n)
		}
		b.wantSeqs(st, store.Query{}, 3, 4, 5, 6)
	}},
	{name: "a rollup is refused where it is not allowed", run: func(b *bench) {
		st := b.create("S")
		b.append(st, "a", "")
		for _, kind := range []string{"sub", "all"} {
			b.wantRefused(st, store.Entry{Subject: "a", Header: acting("Nats-Rollup: " + kind)}, store.ErrDenied)
		}
	}},
}
