package storetest

import (
	"context"
	"errors"
	"slices"

	"jsfs/store"
)

// finding has nine messages: a.x, a.y and b in turn, at the times 10, 20 … 90, then the gap from 10 to 19, and
// 20 on a.x at 100. 1, 5 and 20 are removed.
func finding(b *bench) store.Stream {
	b.Helper()
	st := b.create("S")
	for i := 1; i <= 9; i++ {
		b.restoreOn(st, store.Seq(i), int64(10*i), []string{"a.x", "a.y", "b"}[(i-1)%3]) //nolint:gosec // small
	}
	b.restoreOn(st, 20, 100, "a.x")
	b.remove(st, 1, 5, 20)
	return st
}

func (b *bench) restoreOn(st store.Stream, seq store.Seq, time int64, subject string) {
	b.Helper()
	b.must(st.Restore(b.ctx, store.Msg{Meta: store.Meta{Seq: seq, Time: time}, Subject: subject, Data: []byte(numbered(int(seq)))})) //nolint:gosec // small
}

// wantMsg demands that a message, or target, came back.
func (b *bench) wantMsg(what string, q store.Query, m store.Msg, err error, want store.Seq, target error) {
	b.Helper()
	if target != nil {
		if !errors.Is(err, target) {
			b.Errorf("%s(%+v): got %d, %v, want %v", what, q, m.Seq, err, target)
		}
		return
	}
	if err != nil || m.Seq != want || string(m.Data) != numbered(int(want)) { //nolint:gosec // small
		b.Errorf("%s(%+v): got %d %q, %v, want %d", what, q, m.Seq, m.Data, err, want)
	}
}

// badPatterns are patterns that every call must refuse.
var badPatterns = []struct {
	pattern string
	want    error
}{
	{"a..b", store.ErrSubject}, {".", store.ErrSubject}, {"a.>.b", store.ErrSubject}, {"a b", store.ErrSubject},
	{string(make([]byte, store.MaxSubject+1)), store.ErrNameTooLong},
}

