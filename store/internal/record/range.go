package record

import (
	"bytes"
	"encoding/binary"
	"iter"

	"jsfs/store"
)

// Range is what a control says of a stretch of sequences: some or all of them, and the totals of
// those messages that changed.
type Range struct {
	First, Count uint64
	Sums         store.Totals
	// runs says which of the sequences are meant, if not all: by turns how many are, and how many
	// are not, as uvarints; it begins and ends with some that are.
	runs []byte
}

// Add adds the run of n sequences from first on, which must be above those in the range. A new
// Range has none.
func (r *Range) Add(first, n uint64) {
	switch end := r.First + r.Count; {
	case r.Count == 0:
		r.First, r.runs = first, r.runs[:0]
	case first == end && len(r.runs) == 0:
	case first == end:
		last, size := lastUvarint(r.runs)
		r.runs = binary.AppendUvarint(r.runs[:len(r.runs)-size], last+n)
	default:
		if len(r.runs) == 0 {
			r.runs = binary.AppendUvarint(r.runs, r.Count)
		}
		r.runs = binary.AppendUvarint(r.runs, first-end)
		r.runs = binary.AppendUvarint(r.runs, n)
	}
	r.Count = first + n - r.First
}

// Runs walks the runs of sequences that the range is about: the first of each, and how many.
func (r *Range) Runs() iter.Seq2[uint64, uint64] {
	return func(yield func(first, n uint64) bool) {
		if len(r.runs) == 0 {
			if r.Count > 0 {
				yield(r.First, r.Count)
			}
			return
		}
		for seq, b := r.First, r.runs; len(b) > 0; {
			n, size := binary.Uvarint(b)
			b = b[size:]
			if !yield(seq, n) {
				return
			}
			gap, size := binary.Uvarint(b)
			b = b[size:]
			seq += n + gap
		}
	}
}

// Len returns how many sequences the range is about.
func (r *Range) Len() uint64 {
	sum := uint64(0)
	for _, n := range r.Runs() {
		sum += n
	}
	return sum
}

// SameRuns says whether both are about the same sequences, in the same form.
func (r *Range) SameRuns(o *Range) bool {
	return r.First == o.First && r.Count == o.Count && bytes.Equal(r.runs, o.runs)
}

func (r *Range) same(o *Range) bool {
	return r.SameRuns(o) && r.Sums == o.Sums
}

// lastUvarint returns the uvarint that b ends in, and its length.
func lastUvarint(b []byte) (uint64, int) {
	i := len(b) - 1
	for i > 0 && b[i-1] >= 0x80 {
		i--
	}
	return binary.Uvarint(b[i:])
}

// wholeRuns says whether b is runs that span count sequences.
func wholeRuns(b []byte, count uint64) bool {
	sum := uint64(0)
	for turn := 0; ; turn++ {
		v, size := binary.Uvarint(b)
		if size <= 0 || v == 0 || v > count-sum {
			return false
		}
		sum += v
		if b = b[size:]; len(b) == 0 {
			return turn%2 == 0 && sum == count
		}
	}
}
