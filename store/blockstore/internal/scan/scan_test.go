package scan_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore/internal/scan"
	"jsfs/store/internal/record"
)

const all = scan.WantMessages | scan.WantSubjects

func header() *record.Header {
	h := &record.Header{Store: record.ID{1}, Incarnation: 2, Block: 3, First: 10, Mark: 100, Time: 1000}
	for i := range h.Salt {
		h.Salt[i] = byte(3 * i)
	}
	return h
}

// block makes a block of the records that add appends.
func block(h *record.Header, add func(c *record.Coder, b []byte) []byte) []byte {
	c := h.Coder()
	return add(&c, h.Start())
}

func message(c *record.Coder, b []byte, seq uint64, subject string, data []byte) []byte {
	return c.AppendMessage(b, int64(len(b)), &record.Message{
		Seq: seq, Time: 1000 + int64(seq), Durable: record.DataStart, JSON: int64(len(data)) + 80, Subject: subject, Data: data,
	})
}

// five is a block with messages 10, 11, 14, 15 and 16, a skip and a removal, and where the messages stand.
func five() (b []byte, offs []uint32) {
	return block(header(), func(c *record.Coder, b []byte) []byte {
		for _, seq := range []uint64{10, 11, 14, 15, 16} {
			if seq == 14 {
				b = c.AppendControl(b, int64(len(b)), record.DataStart, &record.Control{Kind: record.FlagSkip, Seq: 12, Time: 1011, Skip: 2, Why: record.SkipReserved})
			}
			offs = append(offs, uint32(len(b)))
			b = message(c, b, seq, []string{"a", "b"}[seq%2], fmt.Appendln(nil, "message", seq))
		}
		return c.AppendControl(b, int64(len(b)), record.DataStart, &record.Control{
			Kind: record.FlagRemove, Seq: 17, Time: 1020, Ranges: []record.Range{{First: 11, Count: 1, Sums: store.Totals{Messages: 1}}},
		})
	}), offs
}

