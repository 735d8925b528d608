package subjects

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
)

// keyedName stands for the name with number id. Names with different keys are in the order of these.
type keyedName struct {
	key uint64
	id  uint32
}

// radixFrom is how many names are sorted by the bytes of their keys; comparing is faster for fewer.
const radixFrom = 256

// SortNames returns the numbers from from to before to in the order of their names; those with one name in their own.
func SortNames(from, to int, name func(uint32) string) []uint32 {
	// What all names begin with tells nothing, and the eight bytes behind it mostly tell them apart.
	keys := make([]keyedName, 0, to-from)
	skip := commonPrefix(from, to, name)
	for id := uint32(from); id < uint32(to); id++ {
		var key [8]byte
		copy(key[:], name(id)[skip:])
		keys = append(keys, keyedName{binary.BigEndian.Uint64(key[:]), id})
	}
	byName := func(a, b keyedName) int {
		if c := strings.Compare(name(a.id), name(b.id)); c != 0 {
			return c
		}
		return cmp.Compare(a.id, b.id)
	}
	if len(keys) < radixFrom {
		slices.SortFunc(keys, func(a, b keyedName) int {
			if a.key != b.key {
				return cmp.Compare(a.key, b.key)
			}
			return byName(a, b)
		})
		return idsOf(keys)
	}
	keys = sortKeys(keys)
	for i := 0; i < len(keys); {
		end := i + 1
		for end < len(keys) && keys[end].key == keys[i].key {
			end++
		}
		if end > i+1 {
			slices.SortFunc(keys[i:end], byName)
		}
		i = end
	}
	return idsOf(keys)
}

func idsOf(keys []keyedName) []uint32 {
	ids := make([]uint32, len(keys))
	for i, k := range keys {
		ids[i] = k.id
	}
	return ids
}

// sortKeys returns keys in the order of the keys, byte by byte from the last one on. What it was given is overwritten.
func sortKeys(keys []keyedName) []keyedName {
	var counts [8][256]uint32
	for _, k := range keys {
		for i := range counts {
			counts[i][byte(k.key>>(8*i))]++
		}
	}
	other := make([]keyedName, len(keys))
	for i := range counts {
		shift := 8 * i
		if int(counts[i][byte(keys[0].key>>shift)]) == len(keys) {
			continue // all have the same byte there
		}
		var next [256]uint32 // where the next name with that byte goes
		sum := uint32(0)
		for b, n := range counts[i] {
			next[b] = sum
			sum += n
		}
		for _, k := range keys {
			b := byte(k.key >> shift)
			other[next[b]] = k
			next[b]++
		}
		keys, other = other, keys
	}
	return keys
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
