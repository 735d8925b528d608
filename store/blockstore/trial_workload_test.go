package blockstore_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

// bg is the context of trials: their hooks run outside of any test's.
var bg = context.Background()

// workload uses a store at random and keeps a journal of it. The same seed gives the same
// operations.
type workload struct {
	fs    vfs.FS
	opt   blockstore.Options
	rng   *rand.Rand
	j     *journal
	s     store.Store
	n     int          // operations so far
	ticks atomic.Int64 // likewise, for the clock
	op    string       // the operation under way; as n, it is changed with j.mu held
	made  int          // drafts so far
	errs  []error      // all that came back
	// reclaims gives space back every few operations, and removes more.
	reclaims bool
	erases   int // how many messages are erased right after space was given back; some streams are removed before, then
}

func newWorkload(fs vfs.FS, sync blockstore.Sync, seed int) *workload {
	opt := variantOf(seed).of(trialOptions(sync))
	w := &workload{fs: fs, opt: blockstore.Asked(opt), rng: seeded(seed), j: newJournal(sync == blockstore.SyncAlways)}
	w.keepFor(seed / 3 % 3)
	return w
}

// run opens the store, makes n operations and closes it. Errors end it unless the
// store goes on after them.
func (w *workload) run(n int) {
	w.begin("open")
	if !w.open() {
		return
	}
	w.begin("create")
	w.create("S0")
	for range n {
		w.step()
		if w.s == nil {
			return
		}
	}
	w.begin("ask")
	w.ask()
	w.begin("close")
	w.close()
}

// ask asks for every stream, so that what went wrong when it was opened is heard of.
func (w *workload) ask() {
	for _, name := range slices.Sorted(maps.Keys(w.j.streams)) {
		if w.j.streams[name].there.now {
			_, err := w.s.Stream(bg, name)
			w.failed(err)
		}
	}
}

// close closes the store. What was stored is durable then.
func (w *workload) close() {
	err := w.s.Close()
	w.j.do(func() {
		if w.failed(err) {
			return
		}
		for _, js := range w.j.streams {
			js.barrier()
		}
	})
}

func (w *workload) open() bool {
	s, err := openTrial(w.fs, w.opt)
	if w.failed(err) {
		w.s = nil
		return false
	}
	w.s = s
	return true
}

// failed notes an error, and says whether it was one.
func (w *workload) failed(err error) bool {
	if err != nil {
		w.errs = append(w.errs, err)
	}
	return err != nil
}

func (w *workload) step() {
	w.j.do(func() { w.n++ })
	w.ticks.Add(1)
	if w.reclaims && w.reclaimStep() {
		return
	}
	switch p := w.rng.IntN(100); {
	case p < 40:
		w.begin("append")
		w.append(1)
	case p < 50:
		w.begin("append")
		w.append(2 + w.rng.IntN(8))
	case p < 53:
		w.begin("erase")
		w.erase()
	case p < 60:
		w.begin("remove")
		w.change(false)
	case p < 66:
		w.begin("purge")
		w.purge()
	case p < 73:
		w.begin("undelete")
		w.change(true)
	case p < 75:
		w.begin("restore")
		w.restore(1)
	case p < 76:
		w.begin("restore all")
		w.restore(2 + w.rng.IntN(6))
	case p < 77:
		w.begin("skip")
		if w.n%2 == 0 {
			w.skip()
		} else {
			w.skipSome()
		}
	case p < 82:
		w.begin("sync")
		w.sync()
	case p < 83:
		w.begin("update")
		w.update()
	case p < 85:
		w.begin("create")
		w.create(fmt.Sprintf("S%d", w.rng.IntN(3)))
	case p < 88:
		w.begin("drop")
		w.drop()
	case p < 94:
		w.begin("draft")
		w.draft()
	case p < 97:
		w.begin("reclaim")
		w.reclaim()
	default:
		w.begin("reopen")
		w.reopen()
	}
}

// begin notes which operation is under way.
func (w *workload) begin(op string) { w.j.do(func() { w.op = op }) }

