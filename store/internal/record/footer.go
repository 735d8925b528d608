package record

import (
	"encoding/binary"
	"fmt"
	"math"

	"jsfs/store"
)

// TrailerSize is the length of the fixed part that ends a sealed block (FORMAT.md section 6).
const TrailerSize = 512

const (
	footerMagic  = "JSFSFOOT" // opens the footer, right behind the last record
	trailerMagic = "JSFSSEAL"
)

// IsFooter says whether b begins as a footer does.
func IsFooter(b []byte) bool {
	return len(b) >= len(footerMagic) && string(b[:len(footerMagic)]) == footerMagic
}

// Section is a part of a footer that is read by itself.
type Section int

// The sections, in their order.
const (
	Offsets  Section = iota // where each message stands
	Runs                    // which sequences they have
	Controls                // what the block's controls said
	Subjects                // which subjects they are on
	Places                  // which of them are on each subject
	Bad                     // bytes that were bad when the block was sealed
	sections
)

// Sections returns all sections.
func Sections() []Section {
	all := make([]Section, sections)
	for i := range all {
		all[i] = Section(i)
	}
	return all
}

// Run is a run of messages with rising sequences: from Index on (counted in the block,
// from 0) they have Seq, Seq+1, … up to where the next run begins.
type Run struct {
	Seq   uint64
	Index uint32
}

// Span is a stretch of bytes in the block that no record accounts for.
type Span struct {
	Off, Len int64
}

// Footer is what a sealed block says about its records.
type Footer struct {
	Trailer
	Offsets  []uint32
	Runs     []Run
	Controls []Control    // one of each pair
	Listed   *ControlList // more of them, behind those; nil if there are none
	Subjects []Subject    // sorted by name
	Bad      []Span
}

// Trailer is the part of a footer that opening a stream reads.
type Trailer struct {
	DataEnd   int64  // end of the last record
	Next      uint64 // the sequence that came next when the block was sealed
	FirstTime int64  // of the first message
	LastTime  int64  // of the last message
	All       store.Totals
	// Chain is what the header of the next block says of this one, if it is sealed: a MAC over the
	// sections. A block that is rewritten keeps it.
	Chain [16]byte
	parts [sections]part
	// packed says that the sections Offsets, Subjects and Places are compressed, which those of the first blocks are not.
	packed bool
}

type part struct {
	off   int64
	size  uint32
	count uint32
	sum   uint64
}

// Count returns how many things a section has.
func (t *Trailer) Count(s Section) int { return int(t.parts[s].count) }

// Place returns where in the block a section stands, and its length.
func (t *Trailer) Place(s Section) (off int64, size int) { return t.parts[s].off, int(t.parts[s].size) }

// Append appends the footer of the block with header h to dst. It stands at DataEnd.
func (f *Footer) Append(dst []byte, h *Header) []byte {
	start := len(dst)
	dst = append(dst, footerMagic...)
	c, table := h.Coder(), MakeSubjects(f.Subjects)
	f.packed = true
	for s := range sections {
		from := len(dst)
		switch s {
		case Offsets:
			dst = appendPacked(dst, f.appendOffsets(make([]byte, 0, 3*len(f.Offsets))))
		case Subjects:
			dst = appendPacked(dst, table.names)
		case Places:
			dst = appendPacked(dst, table.places)
		default:
			dst = f.appendSection(dst, s, h)
		}
		off, count := f.DataEnd+int64(from-start), uint32(f.count(s, len(table.places)))
		if h.Sealed {
			dst = h.sealSection(dst, from, s, off, count)
		}
		f.parts[s] = part{off, uint32(len(dst) - from), count, c.sum(dst[from:], off)}
	}
	if h.Sealed && f.Chain == [16]byte{} {
		f.Chain = h.mac("chain", dst[start:])
	}
	return f.Trailer.append(dst, h)
}

// count returns the number of entries in a section; of Places, that is its bytes.
func (f *Footer) count(s Section, places int) int {
	return [sections]int{len(f.Offsets), len(f.Runs), len(f.Controls) + f.Listed.Len(), len(f.Subjects), places, len(f.Bad)}[s]
}

func (f *Footer) appendOffsets(b []byte) []byte {
	last := uint32(DataStart)
	for _, off := range f.Offsets {
		b = binary.AppendUvarint(b, uint64(off-last))
		last = off
	}
	return b
}

