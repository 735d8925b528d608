package blockstore

// offsets are where the messages of a block stand, in order of sequence; 0 where no record of one is left.
type offsets struct {
	wide   []uint32 // of the tail, and where messages are large
	packed *packedOffsets
}

func (o offsets) len() int {
	if o.packed != nil {
		return o.packed.n
	}
	return len(o.wide)
}

func (o offsets) at(i int) int64 {
	if o.packed != nil {
		return o.packed.at(i)
	}
	return int64(o.wide[i])
}

// size is how many bytes they take in memory.
func (o offsets) size() int64 {
	if o.packed != nil {
		return int64(4*(offsetGroup/2+1)*len(o.packed.groups) + 4*cap(o.packed.far))
	}
	return int64(4 * cap(o.wide))
}

// all returns all of them.
func (o offsets) all() []uint32 {
	if o.packed == nil {
		return o.wide
	}
	all := make([]uint32, o.len())
	for i := range all {
		all[i] = uint32(o.at(i))
	}
	return all
}

// bounds returns where message i of v, whose offsets they are, stands, and where what is behind it does.
func (o offsets) bounds(v *view, i int) (off, end int64) {
	off, end = o.at(i), v.end
	if i+1 < o.len() {
		if next := o.at(i + 1); next > off {
			end = next
		}
	}
	return off, end
}

// offsetGroup is how many messages' offsets share a line of the processor's cache.
const offsetGroup = 30

// packedOffsets are offsets in a little over two bytes each, where messages are small. They are immutable.
type packedOffsets struct {
	n      int
	groups []offsetLine
	far    []uint32 // offsets of groups that reach far, or lack a record
}

// offsetLine is the offsets of a group.
type offsetLine struct {
	base uint32              // where its first message stands; 0 if all of them are in far
	near [offsetGroup]uint16 // the distances from there. Of a group in far, the first two are where it begins there
}

// packOffsets makes offsets smaller, if they become so.
func packOffsets(offs []uint32) offsets {
	p := &packedOffsets{n: len(offs), groups: make([]offsetLine, (len(offs)+offsetGroup-1)/offsetGroup)}
	for g := range p.groups {
		p.put(&p.groups[g], offs[g*offsetGroup:min((g+1)*offsetGroup, len(offs))])
		if 4*len(p.far) > 2*len(offs) {
			return offsets{wide: offs}
		}
	}
	return offsets{packed: p}
}

func (p *packedOffsets) put(to *offsetLine, offs []uint32) {
	fits := offs[0] != 0
	for k, off := range offs {
		d := off - offs[0] // of a lower offset it is huge
		to.near[k] = uint16(d)
		fits = fits && d < 1<<16
	}
	if fits {
		to.base = offs[0]
		return
	}
	to.near[0], to.near[1] = uint16(len(p.far)), uint16(len(p.far)>>16)
	p.far = append(p.far, offs...)
}

func (p *packedOffsets) at(i int) int64 {
	line, k := &p.groups[uint(i)/offsetGroup], uint(i)%offsetGroup
	if line.base != 0 {
		return int64(line.base) + int64(line.near[k])
	}
	return int64(p.far[uint(line.near[0])|uint(line.near[1])<<16+k])
}
