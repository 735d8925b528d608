package blockstore

import (
	"cmp"
	"errors"
	"io"
	"slices"

	"jsfs/store"
	"jsfs/store/internal/record"
)

// contents is what the records of a block say, found without its footer.
type contents struct {
	msgs     []found          // in order of sequence
	controls []record.Control // one of each pair, in order
	// bad are the bytes that no record accounts for, and the records whose head alone is whole.
	bad     []badSpan
	end     int64 // of the last whole record; what is behind it is not in bad
	durable int64 // the largest durable mark in a whole record
	next    uint64
	all     store.Totals
	first   int64 // time of the first message
	last    int64 // time of the last message
	// names are the subjects of whole messages, marks the messages that are on them; only if the scan was
	// asked to.
	names []string
	marks []mark
	known map[string]uint32 // where a name is in names
	named uint32            // that was met last
	// erased are the offsets of the messages that were erased, in order; only if marks are collected.
	erased []uint32
}

// found is a message that a scan found.
type found struct {
	seq  uint64
	off  uint32
	meta store.Meta
	bad  bool // its body is damaged
}

// mark says that the message at an offset is on a subject.
type mark struct{ off, name uint32 }

// badSpan is a stretch of damaged bytes, and the sequence of the message whose body
// they are, 0 if they are not known to be one.
type badSpan struct {
	record.Span
	seq uint64
}

// scanner walks the records of a block.
type scanner struct {
	c       *record.Coder
	w       window
	limit   int64 // of the bytes that are looked at
	want    want
	out     *contents
	twin    record.Control // the last control, to know its twin
	pending []badSpan      // since the last whole record
	damaged []found        // messages since the last whole record: their bodies are damaged
	opened  []byte         // a sealed record, opened
}

// want is what a scan collects besides controls and bad bytes.
type want int

const (
	messages want = 1 << iota // msgs, and what follows from them
	subjects
)

// scanBlock finds all whole records in the first limit bytes of f, a block with header
// hdr. Bytes that are in no record are stepped over one by one. It fails if f can't
// be read or holds a record of a later version.
func scanBlock(f io.ReaderAt, hdr *record.Header, limit int64, what want) (*contents, error) {
	coder := hdr.Coder()
	s := scanner{
		c: &coder, w: window{f: f, end: limit}, limit: limit, want: what,
		out: &contents{end: record.DataStart, durable: record.DataStart, next: hdr.First},
	}
	if what&subjects != 0 {
		s.out.known = map[string]uint32{}
	}
	for off := int64(record.DataStart); off < limit; {
		n, err := s.step(off)
		if err != nil {
			return nil, err
		}
		off += n
	}
	s.out.order()
	return s.out, nil
}

// step looks at what stands at off and returns how far to go.
func (s *scanner) step(off int64) (int64, error) {
	b, err := s.w.at(off, min(record.MaxHead, s.limit-off))
	if err != nil {
		return 0, err
	}
	h, err := s.c.Head(b, off)
	switch {
	case record.IsVersion(err):
		return 0, err
	case err != nil, off+h.Size > s.limit:
		s.addBad(off, 1, 0)
		return 1, nil //nolint:nilerr // no record begins here: go on
	}
	rec, err := s.whole(&h, off)
	switch {
	case errors.Is(err, record.ErrBad):
		if h.Control() {
			s.addBad(off, h.Size, 0)
			return h.Size, nil
		}
		s.addBad(off, h.Size, h.Seq)
		s.damaged = append(s.damaged, found{h.Seq, uint32(off), h.Meta(), true})
		return h.Size, nil
	case err != nil:
		return 0, err
	}
	return h.Size, s.take(&h, rec, off)
}

// After guessAfter messages a scan guesses how many there are, up to maxGuess more.
const (
	guessAfter = 256
	maxGuess   = 1 << 18
)