func (f *Footer) appendSection(b []byte, s Section, h *Header) []byte {
	switch s {
	case Runs:
		for _, r := range f.Runs {
			b = appendUvarints(b, r.Seq-h.First, uint64(r.Index))
		}
	case Controls:
		for i := range f.Controls {
			b = h.appendListed(b, &f.Controls[i])
		}
		b = append(b, f.Listed.bytes()...)
	case Bad:
		for _, e := range f.Bad {
			b = appendUvarints(b, uint64(e.Off), uint64(e.Len))
		}
	}
	return b
}

// commonPrefix returns how many bytes both begin with.
func commonPrefix[text string | []byte](a text, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// chainAt is where the trailer has its last fields: the chain, the MAC and the sum.
const chainAt = TrailerSize - 8 - 2*16

// append appends the trailer: the third copy of the header, the summary, its sum.
func (t *Trailer) append(dst []byte, h *Header) []byte {
	start := len(dst)
	dst = h.Append(dst)
	dst = append(dst, trailerMagic...)
	dst = binary.LittleEndian.AppendUint32(dst, Version)
	dst = binary.LittleEndian.AppendUint32(dst, featurePacked)
	for _, v := range []int64{
		t.DataEnd, int64(t.Next), t.FirstTime, t.LastTime, t.All.Messages, t.All.Payload, t.All.Log, t.All.JSON,
	} {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(v))
	}
	for _, p := range t.parts {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(p.off))
		dst = binary.LittleEndian.AppendUint32(dst, p.size)
		dst = binary.LittleEndian.AppendUint32(dst, p.count)
		dst = binary.LittleEndian.AppendUint64(dst, p.sum)
	}
	dst = append(dst, make([]byte, start+chainAt-len(dst))...)
	dst = append(dst, t.Chain[:]...)
	var mac [16]byte
	if h.Sealed {
		mac = h.mac("trailer", dst[start+HeaderSize:])
	}
	dst = append(dst, mac[:]...)
	return binary.LittleEndian.AppendUint64(dst, sum64(0, dst[start:]))
}

// ParseTrailer decodes the last TrailerSize bytes of a block of size bytes. h is the
// block's header if the caller has a whole copy of it, else nil: then the copy in the trailer
// is taken. It returns the header that is valid. Of a sealed block the MAC is checked too, if h has the keys.
func ParseTrailer(b []byte, size int64, h *Header) (Trailer, Header, error) {
	var t Trailer
	if len(b) != TrailerSize || size < DataStart+TrailerSize {
		return t, Header{}, fmt.Errorf("footer: %w", ErrShort)
	}
	if h == nil {
		own, err := ParseHeader(b)
		if err != nil {
			return t, own, err
		}
		h = &own
	}
	d := sum64(0, append(h.Append(make([]byte, 0, TrailerSize)), b[HeaderSize:TrailerSize-8]...))
	b = b[HeaderSize:]
	le := binary.LittleEndian
	if string(b[:8]) != trailerMagic || le.Uint64(b[len(b)-8:]) != d {
		return t, *h, fmt.Errorf("footer: %w", ErrBad)
	}
	if h.keys != nil && !h.sameMAC("trailer", b[:chainAt-HeaderSize+16], b[chainAt-HeaderSize+16:][:16]) {
		return t, *h, fmt.Errorf("footer is forged: %w", ErrBad)
	}
	v, features := le.Uint32(b[8:]), le.Uint32(b[12:])
	if v != Version || features&^featurePacked != 0 {
		return t, *h, fmt.Errorf("footer of version %d with features %#x: %w", v, features, store.ErrVersion)
	}
	t.packed = features&featurePacked != 0
	var n [8]int64
	for i := range n {
		n[i] = int64(le.Uint64(b[16+8*i:]))
	}
	t.DataEnd, t.Next, t.FirstTime, t.LastTime = n[0], uint64(n[1]), n[2], n[3]
	t.All = store.Totals{Messages: n[4], Payload: n[5], Log: n[6], JSON: n[7]}
	for i := range t.parts {
		p := b[80+24*i:]
		t.parts[i] = part{int64(le.Uint64(p)), le.Uint32(p[8:]), le.Uint32(p[12:]), le.Uint64(p[16:])}
	}
	copy(t.Chain[:], b[chainAt-HeaderSize:])
	return t, *h, t.check(h, size)
}