var findCases = []testCase{
	{name: "Next gives the first live match from there on", run: func(b *bench) {
		st := finding(b)
		for _, c := range []struct {
			q    store.Query
			want store.Seq
			err  error
		}{
			{q: store.Query{}, want: 2},
			{q: store.Query{From: 1}, want: 2}, // below First
			{q: store.Query{From: 5}, want: 6}, // removed
			{q: store.Query{From: 9}, want: 9},
			{q: store.Query{From: 10}, err: store.ErrNotFound}, // a gap, and the one at Last removed
			{q: store.Query{From: 20}, err: store.ErrNotFound}, // at Last, removed
			{q: store.Query{From: 21}, err: store.ErrBeyond},
			{q: store.Query{From: 1<<64 - 1}, err: store.ErrBeyond},
			{q: store.Query{From: 21, Subject: "none"}, err: store.ErrBeyond},
			{q: store.Query{Subject: "a.x"}, want: 4},
			{q: store.Query{Subject: "a.x", From: 5}, want: 7},
			{q: store.Query{Subject: "a.x", From: 8}, err: store.ErrNotFound},
			{q: store.Query{Subject: "a.*", From: 5}, want: 7},
			{q: store.Query{Subject: "*"}, want: 3},
			{q: store.Query{Subject: "*.y"}, want: 2},
			{q: store.Query{Subject: "a.>", From: 3}, want: 4},
			{q: store.Query{Subject: ">", From: 5}, want: 6},
			{q: store.Query{Subject: "none"}, err: store.ErrNotFound},
			{q: store.Query{Subject: "a"}, err: store.ErrNotFound},
			{q: store.Query{Subject: "a.x", Or: []string{"b"}}, want: 3},
			{q: store.Query{Subject: "b", Or: []string{"a.x", "none", "a.*"}, From: 7}, want: 7},
			{q: store.Query{Subject: "b", Or: []string{""}, From: 7}, want: 7},
			{q: store.Query{Or: []string{"b"}}, want: 2}, // Or counts beside a Subject only
			{q: store.Query{Subject: "b", From: 4, To: 5}, err: store.ErrNotFound},
			{q: store.Query{Subject: "b", From: 4, To: 6}, want: 6},
			{q: store.Query{From: 7, To: 4}, err: store.ErrNotFound},
			{q: store.Query{From: 9, To: 1<<64 - 1}, want: 9},
		} {
			m, err := st.Next(b.ctx, c.q, nil)
			b.wantMsg("Next", c.q, m, err, c.want, c.err)
		}
	}},
	{name: "Prev gives the last live match up to there", run: func(b *bench) {
		st := finding(b)
		for _, c := range []struct {
			q    store.Query
			want store.Seq
			err  error
		}{
			{q: store.Query{}, want: 9},         // the one at Last is removed
			{q: store.Query{To: 1000}, want: 9}, // above Last
			{q: store.Query{To: 1<<64 - 1}, want: 9},
			{q: store.Query{To: 5}, want: 4},
			{q: store.Query{To: 1}, err: store.ErrNotFound},
			{q: store.Query{Subject: "a.x"}, want: 7},
			{q: store.Query{Subject: "a.x", To: 6}, want: 4},
			{q: store.Query{Subject: "a.x", To: 3}, err: store.ErrNotFound},
			{q: store.Query{Subject: "a.*", To: 6}, want: 4},
			{q: store.Query{Subject: "*"}, want: 9},
			{q: store.Query{Subject: "a.y", Or: []string{"a.x"}}, want: 8},
			{q: store.Query{Subject: "a.x", Or: []string{"b"}, To: 8}, want: 7},
			{q: store.Query{Subject: "none"}, err: store.ErrNotFound},
			{q: store.Query{Subject: "a.x", From: 8}, err: store.ErrNotFound},
			{q: store.Query{From: 21}, err: store.ErrNotFound},
			{q: store.Query{From: 5, To: 3}, err: store.ErrNotFound},
		} {
			m, err := st.Prev(b.ctx, c.q, nil)
			b.wantMsg("Prev", c.q, m, err, c.want, c.err)
		}
	}},
	{name: "Next and Prev of an empty stream", run: func(b *bench) {
		st := b.create("S")
		_, err := st.Next(b.ctx, store.Query{}, nil)
		b.wantErr(err, store.ErrNotFound)
		_, err = st.Next(b.ctx, store.Query{From: 1}, nil)
		b.wantErr(err, store.ErrBeyond)
		_, err = st.Prev(b.ctx, store.Query{}, nil)
		b.wantErr(err, store.ErrNotFound)
		_, err = st.Prev(b.ctx, store.Query{Subject: "x", To: 1}, nil)
		b.wantErr(err, store.ErrNotFound)
	}},
	{name: "Next walks a subject that is rare", run: func(b *bench) {
		st := b.create("S")
		var want []store.Seq
		for i := range 20 {
			b.fill(st, 500)
			if i%4 == 1 {
				want = append(want, b.append(st, "rare.one", numbered(501*(i+1))))
			} else {
				b.append(st, "other", numbered(i))
			}
		}
		for _, q := range []store.Query{{Subject: "rare.one"}, {Subject: "rare.*"}, {Subject: "none", Or: []string{"rare.>"}}} {
			b.wantSeqs(st, q, want...)
			var got []store.Seq
			for {
				m, err := st.Next(b.ctx, q, nil)
				if errors.Is(err, store.ErrNotFound) {
					break
				}
				b.must(err)
				got = append(got, m.Seq)
				q.From = m.Seq + 1
			}
			if !slices.Equal(got, want) {
				b.Errorf("Next of %q gave %v, want %v", q.Subject, got, want)
			}
		}
	}},
	{name: "SubjectOf gives the subject of a live message", run: func(b *bench) {
		st := finding(b)
		for seq, want := range map[store.Seq]string{2: "a.y", 3: "b", 4: "a.x"} {
			if got, err := st.SubjectOf(b.ctx, seq); err != nil || got != want {
				b.Errorf("SubjectOf(%d): got %q, %v, want %q", seq, got, err, want)
			}
		}
		for seq, want := range map[store.Seq]error{
			0: store.ErrNotFound, 1: store.ErrNotFound, 5: store.ErrNotFound, 10: store.ErrNotFound,
			20: store.ErrNotFound, 21: store.ErrBeyond, 1<<64 - 1: store.ErrBeyond,
		} {
			_, err := st.SubjectOf(b.ctx, seq)
			b.wantErr(err, want)
		}
	}},
	{name: "a pattern that is none is refused by every call", run: func(b *bench) {
		st := finding(b)
		for _, p := range badPatterns {
			for _, q := range []store.Query{{Subject: p.pattern}, {Subject: "b", Or: []string{"a.x", p.pattern}}} {
				_, err := st.Next(b.ctx, q, nil)
				b.wantErr(err, p.want)
				_, err = st.Prev(b.ctx, q, nil)
				b.wantErr(err, p.want)
				_, err = st.Count(b.ctx, q)
				b.wantErr(err, p.want)
				_, _, err = st.Pending(b.ctx, q, true)
				b.wantErr(err, p.want)
				_, err = st.LastSeqs(b.ctx, append(q.Or, q.Subject), 0, 0)
				b.wantErr(err, p.want)
				for _, err = range st.Scan(b.ctx, q) {
				}
				b.wantErr(err, p.want)
			}
			var err error
			for _, err = range st.Subjects(b.ctx, p.pattern, "") {
			}
			b.wantErr(err, p.want)
			_, err = st.LoadLast(b.ctx, p.pattern, nil)
			b.wantErr(err, p.want)
		}
	}},
	{name: "Scan takes several patterns, and meets once what matches two", run: func(b *bench) {
		st := finding(b)
		b.wantSeqs(st, store.Query{Subject: "a.x", Or: []string{"b"}}, 3, 4, 6, 7, 9)
		b.wantSeqs(st, store.Query{Subject: "a.*", Or: []string{"a.x", "*.x"}, From: 4, To: 8}, 4, 7, 8)
		b.wantSeqs(st, store.Query{Or: []string{"b"}, To: 3}, 2, 3)
	}},
	{name: "a closed stream finds nothing", run: func(b *bench) {
		st := finding(b)
		b.must(b.s.Close())
		b.wantClosed(st, b.ctx, store.ErrClosed)
	}},
	{name: "a context that ended ends finding", run: func(b *bench) {
		st := finding(b)
		ctx, cancel := context.WithCancel(b.ctx)
		cancel()
		b.wantClosed(st, ctx, context.Canceled)
	}},
}

// wantClosed demands that every call gives target.
func (b *bench) wantClosed(st store.Stream, ctx context.Context, target error) { //nolint:revive // the context is what is tested
	b.Helper()
	_, err := st.Next(ctx, store.Query{}, nil)
	b.wantErr(err, target)
	_, err = st.Prev(ctx, store.Query{}, nil)
	b.wantErr(err, target)
	_, err = st.SeekTime(ctx, 0)
	b.wantErr(err, target)
	_, err = st.Count(ctx, store.Query{})
	b.wantErr(err, target)
	_, err = st.LastSeqs(ctx, nil, 0, 0)
	b.wantErr(err, target)
	_, _, err = st.Pending(ctx, store.Query{}, false)
	b.wantErr(err, target)
	for _, err = range st.Subjects(ctx, "", "") {
	}
	b.wantErr(err, target)
	err = nil
	for _, err = range st.Gaps(ctx, store.Query{}) {
	}
	b.wantErr(err, target)
}
