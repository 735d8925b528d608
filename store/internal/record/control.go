package record

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"jsfs/store"
)

// Control is a record that changes what is known of sequences (FORMAT.md section 5).
type Control struct {
	Kind byte   // FlagRemove, FlagUndelete or FlagSkip
	Seq  uint64 // the sequence that comes next; of a skip, the first one skipped
	Time int64
	// Ranges are what a removal or an undeletion is about.
	Ranges []Range
	// Skip and Why are what a skip is about: how many sequences, and what became of them. A removal
	// may skip, too: the Skip sequences right before Seq, which were never used.
	Skip uint64
	Why  byte
	// Discard says that what is removed need not be kept for anybody who wants it back.
	Discard bool
	// Erase says that the bytes of the message that is removed are overwritten, too, or are to be.
	Erase bool
	// Rewritten says of a removal that the block that it is in was written anew, without messages whose space was to be
	// given back: what the block has no message for was removed, unless a skip in it accounts for it. Time is that of the
	// last message that it ever had.
	Rewritten bool
}

// Reasons for a skip.
const (
	SkipUnused   = 0 // no message was ever stored there: a restore left them out
	SkipReserved = 1 // passed over after an unclean stop; no message is known there
	SkipLost     = 2 // messages were there, and went with a torn tail
)

const (
	// maxRanges bounds what a control of the short form can be about, maxGroups what one of the
	// long form can.
	maxRanges = 4096
	maxGroups = 1 << 20

	// roomBody is for what most controls say.
	roomBody = 160
)

// Flags of the long form, for the fields of a Control that have their names.
const (
	flagDiscard   = 1 << 0
	flagErase     = 1 << 1
	flagRewritten = 1 << 2
	flagsLong     = flagDiscard | flagErase | flagRewritten
)

// AppendControl appends ct twice to dst, the first record to stand at offset off: each
// is valid by itself, so that no damage to one of them undoes it.
func (c *Coder) AppendControl(dst []byte, off, durable int64, ct *Control) []byte {
	var a [roomBody]byte
	body := ct.appendBody(a[:0])
	for range 2 {
		start := len(dst)
		h := Head{Flags: ct.Kind, Seq: ct.Seq, Durable: durable, Time: ct.Time}
		dst = c.appendHead(dst, off, len(body), &h)
		dst = append(dst, body...)
		if c.sealed {
			dst = c.sealBody(dst, start, off, &h)
		}
		dst = c.appendSum(dst, start, off)
		off += int64(len(dst) - start)
	}
	return dst
}

func (ct *Control) appendBody(b []byte) []byte {
	if ct.Kind == FlagSkip {
		b = binary.AppendUvarint(b, ct.Skip)
		return append(b, ct.Why)
	}
	long := ct.long()
	if long {
		var flags uint64
		if ct.Discard {
			flags |= flagDiscard
		}
		if ct.Erase {
			flags |= flagErase
		}
		if ct.Rewritten {
			flags |= flagRewritten
		}
		b = appendUvarints(b, 0, flags, ct.Skip)
	}
	b = binary.AppendUvarint(b, uint64(len(ct.Ranges)))
	for i := range ct.Ranges {
		r := &ct.Ranges[i]
		b = appendUvarints(b, ct.Seq-r.First, r.Count, uint64(r.Sums.Messages),
			uint64(r.Sums.Payload), uint64(r.Sums.Log), uint64(r.Sums.JSON))
		if long {
			b = binary.AppendUvarint(b, uint64(len(r.runs)))
			b = append(b, r.runs...)
		}
	}
	return b
}

// long says whether a removal or an undeletion needs the long form.
func (ct *Control) long() bool {
	if ct.Skip > 0 || ct.Discard || ct.Erase || ct.Rewritten || len(ct.Ranges) == 0 || len(ct.Ranges) > maxRanges {
		return true
	}
	for i := range ct.Ranges {
		if len(ct.Ranges[i].runs) > 0 {
			return true
		}
	}
	return false
}

// ControlOf decodes the content of rec, a whole, checked record with head h that was opened if it was sealed.
func (h *Head) ControlOf(rec []byte) (Control, error) {
	return parseControl(h.Flags&flagsControl, h.Seq, h.Time, rec[h.Len:len(rec)-sumSize])
}