// take counts a whole record in. Of a large message, rec has the head and the subject only. It fails
// for a control of a later version.
func (s *scanner) take(h *record.Head, rec []byte, off int64) error {
	o := s.out
	o.bad, s.pending = append(o.bad, s.pending...), nil
	o.msgs, s.damaged = append(o.msgs, s.damaged...), nil
	o.end, o.durable = off+h.Size, max(o.durable, h.Durable)
	if !h.Control() {
		if s.want&messages != 0 {
			if len(o.msgs) == guessAfter { // growing by doubling would cost more than the rest
				guess := (s.limit - off) * guessAfter / (off - record.DataStart)
				o.msgs = slices.Grow(o.msgs, int(min(guess, maxGuess))+guessAfter)
			}
			o.msgs = append(o.msgs, found{h.Seq, uint32(off), h.Meta(), false})
		}
		if o.known != nil {
			o.markSubject(rec[h.Len:h.Len+h.Subject], uint32(off))
		}
		return nil
	}
	if h.Locked {
		return nil
	}
	ct, err := h.ControlOf(rec)
	if record.IsVersion(err) {
		return err
	}
	if err != nil || len(o.controls) > 0 && ct.Same(&s.twin) {
		return nil //nolint:nilerr // nonsense in a whole record can only be passed over, and a twin says nothing new
	}
	s.twin = ct
	o.controls = append(o.controls, ct)
	if ct.Kind == record.FlagSkip {
		o.next = later(o.next, ct.Seq+ct.Skip)
	} else {
		o.next = later(o.next, ct.Seq)
	}
	return nil
}

// markSubject notes which subject the message at off is on.
func (o *contents) markSubject(subject []byte, off uint32) {
	if len(subject) > 0 && record.AllZero(subject) {
		o.erased = append(o.erased, off)
		return
	}
	if int(o.named) >= len(o.names) || o.names[o.named] != string(subject) {
		n, ok := o.known[string(subject)]
		if !ok {
			n = uint32(len(o.names))
			o.names = append(o.names, string(subject))
			o.known[o.names[n]] = n
		}
		o.named = n
	}
	o.marks = append(o.marks, mark{off, o.named})
}

func (s *scanner) addBad(off, n int64, seq uint64) {
	if last := len(s.pending) - 1; last >= 0 && seq == 0 && s.pending[last].seq == 0 &&
		s.pending[last].Off+s.pending[last].Len == off {
		s.pending[last].Len += n
		return
	}
	s.pending = append(s.pending, badSpan{record.Span{Off: off, Len: n}, seq})
}

// largeRecord is the size from which a record is checked in pieces.
const largeRecord = 1 << 20

// whole checks the record with head h at off, and returns it, or as much of it as take needs.
func (s *scanner) whole(h *record.Head, off int64) ([]byte, error) {
	opens := h.Flags&record.FlagEncrypted != 0 && !h.Locked && (h.Control() || s.want&subjects != 0)
	if opens || h.Size <= largeRecord {
		rec, err := s.w.at(off, h.Size)
		if err != nil {
			return nil, err
		}
		if err := s.c.Check(rec, off); err != nil || !opens || h.Erased(rec) {
			return rec, err
		}
		rec, err = s.c.Plain(s.opened, h, rec, off)
		s.opened = rec
		return rec, err
	}
	sum := s.c.Sum(h, off)
	if _, err := io.CopyBuffer(struct{ io.Writer }{sum}, io.NewSectionReader(s.w.f, off, h.Size), make([]byte, largeRecord)); err != nil {
		return nil, err
	}
	if err := sum.Check(); err != nil {
		return nil, record.ErrBad
	}
	return s.w.at(off, int64(h.Len+h.Subject))
}

