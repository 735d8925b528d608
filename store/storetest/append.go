package storetest

import (
	"bytes"
	"strings"

	"jsfs/store"
)

const header = "NATS/1.0\r\nA: b\r\nA: c\r\n\r\n"

var appendCases = []testCase{
	{name: "Append numbers messages from 1 on without a gap", run: func(b *bench) {
		st := b.create("S")
		for i := range 300 {
			if got, want := b.append(st, "x", numbered(i)), store.Seq(i+1); got != want { //nolint:gosec // small
				b.Fatalf("got sequence %d, want %d", got, want)
			}
		}
		for i := range 300 {
			b.wantData(st, store.Seq(i+1), numbered(i)) //nolint:gosec // small
		}
	}},
	{name: "a message comes back as it was stored", run: storeAnything},
	{name: "times never go backwards and are those of the clock", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 1000)
		b.check(st)
		if s := b.state(st); s.FirstTime == 0 || s.LastTime < s.FirstTime {
			b.Errorf("times %d to %d", s.FirstTime, s.LastTime)
		}
	}},
	{name: "the caller may reuse its buffers", run: func(b *bench) {
		st := b.create("S")
		e := store.Entry{Subject: "x", Header: []byte(header), Data: []byte("payload")}
		_, err := st.Append(b.ctx, e)
		b.must(err)
		_, err = st.AppendAll(b.ctx, []store.Entry{e, e})
		b.must(err)
		b.must(st.Restore(b.ctx, store.Msg{Meta: store.Meta{Seq: 9}, Subject: "x", Header: e.Header, Data: e.Data}))
		clear(e.Data)
		clear(e.Header)
		for _, seq := range []store.Seq{1, 2, 3, 9} {
			m := b.load(st, seq)
			if string(m.Header) != header || string(m.Data) != "payload" {
				b.Errorf("message %d became %q %q", seq, m.Header, m.Data)
			}
		}
	}},
	{name: "Append refuses what the stream does not take and changes nothing", run: refuseEntries},
	{name: "a message of just the limit is taken", run: func(b *bench) {
		st, err := b.s.Create(b.ctx, store.Config{Name: "S", MaxMsgSize: 100})
		b.must(err)
		_, err = st.Append(b.ctx, store.Entry{Subject: "x", Header: []byte(header), Data: make([]byte, 100-len(header))})
		b.must(err)
		_, err = st.Append(b.ctx, store.Entry{Subject: "x", Header: []byte(header), Data: make([]byte, 101-len(header))})
		b.wantErr(err, store.ErrTooLarge)
	}},
	{name: "AppendAll stores in order", run: func(b *bench) {
		st := b.create("S")
		b.append(st, "x", "before")
		n, err := st.AppendAll(b.ctx, []store.Entry{{Subject: "a", Data: []byte("1")}, {Subject: "b"}, {Subject: "c", Data: []byte("3")}})
		b.must(err)
		if n != 3 {
			b.Errorf("got %d, want 3", n)
		}
		b.wantData(st, 2, "1")
		b.wantData(st, 3, "")
		b.wantData(st, 4, "3")
		n, err = st.AppendAll(b.ctx, nil)
		b.must(err)
		if n != 0 || b.state(st).Last != 4 {
			b.Errorf("appending nothing stored %d, last is %d", n, b.state(st).Last)
		}
	}},
	{name: "AppendAll stores what is before the first refusal", run: func(b *bench) {
		st := b.create("S", "ok")
		es := []store.Entry{{Subject: "ok", Data: []byte("1")}, {Subject: "ok", Data: []byte("2")}, {Subject: "no"}, {Subject: "ok"}}
		n, err := st.AppendAll(b.ctx, es)
		b.wantErr(err, store.ErrSubject)
		if n != 2 || b.state(st).Last != 2 {
			b.Errorf("stored %d, last is %d, want 2", n, b.state(st).Last)
		}
		b.wantData(st, 2, "2")
		n, err = st.AppendAll(b.ctx, es[2:])
		b.wantErr(err, store.ErrSubject)
		if n != 0 || b.append(st, "ok", "3") != 3 {
			b.Errorf("a refused batch stored %d or used sequences", n)
		}
	}},
	{name: "Appended counts what was stored and never shrinks", run: func(b *bench) {
		st := b.create("S")
		b.append(st, "x", "12345\n")
		before := b.state(st)
		b.append(st, "x", "123")
		b.append(st, "x", "")
		b.remove(st, 1, 2, 3)
		grown := b.state(st).Appended.Minus(before.Appended)
		if grown.Messages != 2 || grown.Payload != 3 || grown.Log != 5 {
			b.Errorf("Appended grew by %+v, want 2 messages, 3 bytes, 5 in the log", grown)
		}
		if live := b.state(st).Live; live != (store.Totals{}) {
			b.Errorf("nothing is live, but Live is %+v", live)
		}
		b.must(st.Undelete(b.ctx, 2))
		if again := b.state(st).Appended.Minus(before.Appended); again != grown {
			b.Errorf("Undelete changed Appended from %+v to %+v", grown, again)
		}
	}},
	{name: "a sealed stream refuses every change", run: func(b *bench) {
		st, err := b.s.Create(b.ctx, store.Config{Name: "S", Sealed: true})
		b.must(err)
		_, err = st.Append(b.ctx, store.Entry{Subject: "x"})
		b.wantErr(err, store.ErrSealed)
		_, err = st.AppendAll(b.ctx, []store.Entry{{Subject: "x"}})
		b.wantErr(err, store.ErrSealed)
		b.wantErr(st.Restore(b.ctx, store.Msg{Meta: store.Meta{Seq: 1}, Subject: "x"}), store.ErrSealed)
		_, err = st.Remove(b.ctx, 1)
		b.wantErr(err, store.ErrSealed)
		b.wantErr(st.Undelete(b.ctx, 1), store.ErrSealed)
		b.must(st.Sync(b.ctx))
	}},
	{name: "messages of a megabyte come and go", run: func(b *bench) {
		st := b.create("S")
		big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
		for i := range 4 {
			big[0] = byte(i)
			_, err := st.Append(b.ctx, store.Entry{Subject: "big", Data: big})
			b.must(err)
			b.append(st, "small", "s")
		}
		for i := range 4 {
			big[0] = byte(i)
			if !bytes.Equal(b.load(st, store.Seq(2*i+1)).Data, big) { //nolint:gosec // small
				b.Errorf("message %d came back changed", 2*i+1)
			}
		}
	}},
}