func scanned(t *testing.T, b []byte) *scan.Contents {
	t.Helper()
	c, err := scan.Block(bytes.NewReader(b), header(), int64(len(b)), all)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func seqs(c *scan.Contents) (out []uint64) {
	for _, m := range c.Msgs {
		if !m.Bad {
			out = append(out, m.Seq)
		}
	}
	return out
}

func TestAWholeBlockIsWhatWasWritten(t *testing.T) {
	b, offs := five()
	c := scanned(t, b)
	if !slices.Equal(seqs(c), []uint64{10, 11, 14, 15, 16}) || !slices.Equal(c.Offsets(), offs) {
		t.Errorf("got messages %d at %d, want those at %d", seqs(c), c.Offsets(), offs)
	}
	if runs := c.Runs(); !slices.Equal(runs, []record.Run{{Seq: 10, Index: 0}, {Seq: 14, Index: 2}}) {
		t.Errorf("got runs %+v", runs)
	}
	if len(c.Controls) != 2 || c.Controls[0].Kind != record.FlagSkip || c.Controls[1].Kind != record.FlagRemove {
		t.Errorf("got controls %+v, want one of each pair", c.Controls)
	}
	if c.End != int64(len(b)) || c.Next != 17 || c.First != 1010 || c.Last != 1016 || c.All.Messages != 5 || len(c.Bad) != 0 {
		t.Errorf("got %+v", c)
	}
	var names []string
	for _, s := range c.Subjects.At(c.Offsets()) {
		names = append(names, fmt.Sprint(s.Name, s.Places))
	}
	if !slices.Equal(names, []string{"a[0 2 4]", "b[1 3]"}) {
		t.Errorf("got subjects %q", names)
	}
}

// TestAFlippedBitCostsAtMostItsMessage flips each bit behind the headers.
func TestAFlippedBitCostsAtMostItsMessage(t *testing.T) {
	b, offs := five()
	want := scanned(t, b)
	for at := record.DataStart; at < len(b); at++ {
		for bit := range 8 {
			b[at] ^= 1 << bit
			c := scanned(t, b)
			b[at] ^= 1 << bit
			hit := -1 // the message that stands there
			for i, off := range offs {
				if int(off) <= at {
					hit = i
				}
			}
			lost := 0
			for i, seq := range seqs(want) {
				if slices.Contains(seqs(c), seq) {
					continue
				}
				if lost++; i != hit {
					t.Fatalf("byte %d, bit %d: message %d is lost, which begins at %d", at, bit, seq, offs[i])
				}
			}
			if lost > 1 || len(c.Controls) != len(want.Controls) || c.Next != want.Next {
				t.Fatalf("byte %d, bit %d: %d messages are lost; got %+v", at, bit, lost, c)
			}
			if len(c.Bad) == 0 && c.End == int64(len(b)) {
				t.Fatalf("byte %d, bit %d: it is not told", at, bit)
			}
		}
	}
}

// TestATornBlockIsAPrefix cuts a block at each byte, and puts junk in the place of what is cut off.
func TestATornBlockIsAPrefix(t *testing.T) {
	b, offs := five()
	whole := seqs(scanned(t, b))
	for cut := record.DataStart; cut <= len(b); cut++ {
		n := 0 // messages that end before the cut
		for i := range offs {
			end := uint32(len(b))
			if i+1 < len(offs) {
				end = offs[i+1]
			}
			if one := scanned(t, b[:end]); int(end) <= cut && slices.Contains(seqs(one), whole[i]) {
				n = i + 1
			}
		}
		for _, torn := range [][]byte{b[:cut], append(slices.Clone(b[:cut]), bytes.Repeat([]byte{0xa5}, 300)...)} {
			c := scanned(t, torn)
			if got := seqs(c); len(got) < n || !slices.Equal(got, whole[:len(got)]) {
				t.Fatalf("cut at %d: got %d, want %d", cut, got, whole[:n])
			}
			if c.End > int64(cut) {
				t.Fatalf("cut at %d: it ends at %d", cut, c.End)
			}
		}
	}
}

// TestWhatLooksLikeARecordIsNone has payloads that are records of this block at another place, and of another block at this place.
func TestWhatLooksLikeARecordIsNone(t *testing.T) {
	h := header()
	other := header()
	other.Salt[0]++
	forged := other.Coder()
	b := block(h, func(c *record.Coder, b []byte) []byte {
		moved := message(c, nil, 66, "forged", []byte("moved")) // as if it stood at the beginning of the file
		b = message(c, b, 10, "a", moved)
		b = message(c, b, 11, "a", forged.AppendMessage(nil, int64(len(b)+30), &record.Message{Seq: 77, Time: 1000, Subject: "forged"}))
		return message(c, b, 12, "a", nil)
	})
	for _, flip := range []int{0, record.DataStart, record.DataStart + 1} { // behind a damaged length each byte is looked at
		if flip > 0 {
			b[flip] ^= 0x55
		}
		if got := seqs(scanned(t, b)); slices.Contains(got, 66) || slices.Contains(got, 77) || !slices.Contains(got, 12) {
			t.Errorf("got messages %d", got)
		}
	}
}

// TestALargeRecordIsCheckedInPieces has one that is longer than a window, and flips a byte at its end.
func TestALargeRecordIsCheckedInPieces(t *testing.T) {
	b := block(header(), func(c *record.Coder, b []byte) []byte {
		b = message(c, b, 10, "large", make([]byte, 3<<20))
		return message(c, b, 11, "small", nil)
	})
	if got := seqs(scanned(t, b)); !slices.Equal(got, []uint64{10, 11}) {
		t.Fatalf("got %d", got)
	}
	b[record.DataStart+3<<20-5] ^= 1
	c := scanned(t, b)
	if got := seqs(c); !slices.Equal(got, []uint64{11}) || len(c.Bad) != 1 || c.Bad[0].Seq != 10 || len(c.Msgs) != 2 || !c.Msgs[0].Bad {
		t.Errorf("with a flipped byte: got %d, bad %+v", got, c.Bad)
	}
}

// TestTheEarlierOfTwoCounts has a sequence twice, and one that comes back behind a later one.
func TestTheEarlierOfTwoCounts(t *testing.T) {
	b := block(header(), func(c *record.Coder, b []byte) []byte {
		for i, seq := range []uint64{10, 12, 12, 11, 13} {
			b = message(c, b, seq, "a", []byte{byte(i)})
		}
		return b
	})
	c := scanned(t, b)
	if got := seqs(c); !slices.IsSorted(got) || !slices.Equal(slices.Compact(slices.Clone(got)), got) || got[len(got)-1] != 13 || c.All.Messages != int64(len(got)) {
		t.Errorf("got %d, %+v", got, c.All)
	}
	if !slices.IsSorted(c.Offsets()) {
		t.Errorf("they stand at %d", c.Offsets())
	}
}

// failing gives an error for what is read behind n.
type failing struct {
	b   []byte
	n   int64
	err error
}

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > f.n {
		return 0, f.err
	}
	return bytes.NewReader(f.b).ReadAt(p, off)
}

func TestAnErrorOfTheFileIsNoDamage(t *testing.T) {
	b, _ := five()
	worn := errors.New("worn out")
	if _, err := scan.Block(failing{b, record.DataStart, worn}, header(), int64(len(b)), all); !errors.Is(err, worn) {
		t.Errorf("got %v, want %v", err, worn)
	}
	if _, err := scan.Block(bytes.NewReader(b), header(), int64(len(b))+1, all); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("of a file that is shorter than said: got %v", err)
	}
}

func TestAWindowGivesWhatIsThere(t *testing.T) {
	b := make([]byte, scan.WindowSize+1000)
	for i := range b {
		b[i] = byte(i * 7)
	}
	w := scan.NewWindow(bytes.NewReader(b), 0)
	for _, at := range [][2]int64{{0, 10}, {5, scan.WindowSize}, {scan.WindowSize - 3, 6}, {3, 4}, {0, int64(len(b))}, {int64(len(b)) - 1, 1}} {
		got, err := w.At(at[0], at[1])
		if err != nil || !bytes.Equal(got, b[at[0]:at[0]+at[1]]) {
			t.Errorf("%d bytes at %d are others, or %v", at[1], at[0], err)
		}
	}
	if _, err := w.At(int64(len(b))-1, 2); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("behind the end: got %v", err)
	}
}

func TestLaterTakesZeroForTheEnd(t *testing.T) {
	for _, c := range [][3]uint64{{1, 2, 2}, {2, 1, 2}, {0, 9, 0}, {9, 0, 0}} {
		if got := scan.Later(c[0], c[1]); got != c[2] {
			t.Errorf("later of %d and %d: got %d, want %d", c[0], c[1], got, c[2])
		}
	}
}
