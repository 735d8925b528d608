package record

import (
	"bytes"
	"testing"
)

// FuzzHead: no bytes make the decoder panic or believe lengths that are not there; what it accepts is
// what the encoder writes.
func FuzzHead(f *testing.F) {
	c := exampleHeader().Coder()
	f.Add(c.AppendMessage(nil, DataStart, exampleMessage()))
	f.Add(c.AppendMessage(nil, DataStart, exampleCompressed()))
	f.Add(c.AppendControl(nil, DataStart, DataStart, exampleRemoval()))
	f.Add([]byte{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := c.Head(b, DataStart)
		if err != nil || h.Size > int64(len(b)) {
			return
		}
		rec := b[:h.Size]
		subject, header, data, err := h.parts(rec[h.Len:len(rec)-sumSize], nil)
		if err != nil && h.Flags&FlagCompressed != 0 {
			return
		}
		if n := h.Len + len(subject) + len(header) + len(data) + sumSize; err != nil || n != len(rec) && h.Flags&FlagCompressed == 0 {
			t.Fatalf("parts of %d, %d, %d and %d bytes in a record of %d: %v", h.Len, len(subject), len(header), len(data), len(rec), err)
		}
		if len(header) != h.Header || int64(len(data)) != h.Data {
			t.Fatalf("parts of %d and %d bytes, the head says %d and %d", len(header), len(data), h.Header, h.Data)
		}
		if h.Control() {
			_, _ = h.ControlOf(rec)
		}
	})
}

// FuzzControl: what is decoded is encoded to the same bytes.
func FuzzControl(f *testing.F) {
	f.Add(byte(FlagRemove), uint64(9), exampleRemoval().appendBody(nil))
	f.Add(byte(FlagSkip), uint64(9), []byte{1, 0})
	f.Add(byte(FlagRemove), uint64(20), examplePurge().appendBody(nil))
	f.Fuzz(func(t *testing.T, kind byte, seq uint64, b []byte) {
		kind &= flagsControl
		ct, err := parseControl(kind, seq, 0, b)
		if err != nil || kind == 0 {
			return
		}
		again, err := parseControl(kind, seq, 0, ct.appendBody(nil))
		if err != nil || !again.Same(&ct) {
			t.Fatalf("got %+v, %v, want %+v", again, err, ct)
		}
	})
}

// FuzzFooter: no trailer or section makes the decoder panic.
func FuzzFooter(f *testing.F) {
	h := exampleHeader()
	b := exampleFooter().Append(nil, h)
	f.Add(b, b[len(footerMagic):])
	f.Add(b, appendPacked(nil, MakeSubjects(exampleFooter().Subjects).names))
	f.Fuzz(func(t *testing.T, b, section []byte) {
		if len(b) >= TrailerSize {
			end := bytes.Clone(b[len(b)-TrailerSize:])
			_, _, _ = ParseTrailer(end, int64(len(b))+9000, nil)
		}
		c := h.Coder()
		tr := &Trailer{DataEnd: 9000, Next: 12}
		tr.All.Messages = 3
		for s := range sections {
			count := uint32(3)
			if s == Bad {
				count = 1
			}
			tr.parts[s] = part{off: 9000, size: uint32(len(section)), count: min(count, uint32(len(section))), sum: c.sum(section, 9000)}
		}
		for _, tr.packed = range []bool{false, true} {
			_, _ = tr.Offsets(h, section)
			if table, err := tr.Subjects(h, section, section, true); err == nil {
				walkTable(table)
			}
		}
		_, _ = tr.Runs(h, section)
		_, _ = tr.Controls(h, section)
		_, _ = tr.Bad(h, section)
	})
}

// FuzzSmallFiles: no small file makes its decoder panic, and what is accepted was written by us.
func FuzzSmallFiles(f *testing.F) {
	f.Add(Envelope(MagicConfig, []byte(`{"name":"S"}`)))
	s, _ := (&State{Generation: 2, Last: 5}).Slot()
	f.Add(append(s, make([]byte, StateSize)...))
	f.Add(exampleHeader().Start())
	f.Fuzz(func(t *testing.T, b []byte) {
		if content, damaged, err := OpenEnvelope(MagicConfig, b); err == nil && !damaged {
			if whole := Envelope(MagicConfig, content); !bytes.HasPrefix(b, whole[:len(content)+envelopeHead+8]) {
				t.Fatal("accepted what the encoder does not write")
			}
		}
		_, _, _ = OpenState(b)
		_, _ = ParseHeader(b)
	})
}
