package storetest

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/google/go-cmp/cmp"

	"jsfs/store"
)

var sourceCases = []testCase{
	{name: "messages of sources are appended, and say where they come from", run: func(b *bench) {
		a, c := b.create("A"), b.create("C")
		b.append(a, "a.1", "one")
		header := []byte("NATS/1.0\r\nK: v\r\nNats-Expected-Last-Sequence: 1\r\nNats-Batch-Id: x\r\nL: w\r\n\r\n")
		_, err := a.Append(b.ctx, store.Entry{Subject: "a.2", Header: header, Data: []byte("two")})
		b.must(err)
		st := b.sourced("S", []string{"own"}, store.Source{Name: "A"}, store.Source{Name: "C", FilterSubject: "c.*"})
		b.follows(st, 2)
		for i, want := range []string{
			"NATS/1.0\r\nNats-Stream-Source: A 1 > > a.1 ",
			"NATS/1.0\r\nK: v\r\nL: w\r\nNats-Stream-Source: A 2 > > a.2 ",
		} {
			m := b.load(st, store.Seq(i+1)) //nolint:gosec // small
			want += ident(a, m.Header) + "\r\n\r\n"
			if d := cmp.Diff(want, string(m.Header)); d != "" || m.Subject != fmt.Sprintf("a.%d", i+1) {
				b.Errorf("message %d on %s (-want +got):\n%s", i+1, m.Subject, d)
			}
		}
		b.append(st, "own", "three")
		b.append(c, "other", "not taken")
		b.append(c, "c.x", "four")
		b.follows(st, 4)
		b.wantData(st, 4, "four")
		if got, want := string(b.load(st, 4).Header), "NATS/1.0\r\nNats-Stream-Source: C 2 c.* > c.x "+ident(c, b.load(st, 4).Header)+"\r\n\r\n"; got != want {
			b.Errorf("got header %q, want %q", got, want)
		}
		b.check(st)
	}},
	{name: "a stream with sources takes its own subjects only, and no forged header", run: func(b *bench) {
		none, own := b.sourced("NONE", nil, store.Source{Name: "A"}), b.sourced("OWN", []string{"own"}, store.Source{Name: "A"})
		_, err := none.Append(b.ctx, store.Entry{Subject: "x"})
		b.wantErr(err, store.ErrSubject)
		_, err = own.Append(b.ctx, store.Entry{Subject: "x"})
		b.wantErr(err, store.ErrSubject)
		forged := []byte("NATS/1.0\r\nNats-Stream-Source: A 99 > > x\r\n\r\n")
		_, err = own.Append(b.ctx, store.Entry{Subject: "own", Header: forged})
		b.wantErr(err, store.ErrDenied)
		b.append(own, "own", "taken")
		b.must(own.Restore(b.ctx, store.Msg{Meta: store.Meta{Seq: 7}, Subject: "x", Header: forged}))
	}},
	{name: "headers that act do so if the stream allows it, and keep nothing from a source back", run: func(b *bench) {
		a, err := b.s.Create(b.ctx, store.Config{Name: "A", AllowRollup: true, AllowMsgTTL: true})
		b.must(err)
		b.fill(a, 2)
		for _, h := range []string{"Nats-TTL: 1h", "Nats-Msg-Id: 7", "Nats-Expected-Stream: A"} {
			_, err := a.Append(b.ctx, store.Entry{Subject: "x", Header: []byte("NATS/1.0\r\n" + h + "\r\n\r\n")})
			b.must(err)
		}
		b.must(a.Restore(b.ctx, store.Msg{Meta: store.Meta{Seq: 6}, Subject: "x", Header: []byte("NATS/1.0\r\nNats-TTL: odd\r\n\r\n")}))
		b.must(a.Restore(b.ctx, store.Msg{Meta: store.Meta{Seq: 7}, Subject: "x", Header: []byte("NATS/1.0\r\nNats-Rollup: all\r\n\r\n")}))
		plain := b.sourced("PLAIN", nil, store.Source{Name: "A"})
		b.follows(plain, 7)
		if got := b.state(plain).Live.Messages; got != 7 {
			b.Errorf("a stream that allows nothing has %d messages, want 7", got)
		}
		b.onceEach("PLAIN", map[string]store.Seq{"A": 7})
	}},
	{name: "sources of sources say the last step", run: func(b *bench) {
		b.sourced("C", nil, store.Source{Name: "B"})
		b.sourced("B", nil, store.Source{Name: "A"})
		a := b.create("A")
		b.fill(a, 3)
		c := b.open("C")
		b.follows(c, 3)
		h := string(b.load(c, 3).Header)
		if want := "Nats-Stream-Source: B 3 > > fill " + ident(b.open("B"), []byte(h)); strings.Count(h, "Nats-Stream-Source") != 1 || !strings.Contains(h, want) {
			b.Errorf("got header %q, want %q once in it", h, want)
		}
	}},
	{name: "a source is taken once, however often the store is opened", durable: true, run: func(b *bench) {
		b.create("A")
		b.create("B")
		b.sourced("S", []string{"own"}, store.Source{Name: "A"}, store.Source{Name: "B"})
		for round := range 5 {
			b.fill(b.open("A"), 700)
			b.fill(b.open("B"), 500)
			b.append(b.open("S"), "own", "own")
			if round%2 == 0 {
				b.eventually(func() bool { return b.state(b.open("S")).Live.Messages > 100 }, func() string { return "nothing came" })
			}
			b.reopen()
		}
		b.follows(b.open("S"), 6005)
		b.onceEach("S", map[string]store.Seq{"A": 3500, "B": 2500})
	}},
	{name: "a source is taken once though its messages were removed", durable: true, run: func(b *bench) {
		a := b.create("A")
		b.fill(a, 10)
		st := b.sourced("S", nil, store.Source{Name: "A"})
		b.follows(st, 10)
		for seq := range b.state(st).Last {
			b.remove(st, seq+1)
		}
		b.reopen()
		b.append(b.open("A"), "x", "11")
		b.follows(b.open("S"), 11)
		b.wantSeqs(b.open("S"), store.Query{}, 11)
		b.wantData(b.open("S"), 11, "11")
	}},
	{name: "a copy of a stream with sources goes on where that was", run: func(b *bench) {
		b.fill(b.create("A"), 4)
		header := []byte("NATS/1.0\r\nNats-Stream-Source: A 3 > > fill otherstore-1\r\n\r\n")
		b.must(b.create("S").Restore(b.ctx, store.Msg{Meta: store.Meta{Seq: 9}, Subject: "fill", Header: header}))
		b.must(b.s.Update(b.ctx, store.Config{Name: "S", Sources: []store.Source{{Name: "A"}}}))
		b.follows(b.open("S"), 10)
		b.append(b.open("A"), "x", "5")
		b.follows(b.open("S"), 11)
		b.wantData(b.open("S"), 11, "5")
		b.wantOrigin(b.open("S"), func(s store.SourceState) bool { return s.Error == "" })
	}},
	{name: "an origin that was made again is taken from its beginning", run: func(b *bench) {
		a := b.create("A")
		b.fill(a, 2)
		st := b.sourced("S", nil, store.Source{Name: "A"})
		b.follows(st, 2)
		b.remove(a, 1, 2)
		b.must(b.s.Remove(b.ctx, "A"))
		a = b.create("A")
		b.append(a, "again", "1")
		b.follows(st, 3)
		b.wantData(st, 3, "1")
		b.wantOrigin(st, func(s store.SourceState) bool { return strings.Contains(s.Error, "made again") })
	}},
	{name: "sources can be added and taken away", run: func(b *bench) {
		a, c := b.create("A"), b.create("C")
		b.fill(a, 2)
		b.fill(c, 2)
		st := b.sourced("S", nil, store.Source{Name: "A"})
		b.follows(st, 2)
		b.must(b.s.Update(b.ctx, store.Config{Name: "S", Sources: []store.Source{{Name: "C"}}}))
		b.follows(st, 4)
		b.append(a, "x", "later")
		b.must(b.s.Update(b.ctx, store.Config{Name: "S", Sources: []store.Source{{Name: "C"}, {Name: "A"}}}))
		b.follows(st, 5)
		b.wantData(st, 5, "later")
		b.onceEach("S", map[string]store.Seq{"A": 3, "C": 2})
		if s := st.Origins(); len(s) != 2 || s[0].Name != "C" || s[1].Name != "A" {
			b.Errorf("got %+v, want C and A", s)
		}
	}},
	{name: "a source begins where its configuration says", run: func(b *bench) {
		b.fill(b.create("A"), 10)
		st := b.sourced("S", nil, store.Source{Name: "A", OptStartSeq: 9})
		b.follows(st, 2)
		if h := string(b.load(st, 1).Header); !strings.Contains(h, "A 9 > > fill") {
			b.Errorf("got header %q", h)
		}
	}},
	{name: "origins survive reopening in the configuration", durable: true, run: func(b *bench) {
		want := b.sourced("S", []string{"own"}, store.Source{Name: "A", OptStartSeq: 9}, store.Source{Name: "A", FilterSubject: "x.>"}).Config()
		m := b.mirror("M", store.Source{Name: "A", FilterSubject: "y"}).Config()
		b.reopen()
		if d := cmp.Diff([]store.Config{want, m}, []store.Config{b.open("S").Config(), b.open("M").Config()}); d != "" {
			b.Errorf("configurations after reopening (-before +after):\n%s", d)
		}
	}},
}

