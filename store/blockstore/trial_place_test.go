package blockstore_test

import (
	"testing"

	"jsfs/store/internal/record"
)

// placed is where the record of a message stands in a block.
type placed struct {
	seq        uint64
	start, end int64
}

// placesIn returns where the messages of a whole block stand, and the incarnation of its stream.
func placesIn(tb testing.TB, block string) (inc uint64, places []placed) {
	tb.Helper()
	b := []byte(block)
	hdr, err := record.ParseHeader(b)
	must(tb, err)
	c := hdr.Coder()
	for off := int64(record.DataStart); off < int64(len(b)) && !record.IsFooter(b[off:]); {
		h, err := c.Head(b[off:], off)
		must(tb, err)
		if !h.Control() {
			places = append(places, placed{h.Seq, off, off + h.Size})
		}
		off += h.Size
	}
	return hdr.Incarnation, places
}
