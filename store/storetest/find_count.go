package storetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"jsfs/store"
)

func (b *bench) wantCount(f store.Stream, q store.Query, n uint64, first, last store.Seq) {
	b.Helper()
	got, err := f.Count(b.ctx, q)
	if want := (store.Count{Messages: n, First: first, Last: last}); err != nil || got != want {
		b.Errorf("Count(%+v): got %+v, %v, want %+v", q, got, err, want)
	}
	p, _, err := f.Pending(b.ctx, q, false)
	if err != nil || p != n {
		b.Errorf("Pending(%+v): got %d, %v, want %d", q, p, err, n)
	}
}

func (b *bench) subjects(f store.Stream, pattern, after string) []store.SubjectCount {
	b.Helper()
	return all(b, f.Subjects(b.ctx, pattern, after))
}

func (b *bench) wantSubjects(f store.Stream, pattern string, want ...store.SubjectCount) {
	b.Helper()
	if d := cmp.Diff(want, b.subjects(f, pattern, "")); d != "" {
		b.Errorf("Subjects(%q) (-want +got):\n%s", pattern, d)
	}
	if pattern == "" {
		if n, err := f.CountSubjects(b.ctx); err != nil || n != uint64(len(want)) {
			b.Errorf("CountSubjects: got %d, %v, want %d", n, err, len(want))
		}
	}
	for i := range want {
		for _, after := range []string{want[i].Subject, want[i].Subject + "\x00"} {
			if got := b.subjects(f, pattern, after); !slices.Equal(got, want[i+1:]) {
				b.Errorf("Subjects(%q, %q): got %+v, want %+v", pattern, after, got, want[i+1:])
			}
		}
	}
}

func on(subject string, n uint64, first, last store.Seq) store.SubjectCount {
	return store.SubjectCount{Subject: subject, Count: store.Count{Messages: n, First: first, Last: last}}
}

func (b *bench) wantLast(f store.Stream, patterns []string, upTo store.Seq, want ...store.Seq) {
	b.Helper()
	got, err := f.LastSeqs(b.ctx, patterns, upTo, 0)
	if err != nil || !slices.Equal(got, want) {
		b.Errorf("LastSeqs(%q, %d): got %v, %v, want %v", patterns, upTo, got, err, want)
	}
}

func (b *bench) wantPending(f store.Stream, q store.Query, subjects uint64, through store.Seq) {
	b.Helper()
	n, at, err := f.Pending(b.ctx, q, true)
	if err != nil || n != subjects || at != through {
		b.Errorf("Pending(%+v, last per subject): got %d through %d, %v, want %d through %d", q, n, at, err, subjects, through)
	}
}

