package blockstore_test

import (
	"jsfs/store"
)

// restore restores n messages in one call, with gaps.
func (w *workload) restore(n int) {
	st, js := w.pick()
	if st == nil {
		return
	}
	before := js.last
	var ms []store.Msg
	var js1 []*jmsg
	seq := before
	for i := range n {
		seq += 1 + store.Seq([]uint64{0, 1, 30, 100_000}[w.rng.IntN(4)])
		e := entry(w.rng, w.n*100+i, w.rng.IntN(100))
		ms = append(ms, store.Msg{Meta: store.Meta{Seq: seq, Time: 1}, Subject: e.Subject, Header: e.Header, Data: e.Data})
		js1 = append(js1, &jmsg{e: e})
	}
	w.j.do(func() {
		for i, m := range js1 {
			m.live.seen = [views]may{only(false), only(false)}
			m.live.begin(true)
			js.msgs[ms[i].Seq] = m
		}
		js.last = seq
	})
	stored, err := n, error(nil)
	if n == 1 {
		if err = st.Restore(bg, ms[0]); err != nil {
			stored = 0
		}
	} else {
		stored, err = st.RestoreAll(bg, ms)
	}
	none := notStored(st, err)
	w.j.do(func() {
		w.failed(err)
		for i, m := range js1 {
			switch {
			case i < stored:
				m.live.end(true)
				js.given = ms[i].Seq
			case none:
				delete(js.msgs, ms[i].Seq)
			default:
				m.live.unknown = true
			}
		}
		if none {
			js.last = before
			if stored > 0 {
				js.last = ms[stored-1].Seq
			}
		}
		if w.j.always && stored > 0 {
			js.barrier()
		}
	})
}

// skip takes sequences without a message.
func (w *workload) skip() {
	st, js := w.pick()
	if st == nil {
		return
	}
	to := js.last + 1 + store.Seq([]uint64{0, 1, 30, 100_000}[w.rng.IntN(4)])
	err := st.SkipTo(bg, to, 1)
	w.j.do(func() {
		switch {
		case w.failed(err):
			return
		case w.j.always:
			js.barrier()
		}
		js.last, js.given = to, to
	})
}