func parseControl(kind byte, seq uint64, time int64, b []byte) (Control, error) {
	ct := Control{Kind: kind, Seq: seq, Time: time}
	r := reader{b: b}
	if kind == FlagSkip {
		ct.Skip, ct.Why = r.uvarint(), r.byte()
		if ct.Skip == 0 || ct.Skip > ^seq || ct.Why > SkipLost {
			r.fail()
		}
		return ct, r.end()
	}
	n := r.count(maxRanges, 6)
	long := n == 0 && r.err == nil
	if long {
		flags := r.uvarint()
		ct.Discard, ct.Erase, ct.Rewritten = flags&flagDiscard != 0, flags&flagErase != 0, flags&flagRewritten != 0
		ct.Skip = r.uvarint()
		if flags&^flagsLong != 0 && r.err == nil {
			return ct, fmt.Errorf("control with flags %#x: %w", flags, store.ErrVersion)
		}
		if n = r.count(maxGroups, 7); ct.Skip > seq || n == 0 && ct.Skip == 0 && !ct.Rewritten || kind != FlagRemove && (ct.Skip > 0 || ct.Rewritten) {
			r.fail()
		}
	}
	if r.err != nil {
		return ct, r.err
	}
	ct.Ranges = make([]Range, n)
	for i := range ct.Ranges {
		if err := r.rangeOf(&ct.Ranges[i], seq, long); err != nil {
			return ct, err
		}
	}
	return ct, r.end()
}

// rangeOf takes one range of a control whose sequence field is seq.
func (r *reader) rangeOf(to *Range, seq uint64, long bool) error {
	back, count := r.uvarint(), r.uvarint()
	if seq != 0 && back > seq || count == 0 || count > back { // 0 comes after the highest sequence
		return fmt.Errorf("range of a control: %w", ErrBad)
	}
	to.First, to.Count, to.Sums = seq-back, count, r.totals()
	if long {
		to.runs = bytes.Clone(r.bytes(r.uvarint()))
		if len(to.runs) > 0 && !wholeRuns(to.runs, count) {
			r.fail()
		}
	}
	return r.err
}

// Same says whether b does exactly what ct does: the twin of it.
func (ct *Control) Same(b *Control) bool {
	if ct.Kind != b.Kind || ct.Seq != b.Seq || ct.Time != b.Time || ct.Skip != b.Skip || ct.Why != b.Why ||
		len(ct.Ranges) != len(b.Ranges) {
		return false
	}
	if ct.Discard != b.Discard || ct.Erase != b.Erase || ct.Rewritten != b.Rewritten {
		return false
	}
	for i := range ct.Ranges {
		if !ct.Ranges[i].same(&b.Ranges[i]) {
			return false
		}
	}
	return true
}

func appendUvarints(b []byte, vs ...uint64) []byte {
	for _, v := range vs {
		b = binary.AppendUvarint(b, v)
	}
	return b
}

// reader takes numbers from the front of b; its first error sticks.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail() {
	if r.err == nil {
		r.err = ErrBad
	}
}

func (r *reader) uvarint() uint64 {
	v, n := uvarint(r.b)
	if n <= 0 || r.err != nil {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) byte() byte {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

// bytes takes n bytes, which alias the input.
func (r *reader) bytes(n uint64) []byte {
	if r.err != nil || n > uint64(len(r.b)) {
		r.fail()
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

// count takes a number of things that take at least size bytes each.
func (r *reader) count(limit, size int) int {
	n := r.uvarint()
	if n > uint64(limit) || n > uint64(len(r.b)/size) {
		r.fail()
		return 0
	}
	return int(n)
}

// totals takes the four sums. None of them can be above 2^62.
func (r *reader) totals() store.Totals {
	var v [4]int64
	for i := range v {
		u := r.uvarint()
		if u > 1<<62 {
			r.fail()
		}
		v[i] = int64(u)
	}
	return store.Totals{Messages: v[0], Payload: v[1], Log: v[2], JSON: v[3]}
}

// end returns the error, or ErrBad if something is left.
func (r *reader) end() error {
	if len(r.b) > 0 {
		r.fail()
	}
	return r.err
}
