package storetest

import (
	"context"
	"errors"
	"unsafe"

	"jsfs/store"
)

var readCases = []testCase{
	{name: "Load tells not found from beyond the last", run: func(b *bench) {
		st := b.create("S")
		b.wantGone(st, 1, store.ErrBeyond)
		b.append(st, "x", "1")
		b.append(st, "x", "2")
		b.append(st, "x", "3")
		b.remove(st, 2, 3)
		b.wantGone(st, 0, store.ErrNotFound)
		b.wantGone(st, 2, store.ErrNotFound)
		b.wantGone(st, 3, store.ErrNotFound)
		b.wantGone(st, 4, store.ErrBeyond)
		b.wantGone(st, 1<<63, store.ErrBeyond)
		b.wantGone(st, 1<<64-1, store.ErrBeyond)
		b.wantData(st, 1, "1")
	}},
	{name: "Load uses the buffer that it is given", run: func(b *bench) {
		st := b.create("S")
		_, err := st.Append(b.ctx, store.Entry{Subject: "x", Header: []byte(header), Data: []byte("payload")})
		b.must(err)
		buf := make([]byte, 8192)
		m, err := st.Load(b.ctx, 1, buf)
		b.must(err)
		if string(m.Header) != header || string(m.Data) != "payload" {
			b.Errorf("got %q %q", m.Header, m.Data)
		}
		for _, p := range [][]byte{m.Header, m.Data} {
			at := uintptr(unsafe.Pointer(unsafe.SliceData(p))) - uintptr(unsafe.Pointer(unsafe.SliceData(buf)))
			if at >= uintptr(len(buf)) {
				b.Errorf("%q is not in the buffer", p)
			}
		}
		tooSmall := make([]byte, 3)
		m, err = st.Load(b.ctx, 1, tooSmall)
		b.must(err)
		if string(m.Header) != header || string(m.Data) != "payload" {
			b.Errorf("with a small buffer got %q %q", m.Header, m.Data)
		}
	}},
	{name: "what Load returns is the caller's to change", run: func(b *bench) {
		st := b.create("S")
		_, err := st.Append(b.ctx, store.Entry{Subject: "x", Header: []byte(header), Data: []byte("payload")})
		b.must(err)
		first := b.load(st, 1)
		second := b.load(st, 1)
		last, err := st.LoadLast(b.ctx, "x", nil)
		b.must(err)
		clear(first.Data)
		clear(first.Header)
		_ = append(first.Header[:len(first.Header)], "grown over what follows"...)
		for _, m := range []store.Msg{second, last, b.load(st, 1)} {
			if string(m.Header) != header || string(m.Data) != "payload" {
				b.Errorf("another Load's result became %q %q", m.Header, m.Data)
			}
		}
	}},
	{name: "a header can be grown without harm to the data", run: func(b *bench) {
		st := b.create("S")
		_, err := st.Append(b.ctx, store.Entry{Subject: "x", Header: []byte(header), Data: []byte("payload")})
		b.must(err)
		m, err := st.Load(b.ctx, 1, make([]byte, 4096))
		b.must(err)
		_ = append(m.Header, "more"...)
		if string(m.Data) != "payload" {
			b.Errorf("the data became %q", m.Data)
		}
	}},
	{name: "LoadLast gives the newest live match", run: func(b *bench) {
		st := b.create("S")
		for i, subject := range []string{"a.x", "a.y", "b", "a.x", "b"} {
			b.append(st, subject, numbered(i+1))
		}
		want := func(subject string, seq store.Seq) {
			b.Helper()
			m, err := st.LoadLast(b.ctx, subject, nil)
			if seq == 0 {
				b.wantErr(err, store.ErrNotFound)
				return
			}
			b.must(err)
			if m.Seq != seq || string(m.Data) != numbered(int(seq)) { //nolint:gosec // small
				b.Errorf("LoadLast(%q): got %d %q, want %d", subject, m.Seq, m.Data, seq)
			}
		}
		want("a.x", 4)
		want("a.*", 4)
		want("a.y", 2)
		want("b", 5)
		want(">", 5)
		want("", 5)
		want("none", 0)
		want("*.*.*", 0)
		b.remove(st, 5, 4)
		want("a.x", 1)
		want("a.*", 2)
		want("b", 3)
		want(">", 3)
		b.remove(st, 1)
		want("a.x", 0)
		b.must(st.Undelete(b.ctx, 4))
		want("a.x", 4)
		want("", 4)
		b.append(st, "a.x", numbered(6))
		want("a.x", 6)
		b.remove(st, 2, 3, 4, 6)
		want(">", 0)
		want("", 0)
	}},
	{name: "LoadLast of an empty stream is not found", run: func(b *bench) {
		_, err := b.create("S").LoadLast(b.ctx, "", nil)
		b.wantErr(err, store.ErrNotFound)
	}},
	{name: "an undamaged stream has no damage", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 100)
		b.remove(st, 50)
		d, err := st.Damage(b.ctx)
		b.must(err)
		if len(d) != 0 || b.state(st).Lost != 0 {
			b.Errorf("got damage %v, lost %d", d, b.state(st).Lost)
		}
	}},
}

