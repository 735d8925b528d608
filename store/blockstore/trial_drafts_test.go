package blockstore_test

import (
	"errors"
	"fmt"
	"maps"

	"jsfs/store"
)

// draft makes a draft, renames one or removes one.
func (w *workload) draft() {
	st, js := w.pick()
	if st == nil {
		return
	}
	name := fmt.Sprintf(".d%d", w.rng.IntN(3))
	switch d := js.draftNamed(name); {
	case d == nil:
		w.makeDraft(st, js, name)
	case w.rng.IntN(2) == 0:
		w.publishDraft(st, js, d)
	case w.rng.IntN(2) == 0:
		w.renameDraft(st, js, d, fmt.Sprintf(".d%d", w.rng.IntN(3)))
	default:
		w.j.do(func() { d.names[afterKill][""], d.names[afterCrash][""], d.dropped = true, true, true })
		w.moveDraft(d, "", st.RemoveDraft(bg, name))
	}
}

func (js *jstream) draftNamed(name string) *jdraft {
	for _, d := range js.drafts {
		if d.now == name {
			return d
		}
	}
	return nil
}

func (w *workload) makeDraft(st store.Stream, js *jstream, name string) {
	w.made++
	content := fmt.Sprintf("draft %d: %0*d", w.made, w.rng.IntN(2000), w.made)
	w.j.do(func() { js.loose[name] = true })
	d, err := st.CreateDraft(bg, name)
	if w.failed(err) {
		return
	}
	_, err = d.WriteAt([]byte(content), 0)
	err = errors.Join(err, d.Sync())
	w.j.do(func() {
		if w.failed(errors.Join(err, d.Close())) {
			return
		}
		there := map[string]bool{name: true}
		js.drafts = append(js.drafts, &jdraft{content: content, now: name, names: [views]map[string]bool{there, maps.Clone(there)}})
		delete(js.loose, name)
	})
}

func (w *workload) renameDraft(st store.Stream, js *jstream, d *jdraft, to string) {
	if d.now == to {
		return
	}
	old := js.draftNamed(to)
	w.j.do(func() {
		for v := range views {
			d.names[v][to] = true
			if old != nil {
				old.names[v][""], old.dropped = true, true
			}
		}
	})
	from := d.now
	err := st.RenameDraft(bg, from, to)
	w.moveDraft(d, to, err)
	if err != nil {
		w.j.do(func() {
			if hasContent(st, to, d.content) { // the name is new, and not known to be durable
				d.now = to
				if old != nil {
					old.now = ""
				}
			}
		})
		return
	}
	if old != nil {
		w.moveDraft(old, "", nil)
	}
	if w.rng.IntN(2) == 0 {
		return
	}
	f, err := st.OpenDraft(bg, to) // fsync makes the new name durable
	if w.failed(err) {
		return
	}
	err = errors.Join(f.Sync(), f.Close())
	w.j.do(func() {
		if !w.failed(err) {
			d.names[afterCrash] = map[string]bool{to: true}
		}
	})
}

// hasContent says whether a draft is there and has the content.
func hasContent(st store.Stream, name, content string) bool {
	d, err := st.OpenDraft(bg, name)
	if err != nil {
		return false
	}
	b := make([]byte, len(content)+1)
	n, _ := d.ReadAt(b, 0)
	return d.Close() == nil && string(b[:n]) == content
}

// moveDraft notes that a draft has another name, or none.
func (w *workload) moveDraft(d *jdraft, to string, err error) {
	w.j.do(func() {
		d.names[afterCrash][to] = true
		if w.failed(err) {
			d.names[afterKill][to] = true
			return
		}
		d.now = to
		d.names[afterKill] = map[string]bool{to: true}
	})
}