// sourced creates a stream with sources.
func (b *bench) sourced(name string, subjects []string, from ...store.Source) store.Stream {
	b.Helper()
	st, err := b.s.Create(b.ctx, store.Config{Name: name, Subjects: subjects, Sources: from})
	b.must(err)
	return st
}

// ident is the identity of a stream in the header that says where messages come from: that of the
// store, which is the engine's choice, and the incarnation.
func ident(st store.Stream, header []byte) string {
	fields := strings.Fields(string(header))
	if len(fields) == 0 {
		return "none"
	}
	id, _, _ := strings.Cut(fields[len(fields)-1], "-")
	return id + "-" + strconv.FormatUint(st.Incarnation(), 36)
}

// onceEach demands that a stream has the messages 1 to last of each of its sources, once and in order.
func (b *bench) onceEach(name string, last map[string]store.Seq) {
	b.Helper()
	st, got := b.open(name), map[string]store.Seq{}
	for _, meta := range b.scan(st, store.Query{}) {
		from, seq, ok := sourceOf(b.load(st, meta.Seq).Header)
		if !ok {
			continue
		}
		if seq != got[from]+1 {
			b.Errorf("message %d is %d of %s, behind %d", meta.Seq, seq, from, got[from])
		}
		got[from] = seq
	}
	if d := cmp.Diff(last, got); d != "" {
		b.Errorf("last messages of the sources (-want +got):\n%s", d)
	}
}

// sourceOf returns what a header says of where its message comes from.
func sourceOf(header []byte) (name string, seq store.Seq, ok bool) {
	_, rest, ok := strings.Cut(string(header), "\r\n"+store.HeaderSource+": ")
	if !ok {
		return "", 0, false
	}
	_, err := fmt.Sscan(rest, &name, &seq)
	return name, seq, err == nil
}
