package storetest

import (
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"jsfs/store"
)

// Followers changes streams at random that others follow: a mirror, a mirror of that with a filter, and one with both
// as its sources. Whatever happens, followers have what their origins have and had, once each, and in order.
func Followers(t *testing.T, e Engine) {
	root := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(root, "followers")
		if err != nil {
			rt.Fatal(err)
		}
		rt.Context().Done() // as in Model
		var stop any
		synctest.Test(t, func(t *testing.T) {
			defer func() { stop = recover() }()
			f := &followers{t: t, e: e, dir: dir, stored: map[store.Seq]string{}}
			f.s = e.Open(t, dir)
			defer func() { _ = f.s.Close() }()
			f.run(rt)
		})
		if stop != nil {
			panic(stop)
		}
	})
}

// followers is a store with the streams O, M (a mirror of O), F (a mirror of M, filtered) and S (with sources O and F).
type followers struct {
	t      *testing.T
	e      Engine
	dir    string
	s      store.Store
	stored map[store.Seq]string // every message that O ever had: its subject and payload
}

func (f *followers) run(rt *rapid.T) {
	for _, cfg := range []store.Config{
		{Name: "S", Subjects: []string{"own"}, Sources: []store.Source{{Name: "O"}, {Name: "F"}}},
		{Name: "F", Mirror: &store.Source{Name: "M", FilterSubject: "*.1"}},
		{Name: "M", Mirror: &store.Source{Name: "O"}},
		{Name: "O"},
	} {
		_, err := f.s.Create(rt.Context(), cfg)
		check(rt, err)
	}
	actions := map[string]func(*rapid.T){
		"append":  f.append,
		"restore": f.restore,
		"remove":  func(rt *rapid.T) { f.remove(rt, "O") },
		"consume": func(rt *rapid.T) { f.remove(rt, "S") },
		"own":     func(rt *rapid.T) { f.appendTo(rt, "S", store.Entry{Subject: "own"}) },
		"settle":  func(*rapid.T) { synctest.Wait() },
		"pass":    func(*rapid.T) { time.Sleep(time.Minute) },
		"resume":  f.resume,
	}
	if f.e.Durable {
		actions["reopen"] = func(rt *rapid.T) {
			check(rt, f.s.Close())
			f.s = f.e.Open(f.t, f.dir)
		}
	}
	rt.Repeat(actions)
	time.Sleep(time.Minute)
	synctest.Wait()
	f.compareMirror(rt, "M", func(string) bool { return true })
	f.compareMirror(rt, "F", func(subject string) bool { return store.MatchSubject("*.1", subject) })
	f.compareSourced(rt)
}

func (f *followers) open(rt *rapid.T, name string) store.Stream {
	st, err := f.s.Stream(rt.Context(), name)
	check(rt, err)
	return st
}

func (f *followers) appendTo(rt *rapid.T, name string, e store.Entry) store.Seq {
	seq, err := f.open(rt, name).Append(rt.Context(), e)
	check(rt, err)
	return seq
}

func (f *followers) append(rt *rapid.T) {
	for i := range rapid.IntRange(1, 30).Draw(rt, "messages") {
		e := store.Entry{Subject: fmt.Sprintf("s.%d", i%3), Data: fmt.Appendf(nil, "payload %d of %d", i, len(f.stored))}
		f.stored[f.appendTo(rt, "O", e)] = e.Subject + " " + string(e.Data)
	}
}

// restore makes a gap.
func (f *followers) restore(rt *rapid.T) {
	o := f.open(rt, "O")
	state, err := o.State(rt.Context())
	check(rt, err)
	m := restorable(state.Last+1+store.Seq(rapid.IntRange(0, 50).Draw(rt, "gap")), state.LastTime, "s.1", "restored") //nolint:gosec // small
	check(rt, o.Restore(rt.Context(), m))
	f.stored[m.Seq] = "s.1 restored"
}

func (f *followers) remove(rt *rapid.T, name string) {
	st := f.open(rt, name)
	state, err := st.State(rt.Context())
	check(rt, err)
	if state.Last == 0 {
		return
	}
	seq := rapid.Uint64Range(1, uint64(state.Last)).Draw(rt, "sequence")
	_, err = st.Remove(rt.Context(), store.Seq(seq))
	check(rt, err)
}

// resume takes a source away, and gives it back.
func (f *followers) resume(rt *rapid.T) {
	cfg := f.open(rt, "S").Config()
	all := cfg.Sources
	cfg.Sources = all[:1]
	check(rt, f.s.Update(rt.Context(), cfg))
	cfg.Sources = all
	check(rt, f.s.Update(rt.Context(), cfg))
}

// compareMirror demands of a mirror all that O has now and the filter takes, and nothing that it never had.
func (f *followers) compareMirror(rt *rapid.T, name string, takes func(subject string) bool) {
	o, m := f.open(rt, "O"), f.open(rt, name)
	has := map[store.Seq]bool{}
	for meta, err := range m.Scan(rt.Context(), store.Query{}) {
		check(rt, err)
		msg, err := m.Load(rt.Context(), meta.Seq, nil)
		check(rt, err)
		if got, want := msg.Subject+" "+string(msg.Data), f.stored[meta.Seq]; got != want || !takes(msg.Subject) {
			rt.Fatalf("message %d of %s: got %q, want %q", meta.Seq, name, got, want)
		}
		has[meta.Seq] = true
	}
	for meta, err := range o.Scan(rt.Context(), store.Query{}) {
		check(rt, err)
		msg, err := o.Load(rt.Context(), meta.Seq, nil)
		check(rt, err)
		if takes(msg.Subject) && !has[meta.Seq] {
			rt.Fatalf("%s lacks message %d; origins: %+v", name, meta.Seq, m.Origins())
		}
	}
}

// compareSourced demands that the messages of each source are in S in their order, once, as far as they are there still.
func (f *followers) compareSourced(rt *rapid.T) {
	st := f.open(rt, "S")
	state, err := st.State(rt.Context())
	check(rt, err)
	last := map[string]store.Seq{}
	for meta, err := range st.Scan(rt.Context(), store.Query{}) {
		check(rt, err)
		msg, err := st.Load(rt.Context(), meta.Seq, nil)
		check(rt, err)
		name, seq, ok := sourceOf(msg.Header)
		if !ok {
			continue
		}
		if seq <= last[name] {
			rt.Fatalf("message %d of S is %d of %s, behind %d", meta.Seq, seq, name, last[name])
		}
		if got := msg.Subject + " " + string(msg.Data); got != f.stored[seq] {
			rt.Fatalf("message %d of S: got %q, want %q", meta.Seq, got, f.stored[seq])
		}
		last[name] = seq
	}
	before := state.Last
	f.appendTo(rt, "O", store.Entry{Subject: "s.1", Data: []byte("the end")})
	synctest.Wait()
	state, err = st.State(rt.Context())
	check(rt, err)
	if got := state.Last - before; got != 2 { // from O, and from F
		rt.Fatalf("one more message came to S %d times, want 2; origins: %+v", got, st.Origins())
	}
}
