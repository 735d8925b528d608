package fusefs

import (
	"encoding/binary"
	"strings"
	"sync"

	"github.com/cespare/xxhash/v2"

	"jsfs/mapping"
	"jsfs/store"
)

// view is a directory or file of a stream that numbers alone don't make: a message directory
// other than the stream's own, and what is made from one. It never changes.
type view struct {
	id     uint64 // its node number
	parent uint64 // the directory in which it was found first
	stream *stream
	// n is which control it is, as in a place; 0 is a message directory.
	n uint64
	// filter says which messages it is about.
	filter mapping.Filter
	// arg tells controls of one kind apart that have names of many: a subject, a sequence, a duration.
	arg string
	// path is its name below the stream's directory.
	path     string
	messages *messages // those of filter
}

// maxViewPath is the longest path that a view has, in bytes: what open(2) takes.
const maxViewPath = 4096

// key is what makes a view. A directory is its path, as the kernel wants each to be in one place;
// files that show the same are one.
func (v *view) key() string {
	if c := v.place().control(); v.n != 0 && !c.IsDir() {
		return strings.Join([]string{string(rune(v.n)), v.filter.String(), v.arg}, "\x00")
	}
	if v.n != 0 && v.place().inConsumers() {
		return v.path + "\x00" + v.arg // a consumer that is made again is another directory
	}
	return v.path
}

// number computes the view's node number.
func (v *view) number() uint64 {
	var h xxhash.Digest
	h.Reset()
	var incarnation [8]byte
	binary.LittleEndian.PutUint64(incarnation[:], v.stream.Incarnation())
	_, _ = h.Write(incarnation[:])
	_, _ = h.WriteString(v.key())
	return mapping.ViewNode(h.Sum64())
}

// place is where the view is.
func (v *view) place() place {
	if v.n == 0 {
		return place{mapping.KindStream, 0, v}
	}
	return place{mapping.KindControl, v.n, v}
}

// viewKey is how a view is found.
type viewKey struct {
	stream *stream
	key    string
}

// views are the views that the kernel knows.
type views struct {
	// mu guards all below. It is a leaf.
	mu    sync.Mutex
	byID  map[uint64]*viewEntry
	byKey map[viewKey]*viewEntry
	// clock counts lookups, and entered the new views since the kernel was asked to forget some.
	clock, entered uint64
}

type viewEntry struct {
	*view
	key     viewKey
	lookups uint64 // how often the kernel was told of it, less what it forgot
	last    uint64 // the clock at the last lookup
}

// name is the view's name in its directory.
func (v *view) name() string { return v.path[strings.LastIndexByte(v.path, '/')+1:] }

// enter finds the view that is the same as v, or enters v, for an answer that tells the kernel of it:
// each call is to be undone by a FORGET.
func (t *views) enter(v *view) *view {
	key := viewKey{v.stream, v.key()}
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.byKey[key]
	if e == nil {
		for t.byID[v.id] != nil { // two keys with one hash
			v.id = mapping.ViewNode(v.id + 1)
		}
		e = &viewEntry{view: v, key: key}
		t.byID[v.id], t.byKey[key] = e, e
		t.entered++
	}
	e.lookups++
	t.clock++
	e.last = t.clock
	return e.view
}

// get returns the view with a node number, nil if there is none.
func (t *views) get(id uint64) *view {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.byID[id]; e != nil {
		return e.view
	}
	return nil
}

// forget undoes n enters.
func (t *views) forget(id, n uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.byID[id]
	switch {
	case e == nil:
	case e.lookups > n:
		e.lookups -= n
	default:
		delete(t.byID, id)
		delete(t.byKey, e.key)
	}
}

// count is how many views there are.
func (t *views) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.byID)
}

// path is the name of a directory below the stream's, "" for that itself.
func (p place) path() string {
	switch {
	case p.view != nil:
		return p.view.path
	case p.kind != mapping.KindControl:
		return ""
	case p.control() == mapping.ControlDir:
		return mapping.DirName
	}
	return mapping.DirName + "/" + p.control().String()
}

// below returns the view of a name in the directory at a place: a message directory if n is 0.
func (p place) below(s *stream, n uint64, name string, f mapping.Filter, arg string) (place, error) {
	path := name
	if in := p.path(); in != "" {
		path = in + "/" + name
	}
	if len(path) > maxViewPath {
		return place{}, refuseDepth()
	}
	v := &view{parent: p.node(s), stream: s, n: n, filter: f, arg: arg, path: path, messages: &messages{stream: s, filter: f}}
	v.id = v.number()
	return v.place(), nil
}

// controlBelow is the place of a control in a directory that has it, under its own name.
func (p place) controlBelow(s *stream, child mapping.Control) (place, error) {
	if p.view == nil {
		return place{kind: mapping.KindControl, n: uint64(child)}, nil
	}
	return p.below(s, uint64(child), child.String(), p.filter(), p.view.arg)
}

// node is the node number of the place; s is nil at the root.
func (p place) node(s *stream) uint64 {
	switch {
	case p.view != nil:
		return p.view.id
	case p.kind == 0:
		return mapping.Root
	case s == nil:
		id, _ := mapping.Node(p.kind, 0, p.n)
		return id
	}
	id, _ := mapping.Node(p.kind, s.num, p.n)
	return id
}

// filter says which messages the place is about.
func (p place) filter() mapping.Filter {
	if p.view == nil {
		return mapping.Filter{}
	}
	return p.view.filter
}

// query is what asks the store for the messages of a filter, as of now.
func (fs *FS) query(c *call, s *stream, f mapping.Filter) (store.Query, error) {
	q := store.Query{From: f.From, To: f.To, Subject: f.Subject}
	if f.Since == 0 {
		return q, nil
	}
	first, err := s.SeekTime(c, f.Since)
	q.From = max(q.From, first)
	return q, err
}

// shows says whether a filter shows a live message.
func (fs *FS) shows(c *call, s *stream, f mapping.Filter, m store.Meta) (bool, error) {
	if !f.ShowsMeta(m) || f.Subject == "" {
		return f.ShowsMeta(m), nil
	}
	subject, err := s.SubjectOf(c, m.Seq)
	return err == nil && f.Shows(m, subject), err
}
