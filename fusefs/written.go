package fusefs

import (
	"container/list"
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
	m     map[string]*list.Element // by subjectName
	order list.List                // of *writtenFile, what was written last at the back
}

// writtenFile is a file that became a message.
type writtenFile struct {
	name string
	seq  store.Seq
}

// add notes that a file became a message; file "" is none.
func (w *writtenFiles) add(subject, file string, seq store.Seq) {
	if file == "" {
		return
	}
	name := subjectName(subject, file)
	w.mu.Lock()
	defer w.mu.Unlock()
	if e := w.m[name]; e != nil {
		f := e.Value.(*writtenFile)
		f.seq = max(f.seq, seq) // who appended first may be the second to say so
		w.order.MoveToBack(e)
		return
	}
	if w.m == nil {
		w.m = map[string]*list.Element{}
	}
	w.m[name] = w.order.PushBack(&writtenFile{name, seq})
	if w.order.Len() > maxWritten {
		delete(w.m, w.order.Remove(w.order.Front()).(*writtenFile).name)
	}
}

// get returns the message that a file became, 0 if it is not known.
func (w *writtenFiles) get(subject, file string) store.Seq {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e := w.m[subjectName(subject, file)]; e != nil {
		return e.Value.(*writtenFile).seq
	}
	return 0
}

// take forgets a file, and returns what get did.
func (w *writtenFiles) take(subject, file string) store.Seq {
	w.mu.Lock()
	defer w.mu.Unlock()
	name := subjectName(subject, file)
	e := w.m[name]
	if e == nil {
		return 0
	}
	delete(w.m, name)
	return w.order.Remove(e).(*writtenFile).seq
}
