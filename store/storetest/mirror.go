package storetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"jsfs/store"
)

var mirrorCases = []testCase{
	{name: "a mirror has its origin's messages under their sequences and times", run: func(b *bench) {
		o := b.create("O")
		header := []byte("NATS/1.0\r\nA: b\r\nNats-Expected-Stream: O\r\n\r\n")
		_, err := o.Append(b.ctx, store.Entry{Subject: "x.y", Header: header, Data: []byte("first\n")})
		b.must(err)
		b.fill(o, 2000)
		b.remove(o, 2, 3, 1000)
		b.must(o.Restore(b.ctx, restorable(5000, b.state(o).LastTime+1<<40, "z", "later")))
		m := b.mirror("M", store.Source{Name: "O"})
		b.follows(m, 5000)
		b.sameMessages(o, m)
		b.append(o, "x", "follows\n")
		b.follows(m, 5001)
		b.fill(o, 3000)
		b.follows(m, 8001)
		b.sameMessages(o, m)
		b.check(m)
		if s := m.Origins(); len(s) != 1 || s[0].Name != "O" || s[0].Active == 0 || s[0].Error != "" {
			b.Errorf("got %+v", s)
		}
		b.wantOrigin(m, func(s store.SourceState) bool { return s.Lag == 0 && s.Error == "" })
	}},
	{name: "a mirror ends where its origin does", run: func(b *bench) {
		o := b.create("O")
		b.fill(o, 10)
		b.remove(o, 8, 9, 10)
		m := b.mirror("M", store.Source{Name: "O"})
		b.follows(m, 10)
		b.wantSeqs(m, store.Query{}, 1, 2, 3, 4, 5, 6, 7)
		if got, want := b.state(m).LastTime, b.state(o).LastTime; got != want {
			b.Errorf("last time: got %d, want %d", got, want)
		}
	}},
	{name: "what an origin removes stays in its mirror", run: func(b *bench) {
		o := b.create("O")
		b.fill(o, 5)
		m := b.mirror("M", store.Source{Name: "O"})
		b.follows(m, 5)
		b.remove(o, 1, 3, 5)
		b.append(o, "x", "6")
		b.follows(m, 6)
		b.wantSeqs(m, store.Query{}, 1, 2, 3, 4, 5, 6)
	}},
	{name: "a mirror takes no appends, but removals and restores", run: func(b *bench) {
		o := b.create("O")
		m := b.mirror("M", store.Source{Name: "O"})
		_, err := m.Append(b.ctx, store.Entry{Subject: "x"})
		b.wantErr(err, store.ErrDenied)
		n, err := m.AppendAll(b.ctx, []store.Entry{{Subject: "x"}, {Subject: "x", Sourced: true}})
		b.wantErr(err, store.ErrDenied)
		if s := b.state(m); n != 0 || s.Last != 0 {
			b.Errorf("stored %d, state %+v", n, s)
		}
		b.restore(m, 2, "of a backup")
		b.fill(o, 4)
		b.follows(m, 4)
		b.wantSeqs(m, store.Query{}, 2, 3, 4)
		b.remove(m, 3)
		b.append(o, "x", "5")
		b.follows(m, 5)
		b.wantSeqs(m, store.Query{}, 2, 4, 5)
	}},
	{name: "a mirror with a filter takes what matches, and keeps the sequences", run: func(b *bench) {
		o := b.create("O")
		for i := range 30 {
			b.append(o, fmt.Sprintf("s.%d", i%3), numbered(i))
		}
		m := b.mirror("M", store.Source{Name: "O", FilterSubject: "s.1"})
		b.follows(m, 29)
		b.wantSeqs(m, store.Query{}, 2, 5, 8, 11, 14, 17, 20, 23, 26, 29)
		b.append(o, "s.0", "not taken")
		b.append(o, "s.1", "taken")
		b.follows(m, 32)
		b.wantData(m, 32, "taken")
		b.wantGone(m, 31, store.ErrNotFound)
	}},
	{name: "a mirror begins where its configuration says", run: func(b *bench) {
		o := b.create("O")
		start := b.state(o).LastTime + 1<<60
		for i := range 10 {
			b.must(o.Restore(b.ctx, restorable(store.Seq(i+1), start+int64(i), "x", numbered(i)))) //nolint:gosec // small
		}
		b.follows(b.mirror("SEQ", store.Source{Name: "O", OptStartSeq: 8}), 10)
		b.wantSeqs(b.open("SEQ"), store.Query{}, 8, 9, 10)
		b.follows(b.mirror("TIME", store.Source{Name: "O", OptStartTime: time.Unix(0, start+6)}), 10)
		b.wantSeqs(b.open("TIME"), store.Query{}, 7, 8, 9, 10)
		late := b.mirror("LATE", store.Source{Name: "O", OptStartTime: time.Unix(0, start+100)})
		b.append(o, "x", "11") // its time is start+9
		b.wantOrigin(late, func(s store.SourceState) bool { return s.Active > 0 })
		b.must(o.Restore(b.ctx, restorable(12, start+200, "x", "12")))
		b.follows(late, 12)
		b.wantData(late, 12, "12")
	}},
	{name: "a mirror waits for an origin that is not there, and says so", run: func(b *bench) {
		m := b.mirror("M", store.Source{Name: "O"})
		b.wantOrigin(m, func(s store.SourceState) bool {
			return s.Active == 0 && strings.Contains(s.Error, store.ErrNotFound.Error())
		})
		o := b.create("O")
		b.fill(o, 3)
		b.follows(m, 3)
		b.wantOrigin(m, func(s store.SourceState) bool { return s.Error == "" })
	}},
	{name: "of an origin that is made again a mirror goes on at its own end, and says so", run: func(b *bench) {
		o := b.create("O")
		b.fill(o, 5)
		m := b.mirror("M", store.Source{Name: "O"})
		b.follows(m, 5)
		b.remove(o, 1, 2, 3, 4, 5)
		b.must(b.s.Remove(b.ctx, "O"))
		o = b.create("O")
		b.append(o, "again", "1")
		b.wantOrigin(m, func(s store.SourceState) bool { return strings.Contains(s.Error, "ends at 1") })
		for i := 2; i <= 6; i++ {
			b.append(o, "again", fmt.Sprint(i))
		}
		b.follows(m, 6)
		b.wantData(m, 5, "x\n")
		b.wantData(m, 6, "6")
		b.wantOrigin(m, func(s store.SourceState) bool { return s.Error != "" && s.Lag == 0 })
	}},
	{name: "mirrors of mirrors have the same messages", run: func(b *bench) {
		b.mirror("C", store.Source{Name: "B"})
		b.mirror("B", store.Source{Name: "A"})
		b.mirror("D", store.Source{Name: "B"})
		a := b.create("A")
		for i := range 200 {
			b.append(a, fmt.Sprintf("s.%d", i%5), numbered(i))
		}
		for _, name := range []string{"B", "C", "D"} {
			b.follows(b.open(name), 200)
			b.sameMessages(a, b.open(name))
		}
	}},
	{name: "a mirror waits at a message that it can't take, and goes on when it can", run: func(b *bench) {
		o := b.create("O")
		b.append(o, "x", "short")
		b.append(o, "x", "longer than ten")
		b.append(o, "x", "short")
		cfg := store.Config{Name: "M", Mirror: &store.Source{Name: "O"}, MaxMsgSize: 10}
		m, err := b.s.Create(b.ctx, cfg)
		b.must(err)
		b.wantOrigin(m, func(s store.SourceState) bool {
			return strings.Contains(s.Error, store.ErrTooLarge.Error()) && s.Lag == 2
		})
		b.wantSeqs(m, store.Query{}, 1)
		cfg.MaxMsgSize = 100
		b.must(b.s.Update(b.ctx, cfg))
		b.follows(m, 3)
		b.wantSeqs(m, store.Query{}, 1, 2, 3)
	}},
	{name: "a mirror goes on where it was when the store is opened again", durable: true, run: func(b *bench) {
		b.create("O")
		b.mirror("M", store.Source{Name: "O"})
		for round := range 5 {
			b.fill(b.open("O"), 3000)
			if round%2 == 0 {
				b.follows(b.open("M"), store.Seq(3000*round+100)) //nolint:gosec // small
			}
			b.reopen()
		}
		b.follows(b.open("M"), 15_000)
		b.sameMessages(b.open("O"), b.open("M"))
	}},
	{name: "a mirror remembers which origin it had", durable: true, run: func(b *bench) {
		o := b.create("O")
		b.fill(o, 1)
		b.follows(b.mirror("M", store.Source{Name: "O"}), 1)
		b.remove(o, 1)
		b.must(b.s.Remove(b.ctx, "O"))
		b.reopen()
		b.fill(b.create("O"), 7)
		b.follows(b.open("M"), 7)
		b.wantOrigin(b.open("M"), func(s store.SourceState) bool { return strings.Contains(s.Error, "made again") })
	}},
	{name: "a mirror becomes a stream of its own", run: func(b *bench) {
		o := b.create("O")
		b.fill(o, 3)
		m := b.mirror("M", store.Source{Name: "O"})
		b.follows(m, 3)
		b.must(b.s.Update(b.ctx, store.Config{Name: "M"}))
		b.append(o, "x", "not taken any more")
		if seq := b.append(m, "own", "4"); seq != 4 || len(m.Origins()) != 0 {
			b.Errorf("got sequence %d, origins %+v", seq, m.Origins())
		}
	}},
	{name: "a stream becomes a mirror, and goes on behind what it has", run: func(b *bench) {
		o := b.create("O")
		b.fill(o, 5)
		st := b.create("S")
		b.append(st, "own", "1")
		b.must(b.s.Update(b.ctx, store.Config{Name: "S", Mirror: &store.Source{Name: "O"}}))
		_, err := st.Append(b.ctx, store.Entry{Subject: "own"})
		b.wantErr(err, store.ErrDenied)
		b.follows(st, 5)
		b.wantSeqs(st, store.Query{}, 1, 2, 3, 4, 5)
		b.wantData(st, 1, "1")
	}},
	{name: "a mirror can be removed while it follows", run: func(b *bench) {
		o := b.create("O")
		m := b.mirror("M", store.Source{Name: "O", OptStartSeq: 1000})
		b.fill(o, 100)
		b.wantOrigin(m, func(s store.SourceState) bool { return s.Active > 0 })
		b.must(b.s.Remove(b.ctx, "M"))
		b.fill(o, 1000)
		_, err := b.s.Stream(b.ctx, "M")
		b.wantErr(err, store.ErrNotFound)
	}},
	{name: "origins that can't be are refused", run: refuseOrigins},
}