// pick returns a stream that is there.
func (w *workload) pick() (store.Stream, *jstream) {
	var names []string
	for name, js := range w.j.streams {
		if js.there.now {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	slices.Sort(names)
	name := names[w.rng.IntN(len(names))]
	st, err := w.s.Stream(bg, name)
	if w.failed(err) {
		return nil, nil
	}
	return st, w.j.streams[name]
}

func (w *workload) create(name string) {
	if js := w.j.streams[name]; js != nil && js.there.now {
		return
	}
	js := &jstream{msgs: map[store.Seq]*jmsg{}, loose: map[string]bool{}, words: []string{""}}
	w.j.do(func() {
		js.there.seen = [views]may{only(false), only(false)}
		js.there.begin(true)
		w.j.streams[name] = js
	})
	st, err := w.s.Create(bg, store.Config{Name: name})
	w.j.do(func() {
		if w.failed(err) {
			js.there.unknown = true
			return
		}
		js.inc = st.Incarnation()
		w.j.incs[js.inc] = true
		js.there.end(true)
		js.there.settle()
	})
}

// update gives a stream another configuration.
func (w *workload) update() {
	st, js := w.pick()
	if st == nil {
		return
	}
	cfg, before := st.Config(), js.words
	cfg.Description = fmt.Sprintf("operation %d", w.n)
	w.j.do(func() { js.words = append(js.words, cfg.Description) })
	err := w.s.Update(bg, cfg)
	w.j.do(func() {
		switch {
		case err == nil:
			js.words = []string{cfg.Description}
		case refused(err):
			js.words = before
		}
		w.failed(err)
	})
}

func (w *workload) drop() {
	st, js := w.pick()
	if st == nil {
		return
	}
	for _, seq := range slices.Sorted(maps.Keys(js.msgs)) { // empty it first, most of the time
		if m := js.msgs[seq]; m.live.now && w.rng.IntN(40) > 0 {
			w.set(st, seq, m, false)
		}
	}
	w.j.do(func() { js.there.begin(false) })
	err := w.s.Remove(bg, st.Config().Name)
	w.j.do(func() {
		switch {
		case err == nil:
			js.there.end(false)
			js.there.settle()
			if w.opt.KeepDeleted == 0 {
				w.j.removed = append(w.j.removed, js.inc)
			}
		case errors.Is(err, store.ErrNotEmpty):
			js.there.seen = [views]may{only(true), only(true)}
		default:
			w.failed(err)
			js.there.unknown = true
		}
	})
}

// append appends n messages in one call.
func (w *workload) append(n int) {
	st, js := w.pick()
	if st == nil {
		return
	}
	var es []store.Entry
	var ms []*jmsg
	for i := range n {
		size := w.rng.IntN(200)
		if w.rng.IntN(40) == 0 {
			size = 10_000 // more than a block holds
		}
		es = append(es, entry(w.rng, w.n*100+i, size))
	}
	w.j.do(func() {
		for _, e := range es {
			js.last++
			m := &jmsg{e: e}
			m.live.seen = [views]may{only(false), only(false)}
			m.live.begin(true)
			js.msgs[js.last] = m
			ms = append(ms, m)
		}
	})
	var err error
	var seq store.Seq
	stored := 0
	if n == 1 {
		if seq, err = st.Append(bg, es[0]); err == nil {
			stored = 1
		}
	} else {
		stored, err = st.AppendAll(bg, es)
	}
	none := notStored(st, err)
	w.j.do(func() {
		if n == 1 && err == nil && seq != js.last {
			w.failed(fmt.Errorf("append gave sequence %d, want %d", seq, js.last))
		}
		w.stored(js, ms, stored, err, none)
	})
}

// stored notes that the first k of the messages ms were stored, and, with none, that the others are not there.
func (w *workload) stored(js *jstream, ms []*jmsg, k int, err error, none bool) {
	w.failed(err)
	if k == len(ms) {
		js.given = js.last
	} else if k > 0 {
		js.given = max(js.given, js.last-store.Seq(len(ms)-k))
	}
	for i, m := range ms {
		switch {
		case i < k:
			m.live.end(true)
		case none:
			delete(js.msgs, js.last)
			js.last--
		default:
			m.live.unknown = true
		}
	}
	if w.j.always && k > 0 {
		js.barrier()
	}
}

// change removes a message, or brings one back.
func (w *workload) change(live bool) {
	st, js := w.pick()
	if st == nil || len(js.msgs) == 0 {
		return
	}
	seqs := slices.Sorted(maps.Keys(js.msgs))
	seq := seqs[w.rng.IntN(len(seqs))]
	if m := js.msgs[seq]; m.live.now != live && !m.live.unknown && !m.erasing {
		w.set(st, seq, m, live)
	}
}

func (w *workload) set(st store.Stream, seq store.Seq, m *jmsg, live bool) {
	var before fact
	w.j.do(func() {
		before = m.live
		m.touched++
		m.live.begin(live)
	})
	var err error
	if live {
		err = st.Undelete(bg, seq)
	} else {
		_, err = st.Remove(bg, seq)
	}
	w.j.do(func() {
		switch {
		case err == nil:
			m.live.end(live)
		case live && errors.Is(err, store.ErrNotFound) && w.opt.KeepDeleted != 0:
			m.live = before // its space was given back
			return
		case refused(err):
			m.live = before
		default:
			m.live.unknown = true
		}
		w.failed(err)
	})
}

func (w *workload) sync() {
	st, js := w.pick()
	if st == nil {
		return
	}
	err := st.Sync(bg)
	w.j.do(func() {
		if !w.failed(err) {
			js.barrier()
		}
	})
}

// reopen closes the store and opens it, unless something failed: what is there then is
// for the trial to see.
func (w *workload) reopen() {
	if len(w.errs) > 0 {
		return
	}
	if w.close(); len(w.errs) > 0 {
		w.s = nil
		return
	}
	w.open()
}
