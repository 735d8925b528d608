package blockstore_test

import (
	"fmt"

	"jsfs/store"
)

// publishDraft makes a message of a draft, under its own sequence every other time.
func (w *workload) publishDraft(st store.Stream, js *jstream, d *jdraft) {
	e := entry(w.rng, w.n*100, 0)
	e.Data = []byte(d.content)
	gap := store.Seq(0)
	if w.rng.IntN(2) == 0 {
		gap = store.Seq(w.rng.IntN(3)) //nolint:gosec // small
	}
	m, before, last := &jmsg{e: e}, d.names, js.last
	w.j.do(func() {
		js.last += gap + 1
		m.live.seen = [views]may{only(false), only(false)}
		m.live.begin(true)
		js.msgs[js.last], d.becomes = m, js.last
		for v := range views {
			d.names[v] = map[string]bool{"": true}
			for name := range before[v] {
				d.names[v][name] = true
			}
		}
	})
	var err error
	if seq := js.last; gap > 0 {
		err = st.RestoreDraft(bg, d.now, store.Msg{Meta: store.Meta{Seq: seq, Time: 1}, Subject: e.Subject, Header: e.Header, Data: e.Data})
	} else if seq, err = st.PublishDraft(bg, d.now, e); err == nil && seq != js.last {
		err = fmt.Errorf("a draft was published as %d, want %d", seq, js.last)
	}
	nothing := notStored(st, err)
	w.j.do(func() {
		switch {
		case err == nil:
			d.now, d.names[afterKill] = "", map[string]bool{"": true}
			if w.j.always {
				d.names[afterCrash] = map[string]bool{"": true}
			}
		case nothing:
			d.names, d.becomes = before, 0
			delete(js.msgs, js.last)
			js.last = last
			w.failed(err)
			return
		}
		k := 0
		if err == nil {
			k = 1
		}
		w.stored(js, []*jmsg{m}, k, err, nothing)
	})
}
