package blockstore_test

import (
	"fmt"
	"maps"
	"slices"

	"jsfs/store"
)

// purge is a removal of several messages in one step, in a journal.
type purge struct {
	what string
	msgs []purged
}

// purged is a message that is to go with a purge.
type purged struct {
	*jmsg
	seq     store.Seq
	before  fact
	touched int  // of the message, once the purge was begun
	durable bool // it was known to be on disk
}

// whole demands that all of a purge was done or nothing, as far as nobody touched the messages
// since. One that was not on disk may be missing because of that.
func (p *purge) whole(live map[store.Seq]bool) error {
	gone, there := store.Seq(0), store.Seq(0)
	for _, m := range p.msgs {
		switch {
		case m.jmsg.touched != m.touched:
		case live[m.seq]:
			there = m.seq
		case m.durable:
			gone = m.seq
		}
	}
	if gone > 0 && there > 0 {
		return fmt.Errorf("half of a purge was done (%s): message %d is gone, %d is live", p.what, gone, there)
	}
	return nil
}

// purge removes several messages in one step, in one of the ways that there are.
func (w *workload) purge() {
	st, js := w.pick()
	if st == nil || js.last == 0 {
		return
	}
	for _, m := range js.msgs {
		if m.live.unknown {
			return
		}
	}
	p, next := &purge{}, js.last+1
	at := store.Seq(1 + w.rng.Uint64N(uint64(js.last)+1))
	var call func() (int64, error)
	var hit func(seq store.Seq, m *jmsg) bool
	switch w.rng.IntN(5) {
	case 0:
		p.what = "all"
		call = func() (int64, error) { return st.Purge(bg, store.Purge{}) }
		hit = func(store.Seq, *jmsg) bool { return true }
	case 1:
		p.what = fmt.Sprint("subject below ", at)
		call = func() (int64, error) { return st.Purge(bg, store.Purge{Subject: "a.*", Below: at}) }
		hit = func(seq store.Seq, m *jmsg) bool { return m.e.Subject == "a.b" && seq < at }
	case 2:
		p.what = fmt.Sprint("compact ", at)
		call = func() (int64, error) { return st.Compact(bg, at) }
		hit = func(seq store.Seq, _ *jmsg) bool { return seq < at }
	case 3:
		next = js.last + 1 + store.Seq(w.rng.IntN(300)) //nolint:gosec // small
		p.what = fmt.Sprint("compact above the last, ", next)
		call = func() (int64, error) { return st.Compact(bg, next) }
		hit = func(store.Seq, *jmsg) bool { return true }
	default:
		p.what = fmt.Sprint("ranges about ", at)
		ranges := []store.Range{{First: at, Last: at + 9}, {First: at / 2, Last: at/2 + 3}}
		call = func() (int64, error) { return st.RemoveAll(bg, ranges) }
		hit = func(seq store.Seq, _ *jmsg) bool { return seq >= at && seq <= at+9 || seq >= at/2 && seq <= at/2+3 }
	}
	w.j.do(func() { js.begin(p, hit) })
	n, err := call()
	w.j.do(func() { w.purged(js, p, next, n, err) })
}

// begin notes that a purge of the live messages that hit says is under way.
func (js *jstream) begin(p *purge, hit func(store.Seq, *jmsg) bool) {
	for _, seq := range slices.Sorted(maps.Keys(js.msgs)) {
		m := js.msgs[seq]
		if !m.live.now || !hit(seq, m) {
			continue
		}
		m.touched++
		p.msgs = append(p.msgs, purged{m, seq, m.live, m.touched, m.live.seen[afterCrash] == only(true)})
		m.live.begin(false)
	}
	js.purges = append(js.purges, p)
}

// purged notes how a purge ended; next is the sequence that comes next after it.
func (w *workload) purged(js *jstream, p *purge, next store.Seq, n int64, err error) {
	w.failed(err)
	for _, m := range p.msgs {
		switch {
		case err == nil:
			m.live.end(false)
		case refused(err):
			m.live = m.before
		default:
			m.live.unknown = true
		}
	}
	if err != nil {
		return
	}
	js.last, js.given = next-1, max(js.given, next-1)
	if n != int64(len(p.msgs)) {
		w.failed(fmt.Errorf("purge of %s removed %d messages, want %d", p.what, n, len(p.msgs)))
	}
}

// skipSome is skip by a number of sequences.
func (w *workload) skipSome() {
	st, js := w.pick()
	if st == nil {
		return
	}
	n := 1 + w.rng.Uint64N(100)
	seq, err := st.Skip(bg, n)
	w.j.do(func() {
		switch {
		case w.failed(err):
			return
		case w.j.always:
			js.barrier()
		}
		js.last += store.Seq(n)
		js.given = js.last
		if seq != js.last {
			w.failed(fmt.Errorf("a skip of %d gives %d, want %d", n, seq, js.last))
		}
	})
}