// order sorts the messages by sequence and drops those that can't be: of two with the
// same sequence, and of those out of the order of the file, the later one.
func (o *contents) order() {
	bySeq := func(a, b found) int { return cmp.Compare(a.seq, b.seq) }
	if !slices.IsSortedFunc(o.msgs, bySeq) {
		slices.SortStableFunc(o.msgs, bySeq)
	}
	kept, high := o.msgs[:0], uint32(0)
	for _, m := range o.msgs {
		if m.off <= high {
			continue
		}
		high, kept = m.off, append(kept, m)
		o.all = o.all.Add(m.meta)
		o.next = later(o.next, m.seq+1)
	}
	o.msgs = kept
	if n := len(kept); n > 0 {
		o.first, o.last = kept[0].meta.Time, kept[n-1].meta.Time
	}
}

// later returns the larger of two sequences that come next; 0 comes after the highest one.
func later(a, b uint64) uint64 {
	if a == 0 || b == 0 {
		return 0
	}
	return max(a, b)
}

// runs tells which sequences the messages have.
func (o *contents) runs() []record.Run {
	var runs []record.Run
	for i, m := range o.msgs {
		if i == 0 || m.seq != o.msgs[i-1].seq+1 {
			runs = append(runs, record.Run{Seq: m.seq, Index: uint32(i)})
		}
	}
	return runs
}

func (o *contents) offsets() []uint32 {
	offs := make([]uint32, len(o.msgs))
	for i, m := range o.msgs {
		offs[i] = m.off
	}
	return offs
}

// align returns the offsets of v's messages as the scan found them, 0 for those it did
// not find.
func (o *contents) align(v *view) []uint32 {
	offs := make([]uint32, v.count)
	for _, m := range o.msgs {
		if i, exact := v.place(m.seq); exact {
			offs[i] = m.off
		}
	}
	return offs
}

// subjectsAt returns the subjects of the messages at offs, which are in order, sorted by name. Whole messages that
// are at none of them don't count.
func (o *contents) subjectsAt(offs []uint32) []record.Subject {
	slices.SortStableFunc(o.marks, func(a, b mark) int { return cmp.Compare(a.off, b.off) }) // most often they are
	places := make([]uint32, 0, len(o.marks))
	counts, at := make([]uint32, len(o.names)), 0
	marks := o.marks[:0]
	for _, m := range o.marks {
		for at < len(offs) && offs[at] < m.off {
			at++
		}
		if at < len(offs) && offs[at] == m.off {
			counts[m.name]++
			places, marks = append(places, uint32(at)), append(marks, m)
		}
	}
	subs := make([]record.Subject, len(o.names))
	all := make([]uint32, len(places))
	for i, n := range counts {
		subs[i], all = record.Subject{Name: o.names[i], Places: all[:0:n]}, all[n:]
	}
	for i, m := range marks {
		subs[m.name].Places = append(subs[m.name].Places, places[i])
	}
	subs = slices.DeleteFunc(subs, func(e record.Subject) bool { return len(e.Places) == 0 })
	slices.SortFunc(subs, func(a, b record.Subject) int { return cmp.Compare(a.Name, b.Name) })
	return subs
}

// window reads a file in large pieces.
type window struct {
	f   io.ReaderAt
	end int64 // what is behind it is not looked at; 0 is not known
	off int64
	b   []byte // what was read at off
	buf []byte
}

const windowSize = 256 << 10

// at returns the n bytes at off, which are good until the next call. It is
// io.ErrUnexpectedEOF if the file ends before.
func (w *window) at(off, n int64) ([]byte, error) {
	if off >= w.off && off+n <= w.off+int64(len(w.b)) {
		return w.b[off-w.off:][:n], nil
	}
	size := int64(windowSize)
	if w.end > 0 {
		size = min(size, w.end-off)
	}
	if size = max(n, size); int64(cap(w.buf)) < size {
		w.buf = make([]byte, size)
	}
	got, err := w.f.ReadAt(w.buf[:cap(w.buf)], off)
	w.off, w.b = off, w.buf[:got]
	switch {
	case int64(got) >= n:
		return w.b[:n], nil
	case err == nil || errors.Is(err, io.EOF):
		return nil, io.ErrUnexpectedEOF
	}
	return nil, err
}