// check looks at what no honest writer gives, so that nobody else has to.
func (t *Trailer) check(h *Header, size int64) error {
	bad := t.DataEnd < DataStart || t.DataEnd > size-TrailerSize || t.Next < h.First ||
		t.All.Messages != int64(t.parts[Offsets].count) || t.All.Messages > math.MaxUint32
	for s, p := range t.parts {
		bad = bad || p.off < t.DataEnd || p.off > size-TrailerSize || int64(p.size) > size-TrailerSize-p.off ||
			p.count > p.size && !t.packs(Section(s))
	}
	if bad {
		return fmt.Errorf("footer: %w", ErrBad)
	}
	return nil
}

// CheckSum compares the checksum of a section, which is no proof that it was not forged. Names of subjects that were
// erased give ErrDropped.
func (t *Trailer) CheckSum(s Section, h *Header, b []byte) error {
	p, c := t.parts[s], h.Coder()
	if s == Subjects && len(b) > 0 && len(b) == int(p.size) && AllZero(b) {
		return ErrDropped
	}
	if len(b) != int(p.size) || c.sum(b, p.off) != p.sum {
		return fmt.Errorf("footer section %d: %w", s, ErrBad)
	}
	return nil
}

// section checks the bytes of a section.
func (t *Trailer) section(s Section, h *Header, b []byte) (reader, error) {
	p := t.parts[s]
	if err := t.CheckSum(s, h, b); err != nil {
		return reader{}, err
	}
	if h.Sealed {
		var err error
		if b, err = h.openSection(b, s, p); err != nil {
			return reader{}, err
		}
	}
	if t.packs(s) {
		var err error
		if b, err = t.unpack(b, s); err != nil {
			return reader{}, err
		}
	}
	if uint32(len(b)) < p.count {
		return reader{}, fmt.Errorf("footer section %d: %w", s, ErrBad)
	}
	return reader{b: b}, nil
}

// Offsets decodes the section of that name.
func (t *Trailer) Offsets(h *Header, b []byte) ([]uint32, error) {
	r, err := t.section(Offsets, h, b)
	if err != nil {
		return nil, err
	}
	offs, last := make([]uint32, t.parts[Offsets].count), uint64(DataStart)
	for i := range offs {
		last += r.uvarint()
		if last >= uint64(t.DataEnd) || last > math.MaxUint32 {
			return nil, fmt.Errorf("footer offsets: %w", ErrBad)
		}
		offs[i] = uint32(last)
	}
	return offs, r.end()
}

// Runs decodes the section of that name.
func (t *Trailer) Runs(h *Header, b []byte) ([]Run, error) {
	r, err := t.section(Runs, h, b)
	if err != nil {
		return nil, err
	}
	runs := make([]Run, t.parts[Runs].count)
	for i := range runs {
		seq, index := h.First+r.uvarint(), r.uvarint()
		if index >= uint64(t.All.Messages) || i == 0 && index != 0 ||
			i > 0 && (index <= uint64(runs[i-1].Index) || seq <= runs[i-1].Seq) {
			return nil, fmt.Errorf("footer runs: %w", ErrBad)
		}
		runs[i] = Run{seq, uint32(index)}
	}
	return runs, r.end()
}

// Controls decodes the section of that name.
func (t *Trailer) Controls(h *Header, b []byte) ([]Control, error) {
	r, err := t.section(Controls, h, b)
	if err != nil {
		return nil, err
	}
	cts := make([]Control, t.parts[Controls].count)
	for i := range cts {
		kind, seq, time := r.byte(), h.First+r.uvarint(), h.Time+int64(r.uvarint())
		body := r.bytes(r.uvarint())
		if r.err != nil {
			return nil, r.err
		}
		if cts[i], err = parseControl(kind, seq, time, body); err != nil {
			return nil, fmt.Errorf("footer controls: %w", err)
		}
	}
	return cts, r.end()
}

// Bad decodes the section of that name.
func (t *Trailer) Bad(h *Header, b []byte) ([]Span, error) {
	r, err := t.section(Bad, h, b)
	if err != nil {
		return nil, err
	}
	spans := make([]Span, t.parts[Bad].count)
	for i := range spans {
		spans[i] = Span{int64(r.uvarint()), int64(r.uvarint())}
		if spans[i].Off < 0 || spans[i].Len < 0 || spans[i].Off > t.DataEnd-spans[i].Len {
			return nil, fmt.Errorf("footer spans: %w", ErrBad)
		}
	}
	return spans, r.end()
}

// CheckSection says whether the bytes of a section are what was written.
func (t *Trailer) CheckSection(s Section, h *Header, b []byte) error {
	_, err := t.section(s, h, b)
	return err
}
