package blockstore

import (
	"testing"

	"jsfs/store/internal/record"
)

// TestOnAFullDiskPagesCount plans for blocks with nine messages of 3,000 bytes each, of which one is removed in one block: alone it
// would give no page, and so is left as it is; with a neighbour it gives what only begins and ends a block, too.
func TestOnAFullDiskPagesCount(t *testing.T) {
	const message, footer = 3062, 200
	const records = 9 * message
	blocks := make([]*block, 4)
	for i := range blocks {
		b := &block{size: record.DataStart + records + footer, dataEnd: record.DataStart + records, next: uint64(9*i + 10)}
		b.hdr.First = uint64(9*i + 1)
		blocks[i] = b
	}
	for _, c := range []struct {
		name         string
		limit, dead  int64
		groups, gain int64
	}{
		{"one removed, and no room for two blocks in one", 32 << 10, message, 0, 0},
		{"three removed, and no room for two blocks in one", 32 << 10, 3 * message, 1, 2 * diskPage},
		{"one removed, and two blocks become one", 64 << 10, message, 1, 2 * diskPage},
		{"nothing removed", 64 << 10, 0, 0, 0},
	} {
		p := planning{thorough: true, blockSize: 32 << 10, limit: c.limit, least: leastShare}
		for i, b := range blocks {
			w := waste{total: records}
			if i == 2 && c.dead > 0 {
				w.dead, w.some = c.dead, true
			}
			p.add(b, &w, false)
		}
		p.end()
		gain := int64(0)
		for _, g := range p.groups {
			gain += g.gain
		}
		if int64(len(p.groups)) != c.groups || gain != c.gain {
			t.Errorf("%s: %d groups that give %d bytes, want %d and %d", c.name, len(p.groups), gain, c.groups, c.gain)
		}
	}
}