func refuseOrigins(b *bench) {
	from := func(name string) *store.Source { return &store.Source{Name: name} }
	b.mirror("M", *from("O"))
	_, err := b.s.Create(b.ctx, store.Config{Name: "SMALL", MaxMsgSize: 100})
	b.must(err)
	rows := []struct {
		name  string
		cfg   store.Config
		want  error
		field string
	}{
		{"subjects of a mirror", store.Config{Mirror: from("O"), Subjects: []string{"x"}}, store.ErrInvalid, "mirror"},
		{"a mirror with sources", store.Config{Mirror: from("O"), Sources: []store.Source{*from("P")}}, store.ErrInvalid, "mirror"},
		{"a mirror with a first sequence", store.Config{Mirror: from("O"), FirstSeq: 5}, store.ErrInvalid, "mirror"},
		{"a mirror of itself", store.Config{Mirror: from("S")}, store.ErrInvalid, "cycle"},
		{"a source that is itself", store.Config{Sources: []store.Source{*from("A"), *from("S")}}, store.ErrInvalid, "cycle"},
		{"a cycle behind a mirror", store.Config{Name: "O", Mirror: from("M")}, store.ErrInvalid, "cycle"},
		{"a cycle behind a source", store.Config{Name: "O", Sources: []store.Source{*from("P"), *from("M")}}, store.ErrInvalid, "cycle"},
		{"a name that is none", store.Config{Mirror: from("a.b")}, store.ErrInvalid, "mirror"},
		{"a filter that is none", store.Config{Mirror: &store.Source{Name: "O", FilterSubject: "a..b"}}, store.ErrSubject, "filter_subject"},
		{"two places to begin", store.Config{Mirror: &store.Source{Name: "O", OptStartSeq: 1, OptStartTime: time.Unix(1, 0)}}, store.ErrInvalid, "opt_start_time"},
		{"a source twice", store.Config{Sources: []store.Source{*from("P"), {Name: "P", FilterSubject: ">"}}}, store.ErrInvalid, "sources"},
		{"messages that would be too large", store.Config{Mirror: from("SMALL"), MaxMsgSize: 99}, store.ErrInvalid, "max_msg_size"},
	}
	for _, r := range rows {
		if r.cfg.Name == "" {
			r.cfg.Name = "S"
		}
		_, err := b.s.Create(b.ctx, r.cfg)
		b.wantErr(err, r.want)
		if err != nil && !strings.Contains(err.Error(), r.field) {
			b.Errorf("%s: the error %q does not name %s", r.name, err, r.field)
		}
	}
	b.create("O")
	b.wantErr(b.s.Update(b.ctx, store.Config{Name: "O", Sources: []store.Source{*from("M")}}), store.ErrInvalid)
	b.wantErr(b.s.Update(b.ctx, store.Config{Name: "M", Mirror: from("P")}), store.ErrDenied)
	b.append(b.open("O"), "x", "still its own")
	b.follows(b.open("M"), 1)
}

