package fusefs

import (
	"sync"

	"jsfs/store"
)

// maxWritten is how many files are remembered that became messages of a stream. Programs look at what they wrote, by
// its name, when they have written it.
const maxWritten = 4096

// writtenFiles remember which messages were written last as files in the directories of subjects, so that
// what was written can be read under its name. The zero value is empty.
type writtenFiles struct {
	// mu guards all below. It is a leaf.
	mu    sync.Mutex
	m     map[string]store.Seq // by subjectName
	names []string             // a ring of maxWritten, the oldest at next once it is full
	next  int
}

// add notes that a file became a message; file "" is none.
func (w *writtenFiles) add(subject, file string, seq store.Seq) {
	if file == "" {
		return
	}
	name := subjectName(subject, file)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.m == nil {
		w.m = map[string]store.Seq{}
	}
	_, known := w.m[name]
	w.m[name] = seq
	switch {
	case known:
	case len(w.names) < maxWritten:
		w.names = append(w.names, name)
	default:
		delete(w.m, w.names[w.next])
		w.names[w.next] = name
		w.next = (w.next + 1) % maxWritten
	}
}

// get returns the message that a file became, 0 if it is not known.
func (w *writtenFiles) get(subject, file string) store.Seq {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.m[subjectName(subject, file)]
}

// take forgets a file, and returns what get did.
func (w *writtenFiles) take(subject, file string) store.Seq {
	w.mu.Lock()
	defer w.mu.Unlock()
	name := subjectName(subject, file)
	seq := w.m[name]
	if seq != 0 {
		w.m[name] = 0 // its place in the ring stays
	}
	return seq
}
