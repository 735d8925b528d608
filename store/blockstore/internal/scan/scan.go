package scan

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"jsfs/store"
	"jsfs/store/internal/record"
)

// Contents is what the records of a block say, found without its footer.
type Contents struct {
	Msgs     []Found          // in order of sequence
	Controls []record.Control // one of each pair, in order
	// Bad are the bytes that no record accounts for, and the records whose head alone is whole.
	Bad     []BadSpan
	End     int64 // of the last whole record; what is behind it is not in Bad
	Durable int64 // the largest durable mark in a whole record
	Next    uint64
	All     store.Totals // of Msgs
	First   int64        // time of the first message
	Last    int64        // time of the last message
	// Subjects are those of the whole messages; nil unless the scan was asked for them.
	Subjects *SubjectList
}

// Found is a message that a scan found.
type Found struct {
	Seq  uint64
	Off  uint32
	Meta store.Meta
	Bad  bool // its body is damaged
	// Draft says that it was made of a draft whose new name may not be on disk.
	Draft bool
}

func found(h *record.Head, off int64, bad bool) Found {
	return Found{h.Seq, uint32(off), h.Meta(), bad, h.Flags&record.FlagDraft != 0}
}

// BadSpan is a stretch of damaged bytes, and the sequence of the message whose body
// they are, 0 if they are not known to be one.
type BadSpan struct {
	record.Span
	Seq uint64
}

// ErrBad is the cause of damage that is a stretch of bytes in which no record is. It wraps [record.ErrBad].
var ErrBad = fmt.Errorf("bytes that no record accounts for: %w", record.ErrBad)

// scanner walks the records of a block.
type scanner struct {
	c       *record.Coder
	w       Window
	limit   int64 // of the bytes that are looked at
	want    Want
	out     *Contents
	twin    record.Control // the last control, to know its twin
	pending []BadSpan      // since the last whole record
	damaged []Found        // messages since the last whole record: their bodies are damaged
	opened  []byte         // a sealed record, opened
}

// Want is what a scan collects besides controls and bad bytes.
type Want int

// What [Block] can be asked for.
const (
	WantMessages Want = 1 << iota // Contents.Msgs, and what follows from them
	WantSubjects                  // Contents.Subjects
)

// Block finds all whole records in the first limit bytes of f, a block with header
// hdr. Bytes that are in no record are stepped over one by one. It fails if f can't
// be read or holds a record of a later version.
func Block(f io.ReaderAt, hdr *record.Header, limit int64, what Want) (*Contents, error) {
	coder := hdr.Coder()
	s := scanner{
		c: &coder, w: NewWindow(f, limit), limit: limit, want: what,
		out: &Contents{End: record.DataStart, Durable: record.DataStart, Next: hdr.First},
	}
	if what&WantSubjects != 0 {
		s.out.Subjects = NewSubjectList()
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
	b, err := s.w.At(off, min(record.MaxHead, s.limit-off))
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
		s.damaged = append(s.damaged, found(&h, off, true))
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
	o.Bad, s.pending = append(o.Bad, s.pending...), nil
	o.Msgs, s.damaged = append(o.Msgs, s.damaged...), nil
	o.End, o.Durable = off+h.Size, max(o.Durable, h.Durable)
	if !h.Control() {
		if s.want&WantMessages != 0 {
			if len(o.Msgs) == guessAfter { // growing by doubling would cost more than the rest
				guess := (s.limit - off) * guessAfter / (off - record.DataStart)
				o.Msgs = slices.Grow(o.Msgs, int(min(guess, maxGuess))+guessAfter)
			}
			o.Msgs = append(o.Msgs, found(h, off, false))
		}
		if o.Subjects != nil {
			o.Subjects.Mark(rec[h.Len:h.Len+h.Subject], uint32(off))
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
	if err != nil || len(o.Controls) > 0 && ct.Same(&s.twin) {
		return nil //nolint:nilerr // nonsense in a whole record can only be passed over, and a twin says nothing new
	}
	s.twin = ct
	o.Controls = append(o.Controls, ct)
	if ct.Kind == record.FlagSkip {
		o.Next = Later(o.Next, ct.Seq+ct.Skip)
	} else {
		o.Next = Later(o.Next, ct.Seq)
	}
	return nil
}

func (s *scanner) addBad(off, n int64, seq uint64) {
	if last := len(s.pending) - 1; last >= 0 && seq == 0 && s.pending[last].Seq == 0 &&
		s.pending[last].Off+s.pending[last].Len == off {
		s.pending[last].Len += n
		return
	}
	s.pending = append(s.pending, BadSpan{record.Span{Off: off, Len: n}, seq})
}

// largeRecord is the size from which a record is checked in pieces.
const largeRecord = 1 << 20

// whole checks the record with head h at off, and returns it, or as much of it as take needs.
func (s *scanner) whole(h *record.Head, off int64) ([]byte, error) {
	opens := h.Flags&record.FlagEncrypted != 0 && !h.Locked && (h.Control() || s.want&WantSubjects != 0)
	if opens || h.Size <= largeRecord {
		rec, err := s.w.At(off, h.Size)
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
	return s.w.At(off, int64(h.Len+h.Subject))
}

// order sorts the messages by sequence and drops those that can't be: of two with the
// same sequence, and of those out of the order of the file, the later one.
func (o *Contents) order() {
	bySeq := func(a, b Found) int { return cmp.Compare(a.Seq, b.Seq) }
	if !slices.IsSortedFunc(o.Msgs, bySeq) {
		slices.SortStableFunc(o.Msgs, bySeq)
	}
	kept, high := o.Msgs[:0], uint32(0)
	for _, m := range o.Msgs {
		if m.Off <= high {
			continue
		}
		high, kept = m.Off, append(kept, m)
		o.All = o.All.Add(m.Meta)
		o.Next = Later(o.Next, m.Seq+1)
	}
	o.Msgs = kept
	if n := len(kept); n > 0 {
		o.First, o.Last = kept[0].Meta.Time, kept[n-1].Meta.Time
	}
}

// Later returns the larger of two sequences that come next; 0 comes after the highest one.
func Later(a, b uint64) uint64 {
	if a == 0 || b == 0 {
		return 0
	}
	return max(a, b)
}

// Runs tells which sequences the messages have.
func (o *Contents) Runs() []record.Run {
	var runs []record.Run
	for i, m := range o.Msgs {
		if i == 0 || m.Seq != o.Msgs[i-1].Seq+1 {
			runs = append(runs, record.Run{Seq: m.Seq, Index: uint32(i)})
		}
	}
	return runs
}

// Offsets tells where the messages stand, in their order.
func (o *Contents) Offsets() []uint32 {
	offs := make([]uint32, len(o.Msgs))
	for i, m := range o.Msgs {
		offs[i] = m.Off
	}
	return offs
}