func storeAnything(b *bench) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	rows := []store.Entry{
		{Subject: "x"},
		{Subject: "x", Data: []byte("\n")},
		{Subject: "x", Data: []byte("no newline")},
		{Subject: "x", Data: []byte("newline\n")},
		{Subject: "x", Data: make([]byte, 100)},
		{Subject: "all.bytes", Data: all},
		{Subject: "x", Header: []byte(header)},
		{Subject: "x", Header: []byte(header), Data: []byte("both\n")},
		{Subject: "x", Header: all, Data: all},
		{Subject: "x", Header: bytes.Repeat([]byte("h"), store.MaxHeader), Data: []byte("d")},
		{Subject: "日本.été.\"quoted\"", Data: []byte("\u2028<>&")},
		{Subject: strings.Repeat("s", store.MaxSubject), Data: []byte("long subject")},
		{Subject: "x", Data: bytes.Repeat(all, 300)},
	}
	st := b.create("S")
	for _, e := range rows {
		_, err := st.Append(b.ctx, e)
		b.must(err)
	}
	compare := func() {
		for i, e := range rows {
			m := b.load(b.open("S"), store.Seq(i+1)) //nolint:gosec // small
			if m.Subject != e.Subject || !bytes.Equal(m.Header, e.Header) || !bytes.Equal(m.Data, e.Data) {
				b.Errorf("row %d came back changed", i)
			}
		}
		b.check(b.open("S"))
	}
	compare()
	if b.engine.Durable {
		b.reopen()
		compare()
	}
}

func refuseEntries(b *bench) {
	st := b.create("S", "a.*", "b")
	b.append(st, "a.x", "stays")
	before := b.state(st)
	sub := st.Watch()
	defer sub.Close()
	rows := []struct {
		name string
		e    store.Entry
		want error
	}{
		{"a subject of another stream", store.Entry{Subject: "c"}, store.ErrSubject},
		{"too many tokens", store.Entry{Subject: "a.b.c"}, store.ErrSubject},
		{"an empty subject", store.Entry{}, store.ErrSubject},
		{"a wildcard", store.Entry{Subject: "a.*"}, store.ErrSubject},
		{"a space", store.Entry{Subject: "a.b c"}, store.ErrSubject},
		{"broken UTF-8", store.Entry{Subject: "a.\xff"}, store.ErrSubject},
		{"a subject of 4,097 bytes", store.Entry{Subject: "a." + strings.Repeat("s", store.MaxSubject-1)}, store.ErrNameTooLong},
		{"a header of 64 KiB", store.Entry{Subject: "b", Header: make([]byte, store.MaxHeader+1)}, store.ErrTooLarge},
	}
	for _, r := range rows {
		_, err := st.Append(b.ctx, r.e)
		if err == nil {
			b.Errorf("%s was taken", r.name)
			continue
		}
		b.wantErr(err, r.want)
		n, err := st.AppendAll(b.ctx, []store.Entry{r.e})
		b.wantErr(err, r.want)
		if n != 0 {
			b.Errorf("%s: AppendAll says that it stored %d", r.name, n)
		}
		if store.CheckSubject(r.e.Subject) == nil && len(r.e.Header) == 0 {
			continue // it may have been taken once, and comes back
		}
		m := store.Msg{Meta: store.Meta{Seq: 100}, Subject: r.e.Subject, Header: r.e.Header}
		b.wantErr(st.Restore(b.ctx, m), r.want)
	}
	if got := b.state(st); got != before {
		b.Errorf("refusals changed the state from %+v to %+v", before, got)
	}
	b.take(sub, 0)
}