var scanCases = []testCase{
	{name: "Scan meets each live message of the query once and in order", run: func(b *bench) {
		st := b.create("S")
		b.wantSeqs(st, store.Query{})
		for i := range 9 {
			b.append(st, []string{"a.x", "a.y", "b"}[i%3], numbered(i))
		}
		b.remove(st, 1, 5)
		b.wantSeqs(st, store.Query{}, 2, 3, 4, 6, 7, 8, 9)
		b.wantSeqs(st, store.Query{From: 1, To: 9}, 2, 3, 4, 6, 7, 8, 9)
		b.wantSeqs(st, store.Query{From: 5}, 6, 7, 8, 9)
		b.wantSeqs(st, store.Query{To: 5}, 2, 3, 4)
		b.wantSeqs(st, store.Query{From: 5, To: 5})
		b.wantSeqs(st, store.Query{From: 6, To: 6}, 6)
		b.wantSeqs(st, store.Query{From: 7, To: 3})
		b.wantSeqs(st, store.Query{From: 10})
		b.wantSeqs(st, store.Query{From: 1 << 63, To: 1<<64 - 1})
		b.wantSeqs(st, store.Query{From: 9, To: 1<<64 - 1}, 9)
		b.wantSeqs(st, store.Query{Subject: "b"}, 3, 6, 9)
		b.wantSeqs(st, store.Query{Subject: "a.*"}, 2, 4, 7, 8)
		b.wantSeqs(st, store.Query{Subject: ">", From: 4, To: 7}, 4, 6, 7)
		b.wantSeqs(st, store.Query{Subject: "none"})
	}},
	{name: "Scan can be left at any message", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 10)
		for _, err := range st.Scan(b.ctx, store.Query{}) {
			b.must(err)
			break
		}
		b.append(st, "x", "still writable")
	}},
	{name: "Scan gives what is live when it gets there", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 10)
		b.remove(st, 8)
		var got []store.Seq
		for m, err := range st.Scan(b.ctx, store.Query{}) {
			b.must(err)
			got = append(got, m.Seq)
			if m.Seq == 2 {
				b.remove(st, 1, 2, 3, 6)
				b.must(st.Undelete(b.ctx, 8))
				b.append(st, "x", "11")
				b.load(st, 4)
			}
		}
		for _, seq := range got {
			if seq == 3 || seq == 6 {
				b.Errorf("met %d, which was removed before", seq)
			}
		}
		for _, seq := range []store.Seq{1, 2, 4, 5, 7, 9, 10} {
			if n := count(got, seq); n != 1 {
				b.Errorf("met %d %d times, want once", seq, n)
			}
		}
	}},
	{name: "Scan ends with the error of its context", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 5000)
		ctx, cancel := context.WithCancel(b.ctx)
		n := 0
		var last error
		for _, err := range st.Scan(ctx, store.Query{}) {
			if n++; n == 10 {
				cancel()
			}
			last = err
		}
		if n < 5000 && !errors.Is(last, context.Canceled) {
			b.Errorf("ended after %d with %v", n, last)
		}
		cancel()
	}},
	{name: "Scan jumps over gaps of any size", run: func(b *bench) {
		st := b.create("S")
		b.append(st, "x", "1")
		for i := range 20 {
			b.restore(st, store.Seq(1)<<(20+2*i), "r") //nolint:gosec // small
		}
		if got := len(b.scan(st, store.Query{})); got != 21 {
			b.Errorf("met %d, want 21", got)
		}
		b.wantSeqs(st, store.Query{From: 1<<20 + 1, To: 1<<24 - 1}, 1<<22)
	}},
	{name: "extents are small enough to be scanned", many: true, run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 50_000)
		extents, _, err := st.Extents(b.ctx)
		b.must(err)
		for _, e := range extents {
			if e.Live.Messages > 300_000 {
				b.Errorf("extent %d–%d has %d messages", e.First, e.Last, e.Live.Messages)
			}
		}
	}},
}

func count(in []store.Seq, seq store.Seq) int {
	n := 0
	for _, s := range in {
		if s == seq {
			n++
		}
	}
	return n
}
