package storetest

import (
	"fmt"

	"pgregory.net/rapid"

	"jsfs/store"
)

// loadRuns loads all from seq on, run by run, as who reads a log does: a copy of each message, and what ended it.
func (b *bench) loadRuns(st store.Reader, seq store.Seq, buf []byte) (ms []store.Msg, err error) {
	for err == nil {
		given := 0
		for m, e := range st.LoadRun(b.ctx, seq, buf) {
			if err = e; err != nil {
				break
			}
			if m.Seq != seq {
				b.Fatalf("a run gives message %d, want %d", m.Seq, seq)
			}
			ms = append(ms, copyOf(m))
			given, seq = given+1, seq+1
		}
		if given == 0 && err == nil {
			b.Fatalf("the run from message %d on gives nothing", seq)
		}
	}
	return ms, err
}

func copyOf(m store.Msg) store.Msg {
	m.Header, m.Data = append([]byte(nil), m.Header...), append([]byte(nil), m.Data...)
	return m
}

var loadRunCases = []testCase{
	{name: "LoadRun gives what Load does, up to a gap", run: func(b *bench) {
		st := b.create("S")
		for i := range 3000 {
			e := store.Entry{Subject: fmt.Sprint("s.", i%3), Data: make([]byte, i%70)}
			if i%5 == 0 {
				e.Header = []byte(header)
			}
			if i%500 == 0 {
				e.Data = make([]byte, 70_000)
			}
			_, err := st.Append(b.ctx, e)
			b.must(err)
		}
		b.remove(st, 1000)
		for _, buf := range [][]byte{nil, make([]byte, 100), make([]byte, 1<<16)} {
			ms, err := b.loadRuns(st, 1, buf)
			if b.wantErr(err, store.ErrNotFound); len(ms) != 999 {
				b.Fatalf("%d messages up to the gap, want 999", len(ms))
			}
			rest, err := b.loadRuns(st, 1001, buf)
			if b.wantErr(err, store.ErrBeyond); len(rest) != 2000 {
				b.Fatalf("%d messages behind the gap, want 2000", len(rest))
			}
			for _, m := range append(ms, rest...) {
				if want := b.load(st, m.Seq); m.Meta != want.Meta || m.Subject != want.Subject || string(m.Header) != string(want.Header) || string(m.Data) != string(want.Data) {
					b.Fatalf("got %+v, want %+v", m, want)
				}
			}
		}
	}},
	{name: "LoadRun has Load's errors", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 3)
		b.remove(st, 2)
		for seq, want := range map[store.Seq]error{0: store.ErrNotFound, 2: store.ErrNotFound, 4: store.ErrBeyond, 1<<64 - 1: store.ErrBeyond} {
			if ms, err := b.loadRuns(st, seq, nil); len(ms) > 0 {
				b.Errorf("message %d: got %d messages", seq, len(ms))
			} else {
				b.wantErr(err, want)
			}
		}
	}},
	{name: "LoadRun ends where it is left, and others go on meanwhile", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 10)
		seen := store.Seq(0)
		for m, err := range st.LoadRun(b.ctx, 1, nil) {
			b.must(err)
			if seen = m.Seq; seen == 3 {
				break
			}
			b.append(st, "x", "another")
			if m.Seq == 1 {
				b.remove(st, 5)
			}
		}
		if seen != 3 {
			b.Errorf("it ended at %d, want 3", seen)
		}
		ms, err := b.loadRuns(st, 1, nil)
		if b.wantErr(err, store.ErrNotFound); len(ms) != 4 {
			b.Errorf("%d messages up to the removed one, want 4", len(ms))
		}
	}},
}

// loadRun reads a run.
func (m *model) loadRun(rt *rapid.T) {
	p := m.pick(rt)
	seq := p.drawSeq(rt)
	buf := make([]byte, rapid.IntRange(0, 700).Draw(rt, "buffer"))
	most, n := rapid.IntRange(1, 30).Draw(rt, "most"), 0
	for got, gotErr := range p.got.LoadRun(rt.Context(), seq, buf) {
		want, wantErr := p.want.Load(rt.Context(), seq, nil)
		if !same(rt, fmt.Sprint("load run at ", seq), gotErr, wantErr) {
			return
		}
		sameMsg(rt, got, want)
		if n, seq = n+1, seq+1; n == most {
			return
		}
	}
	if n == 0 {
		rt.Fatalf("the run from message %d on gives nothing", seq)
	}
}
