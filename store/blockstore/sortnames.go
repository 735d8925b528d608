package blockstore

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
)

// sortNames returns the numbers from from to before to in the order of their names.
func sortNames(from, to int, name func(uint32) string) []uint32 {
	// What all names begin with tells nothing, and the eight bytes behind it mostly tell them apart.
	type keyed struct {
		key uint64
		id  uint32
	}
	keys := make([]keyed, 0, to-from)
	skip := commonPrefix(from, to, name)
	for id := uint32(from); id < uint32(to); id++ {
		var key [8]byte
		copy(key[:], name(id)[skip:])
		keys = append(keys, keyed{binary.BigEndian.Uint64(key[:]), id})
	}
	slices.SortFunc(keys, func(a, b keyed) int {
		if a.key != b.key {
			return cmp.Compare(a.key, b.key)
		}
		return strings.Compare(name(a.id), name(b.id))
	})
	ids := make([]uint32, len(keys))
	for i, k := range keys {
		ids[i] = k.id
	}
	return ids
}

// commonPrefix returns how many bytes the names of the numbers from from to before to have in common.
func commonPrefix(from, to int, name func(uint32) string) int {
	if from == to {
		return 0
	}
	first := name(uint32(from))
	n := len(first)
	for i := from + 1; i < to && n > 0; i++ {
		s := name(uint32(i))
		n = min(n, len(s))
		for k := range n {
			if s[k] != first[k] {
				n = k
				break
			}
		}
	}
	return n
}
