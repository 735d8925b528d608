package blockstore

import (
	"errors"
	"slices"
	"sync/atomic"

	"jsfs/store/blockstore/internal/scan"
	"jsfs/store/blockstore/internal/subjects"
	"jsfs/store/internal/record"
)

// subjectTable is the subjects of a sealed block, as long as the cache keeps them.
type subjectTable struct {
	*record.SubjectTable
	used atomic.Bool // since the cache looked last
	kept bool        // by the cache, which counts it as size bytes; both are guarded by cache.mu
	size int64
	memo atomic.Pointer[memo]
}

// memo is the answer that was given last, so that who walks with a filter needs not wait for it each time.
type memo struct {
	key    string
	places []uint32
}

// memoFrom is how many messages an answer must have to be kept.
const memoFrom = 32

// tableOf returns the subjects of v, and keeps them if v is sealed.
func (s *Stream) tableOf(v *view) (*subjectTable, error) {
	if v.known { // the tail: nobody keeps a table of it
		return s.scanTable(v)
	}
	if t := v.table.Load(); t != nil {
		if !t.used.Load() {
			t.used.Store(true)
		}
		return t, nil
	}
	t, err := s.makeTable(v, true)
	if err != nil {
		return nil, err
	}
	return s.cache.addTable(v.block, t), nil
}

// tableOnce is tableOf for who looks through the tables of all blocks: they would fill the cache.
func (s *Stream) tableOnce(v *view) (*subjectTable, error) {
	if v.known { // the block may be sealed meanwhile, and its table have more messages
		return s.scanTable(v)
	}
	if t := v.table.Load(); t != nil {
		return t, nil
	}
	return s.makeTable(v, false)
}

// makeTable makes the table of v, which is sealed. kept says that it will be asked again and again.
func (s *Stream) makeTable(v *view, kept bool) (*subjectTable, error) {
	t, err := s.readTable(v.block, kept)
	if record.IsVersion(err) {
		return nil, err
	}
	if err != nil {
		// The footer's list is damaged, missing or erased. The records themselves have it.
		return s.replaceTable(v)
	}
	return &subjectTable{SubjectTable: t}, nil
}

func (s *Stream) readTable(b *block, kept bool) (*record.SubjectTable, error) {
	names, err := s.readSection(b, b.trailer, record.Subjects)
	if err != nil {
		return nil, err
	}
	places, err := s.readSection(b, b.trailer, record.Places)
	if err != nil {
		return nil, err
	}
	return b.trailer.Subjects(&b.hdr, names, places, kept)
}

// scanTable makes a table of v's subjects from its records.
func (s *Stream) scanTable(v *view) (*subjectTable, error) {
	t, _, err := s.scanSubjects(v)
	return t, err
}

// scanSubjects is scanTable, and says whether a message of v was erased.
func (s *Stream) scanSubjects(v *view) (t *subjectTable, erased bool, err error) {
	offs, err := s.indexOf(v)
	if err != nil {
		return nil, false, err
	}
	c, err := scan.Block(blockReader{s, v.block}, &v.hdr, v.end, scan.WantSubjects)
	if err != nil {
		return nil, false, err
	}
	return &subjectTable{SubjectTable: record.MakeSubjects(c.Subjects.At(offs.all()))}, len(c.Subjects.Erased) > 0, nil
}

// replaceTable makes a table of v's subjects because the footer's can't be used. Why is noted, unless the names were erased with
// a message. As they may have been read while that was done, they are read once more.
func (s *Stream) replaceTable(v *view) (*subjectTable, error) {
	t, erased, err := s.scanSubjects(v)
	if err != nil || v.trailer == nil {
		return t, err
	}
	before := s.ahead.erased.Load()
	_, cause := s.readTable(v.block, false)
	dropped := erased && errors.Is(cause, record.ErrDropped)
	if cause != nil && !dropped && !s.erasingIn(v) && s.ahead.erased.Load() == before {
		s.noteFile(v.block, cause)
	}
	return t, nil
}

// placesIn returns which messages of the block that has table t match f, removed ones included. It remembers them, if
// finding them takes long.
func (s *Stream) placesIn(t *subjectTable, f *subjects.Filter) []uint32 {
	var places []uint32
	subs := 0
	for e := range t.matching(f) {
		places = e.Places(places)
		subs++
	}
	if subs > 1 {
		slices.Sort(places)
	}
	if subs != 1 && f.Literals == nil || len(places) >= memoFrom {
		t.memo.Store(&memo{f.Key, places})
		s.cache.resize(t, int64(t.Size()+4*cap(places)))
	}
	return places
}

// count returns how many messages of the block match f, removed ones included.
func (t *subjectTable) count(f *subjects.Filter) (n uint64) {
	if f.Literals != nil {
		for _, name := range f.Literals {
			e, _ := t.Find(name)
			n += uint64(e.Count)
		}
		return n
	}
	for e := range t.matching(f) {
		n += uint64(e.Count)
	}
	return n
}

// matching walks the subjects of a block that match f.
func (t *subjectTable) matching(f *subjects.Filter) func(func(*record.SubjectEntry) bool) {
	return func(yield func(*record.SubjectEntry) bool) {
		for _, name := range f.Literals {
			if e, ok := t.Find(name); ok && !yield(&e) {
				return
			}
		}
		if f.Literals != nil {
			return
		}
		for e := range t.Prefixed(f.Prefix) {
			if f.Matches(subjects.StringOf(e.Name)) && !yield(e) {
				return
			}
		}
	}
}