var countCases = []testCase{
	{name: "Count counts the live matches in the range", run: func(b *bench) {
		st := finding(b)
		b.wantCount(st, store.Query{}, 7, 2, 9)
		b.wantCount(st, store.Query{Subject: ">"}, 7, 2, 9)
		b.wantCount(st, store.Query{From: 5}, 4, 6, 9)
		b.wantCount(st, store.Query{From: 5, To: 7}, 2, 6, 7)
		b.wantCount(st, store.Query{From: 5, To: 5}, 0, 0, 0)
		b.wantCount(st, store.Query{From: 10}, 0, 0, 0)
		b.wantCount(st, store.Query{From: 1 << 63}, 0, 0, 0)
		b.wantCount(st, store.Query{From: 7, To: 3}, 0, 0, 0)
		b.wantCount(st, store.Query{To: 1<<64 - 1}, 7, 2, 9)
		b.wantCount(st, store.Query{Subject: "a.x"}, 2, 4, 7)
		b.wantCount(st, store.Query{Subject: "a.x", From: 5}, 1, 7, 7)
		b.wantCount(st, store.Query{Subject: "a.x", To: 6}, 1, 4, 4)
		b.wantCount(st, store.Query{Subject: "a.*"}, 4, 2, 8)
		b.wantCount(st, store.Query{Subject: "a.*", From: 3, To: 7}, 2, 4, 7)
		b.wantCount(st, store.Query{Subject: "*"}, 3, 3, 9)
		b.wantCount(st, store.Query{Subject: "none"}, 0, 0, 0)
		b.wantCount(st, store.Query{Subject: "a.x", Or: []string{"b"}}, 5, 3, 9)
		b.wantCount(st, store.Query{Subject: "a.*", Or: []string{"a.x", "*.y", "a.>"}}, 4, 2, 8)
		b.wantCount(st, store.Query{Or: []string{"b"}}, 7, 2, 9)
	}},
	{name: "Count follows removals and undeletions", run: func(b *bench) {
		st := finding(b)
		b.wantCount(st, store.Query{Subject: "a.x"}, 2, 4, 7)
		b.remove(st, 7)
		b.wantCount(st, store.Query{Subject: "a.x"}, 1, 4, 4)
		b.must(st.Undelete(b.ctx, 20))
		b.wantCount(st, store.Query{Subject: "a.x"}, 2, 4, 20)
		b.must(st.Undelete(b.ctx, 1))
		b.wantCount(st, store.Query{Subject: "a.x"}, 3, 1, 20)
		b.remove(st, 1)
		b.wantCount(st, store.Query{Subject: "a.x"}, 2, 4, 20)
		b.remove(st, 4, 20)
		b.wantCount(st, store.Query{Subject: "a.x"}, 0, 0, 0)
		b.append(st, "a.x", "again")
		b.wantCount(st, store.Query{Subject: "a.x"}, 1, 21, 21)
	}},
	{name: "counts of a subject survive reopening", durable: true, run: func(b *bench) {
		st := finding(b)
		b.remove(st, 4)
		for range 2 {
			b.wantSubjects(st, "", on("a.x", 1, 7, 7), on("a.y", 2, 2, 8), on("b", 3, 3, 9))
			b.wantLast(st, []string{"a.x"}, 6)
			b.reopen()
			st = b.open("S")
		}
		b.must(st.Undelete(b.ctx, 4))
		b.reopen()
		b.wantCount(b.open("S"), store.Query{Subject: "a.*"}, 4, 2, 8)
	}},
	{name: "Subjects walks the subjects that have a live message, by name", run: func(b *bench) {
		st := finding(b)
		ax, ay, bb := on("a.x", 2, 4, 7), on("a.y", 2, 2, 8), on("b", 3, 3, 9)
		b.wantSubjects(st, "", ax, ay, bb)
		b.wantSubjects(st, ">", ax, ay, bb)
		b.wantSubjects(st, "a.*", ax, ay)
		b.wantSubjects(st, "*.y", ay)
		b.wantSubjects(st, "*", bb)
		b.wantSubjects(st, "b", bb)
		b.wantSubjects(st, "none")
		b.wantSubjects(st, "a")
		b.remove(st, 2, 8)
		b.wantSubjects(st, "a.>", ax)
		b.append(st, "a!", "sorts before a.x")
		b.append(st, "a", "sorts before a!")
		b.append(st, "aa", "sorts behind a.x")
		b.wantSubjects(st, "", on("a", 1, 22, 22), on("a!", 1, 21, 21), ax, on("aa", 1, 23, 23), bb)
	}},
	{name: "Subjects can be left at any of them", run: func(b *bench) {
		st := finding(b)
		for _, err := range st.Subjects(b.ctx, "", "") {
			b.must(err)
			break
		}
		b.append(st, "x", "still writable")
	}},
	{name: "Subjects of a stream that has thousands", run: func(b *bench) {
		st := b.create("S")
		const n = 5000
		es := make([]store.Entry, n)
		for i := range es {
			es[i] = store.Entry{Subject: fmt.Sprintf("s.%d.%s", i*7919%n, []string{"even", "odd.odd"}[i%2])}
		}
		for range 2 {
			_, err := st.AppendAll(b.ctx, es)
			b.must(err)
		}
		all := b.subjects(st, "", "")
		if len(all) != n || !slices.IsSortedFunc(all, func(a, b store.SubjectCount) int { return strings.Compare(a.Subject, b.Subject) }) {
			b.Fatalf("got %d subjects, sorted or not, want %d", len(all), n)
		}
		for _, c := range all {
			if c.Messages != 2 || c.Last != c.First+n {
				b.Fatalf("got %+v", c)
			}
		}
		b.wantCount(st, store.Query{Subject: "s.*.even"}, n, 1, 2*n-1)
		b.wantCount(st, store.Query{Subject: "s.*.odd.odd", From: n + 1}, n/2, n+2, 2*n)
		b.wantCount(st, store.Query{Subject: "s.*.*", Or: []string{"*.*.odd.>"}, From: n}, n+1, n, 2*n)
		b.remove(st, 1, n+1)
		if got := len(b.subjects(st, "s.>", "")); got != n-1 {
			b.Errorf("got %d subjects, want %d", got, n-1)
		}
	}},
	{name: "LastSeqs gives the last of each subject up to there, sorted", run: func(b *bench) {
		st := finding(b)
		b.wantLast(st, nil, 0, 7, 8, 9)
		b.wantLast(st, []string{}, 0, 7, 8, 9)
		b.wantLast(st, []string{""}, 0, 7, 8, 9)
		b.wantLast(st, []string{">"}, 0, 7, 8, 9)
		b.wantLast(st, []string{"a.*"}, 0, 7, 8)
		b.wantLast(st, []string{"b", "a.x"}, 0, 7, 9)
		b.wantLast(st, []string{"a.x", "a.*", "*.x", ">"}, 0, 7, 8, 9) // each once
		b.wantLast(st, []string{"a.x", "a.x"}, 0, 7)
		b.wantLast(st, []string{"none"}, 0)
		b.wantLast(st, []string{"a.x", "b"}, 6, 4, 6)
		b.wantLast(st, []string{">"}, 3, 2, 3)
		b.wantLast(st, []string{">"}, 1)
		b.wantLast(st, []string{">"}, 20, 7, 8, 9)
		b.wantLast(st, []string{">"}, 1000, 7, 8, 9) // above Last means now
		b.wantLast(st, []string{">"}, 1<<64-1, 7, 8, 9)
		b.remove(st, 7)
		b.wantLast(st, []string{"a.x"}, 0, 4)
		b.must(st.Undelete(b.ctx, 20))
		b.wantLast(st, []string{"a.x"}, 0, 20)
		b.wantLast(st, []string{"a.x"}, 19, 4)
	}},
	{name: "LastSeqs refuses to give more than its limit", run: func(b *bench) {
		st := finding(b)
		for _, c := range []struct {
			patterns []string
			upTo     store.Seq
			limit    int
			want     error
		}{
			{nil, 0, 3, nil},
			{nil, 0, 2, store.ErrTooLarge},
			{[]string{"a.*"}, 0, 2, nil},
			{[]string{"a.*"}, 0, 1, store.ErrTooLarge},
			{[]string{"a.x", "a.x", "*.x"}, 0, 1, nil}, // overlapping patterns count once
			{[]string{">"}, 2, 1, nil},                 // what has nothing up to there does not count
			{[]string{"none"}, 0, 1, nil},
		} {
			_, err := st.LastSeqs(b.ctx, c.patterns, c.upTo, c.limit)
			b.wantErr(err, c.want)
		}
	}},
	{name: "Pending counts what a consumer has to get", run: func(b *bench) {
		st := finding(b)
		b.wantPending(st, store.Query{}, 3, 20)
		b.wantPending(st, store.Query{From: 8}, 2, 20)
		b.wantPending(st, store.Query{From: 10}, 0, 20)
		b.wantPending(st, store.Query{From: 100}, 0, 20)
		b.wantPending(st, store.Query{From: 5, Subject: "a.*"}, 2, 20)
		b.wantPending(st, store.Query{From: 8, Subject: "a.*"}, 1, 20)
		b.wantPending(st, store.Query{From: 8, Subject: "a.*", Or: []string{"b", "a.y"}}, 2, 20)
		b.wantPending(st, store.Query{Subject: "a.x", To: 6}, 0, 20)
		b.wantPending(st, store.Query{To: 8}, 2, 20)
		b.remove(st, 9)
		b.wantPending(st, store.Query{From: 8}, 1, 20)
		b.append(st, "c", "")
		b.wantPending(st, store.Query{From: 8}, 2, 21)
		n, through, err := st.Pending(b.ctx, store.Query{From: 7, Subject: "a.>"}, false)
		if err != nil || n != 2 || through != 21 {
			b.Errorf("got %d through %d, %v, want 2 through 21", n, through, err)
		}
	}},
	{name: "nothing is pending in an empty stream", run: func(b *bench) {
		st := b.create("S")
		b.wantPending(st, store.Query{}, 0, 0)
		b.wantCount(st, store.Query{}, 0, 0, 0)
		b.wantCount(st, store.Query{Subject: "x"}, 0, 0, 0)
		b.wantSubjects(st, "")
		b.wantLast(st, nil, 0)
	}},
}