// mirror creates a mirror.
func (b *bench) mirror(name string, of store.Source) store.Stream {
	b.Helper()
	st, err := b.s.Create(b.ctx, store.Config{Name: name, Mirror: &of})
	b.must(err)
	return st
}

// patience is how long following an origin may take in a test.
const patience = 20 * time.Second

// eventually waits until what holds.
func (b *bench) eventually(holds func() bool, describe func() string) {
	b.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			b.Fatal(describe())
		}
	}
}

// follows waits until the stream has got to a sequence.
func (b *bench) follows(st store.Stream, last store.Seq) {
	b.Helper()
	b.eventually(func() bool { return b.state(st).Last >= last }, func() string {
		return fmt.Sprintf("stream %s got to %d in %v, want %d; origins: %+v", st.Config().Name, b.state(st).Last, patience, last, st.Origins())
	})
}

// wantOrigin waits until the state of one of the stream's origins is as it should be.
func (b *bench) wantOrigin(st store.Stream, good func(store.SourceState) bool) {
	b.Helper()
	b.eventually(func() bool {
		for _, s := range st.Origins() {
			if good(s) {
				return true
			}
		}
		return false
	}, func() string {
		return fmt.Sprintf("origins of %s after %v: %+v", st.Config().Name, patience, st.Origins())
	})
}

// sameMessages demands that a stream has exactly the live messages of another one.
func (b *bench) sameMessages(want, got store.Stream) {
	b.Helper()
	ws, gs := b.scan(want, store.Query{}), b.scan(got, store.Query{})
	if d := cmp.Diff(ws, gs); d != "" {
		b.Fatalf("messages of %s (-%s +%s):\n%.2000s", got.Config().Name, want.Config().Name, got.Config().Name, d)
	}
	for i, m := range ws {
		if i > 300 && i < len(ws)-300 {
			continue
		}
		if d := cmp.Diff(b.load(want, m.Seq), b.load(got, m.Seq)); d != "" {
			b.Errorf("message %d (-origin +mirror):\n%s", m.Seq, d)
		}
	}
	sw, sg := b.state(want), b.state(got)
	if sw.Last != sg.Last || sw.LastTime != sg.LastTime || sw.Live != sg.Live {
		b.Errorf("state: got %+v, want %+v", sg, sw)
	}
}
