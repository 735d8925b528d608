package record

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"
)

// TestPackedSectionsClaimNoMoreThanTheyCanHave gives a section a length that no block of its size has, and bytes that are
// no compressed text: nothing is allocated for it, and it is damage.
func TestPackedSectionsClaimNoMoreThanTheyCanHave(t *testing.T) {
	h := exampleHeader()
	for name, section := range map[string][]byte{
		"a gigabyte":       append([]byte{0x80, 0x80, 0x80, 0x80, 4}, s2.Encode(nil, make([]byte, 1000))...),
		"too many":         s2.Encode(nil, make([]byte, 3*9000+1)),
		"cut short":        s2.Encode(nil, make([]byte, 1000))[:5],
		"nothing":          {},
		"fewer than there": s2.Encode(nil, []byte{1}),
	} {
		tr := Trailer{DataEnd: 9000, packed: true}
		tr.All.Messages = 3
		c := h.Coder()
		tr.parts[Offsets] = part{off: 9000, size: uint32(len(section)), count: 3, sum: c.sum(section, 9000)}
		if offs, err := tr.Offsets(h, section); !errors.Is(err, ErrBad) {
			t.Errorf("%s: got %v, %v, want ErrBad", name, offs, err)
		}
	}
}

// TestAFooterOfManySubjectsTakesLittle: of messages alike on subjects alike, each on its own, a footer takes less than three bytes.
func TestAFooterOfManySubjectsTakesLittle(t *testing.T) {
	const n = 10_000
	f := Footer{Trailer: Trailer{DataEnd: DataStart + 165*n, Next: n + 1}, Runs: []Run{{1, 0}}}
	f.All.Messages = n
	for i := range n {
		f.Offsets = append(f.Offsets, uint32(DataStart+165*i))
		f.Subjects = append(f.Subjects, Subject{fmt.Sprintf("orders.%d.%d", i%10, i), []uint32{uint32(i)}})
	}
	slices.SortFunc(f.Subjects, func(a, b Subject) int { return strings.Compare(a.Name, b.Name) })
	if size := len(f.Append(nil, exampleHeader())); size >= 3*n {
		t.Errorf("the footer of %d messages takes %d bytes", n, size)
	}
}
