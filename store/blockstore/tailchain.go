package blockstore

import "jsfs/store/internal/record"

// tailChain leads from each message of the tail to the one before it on the same subject, so that the messages of one
// subject among many are found without a look at those between them. It takes 4 bytes a message. It only grows, so what
// was taken of it under the index's lock may be read without that.
type tailChain struct {
	runs []record.Run // of the sequences of the tail's messages
	// prevs has the place + 1 of the message before; 0 is none. One that was removed when the next one came may be
	// passed over.
	prevs []uint32
	// cut says that one of these may be live again: the links are not to be followed in this tail any more.
	cut bool
}

// placeOf returns the place of seq among the first count messages, 0 and false if it is none of them.
func (c *tailChain) placeOf(seq uint64, count int) (int, bool) {
	v := view{runs: c.runs, count: count}
	return v.place(seq)
}

// stored adds message seq of the tail, which has count before it. last is the one before it on its subject, as far as is
// known; 0 if there is none.
func (c *tailChain) stored(seq uint64, count int, last uint64) {
	if k := len(c.runs) - 1; k < 0 || c.runs[k].Seq+uint64(count)-uint64(c.runs[k].Index) != seq {
		c.runs = append(c.runs, record.Run{Seq: seq, Index: uint32(count)})
	}
	prev := uint32(0)
	if i, ok := c.placeOf(last, count); ok {
		prev = uint32(i) + 1
	}
	c.prevs = append(c.prevs, prev)
}

// link makes the links between places, which are messages on one subject, in order.
func (c *tailChain) link(places []uint32) {
	for k := 1; k < len(places); k++ {
		c.prevs[places[k]] = places[k-1] + 1
	}
}

// oneInTail finds the messages on one subject in the tail, as of some moment.
type oneInTail struct {
	id    uint32
	end   int      // none is live from here on
	head  uint32   // the place + 1 of the last one; it may be behind end
	prevs []uint32 // as in tailChain
	blind bool     // the links are not to be followed, or there are too many
}

// oneInTail returns what finds the messages on a subject among the first count of the tail. mu is held.
func (x *subjectIndex) oneInTail(name string, count int) oneInTail {
	one := oneInTail{prevs: x.chain.prevs, blind: x.chain.cut}
	id, ok := x.subs.Find(name)
	if !ok || x.subs.At(id).Count == 0 {
		return one
	}
	last := x.subs.At(id).Last
	if runs := x.chain.runs; len(runs) == 0 || last < runs[0].Seq {
		return one
	}
	one.id, one.end = id, count
	if i, ok := x.chain.placeOf(last, len(x.ids)); ok {
		one.head, one.end = uint32(i)+1, min(i+1, count)
	} else {
		one.blind = true
	}
	return one
}

const (
	// tailStep is how many messages are looked at one by one before links are followed, which takes longer for each.
	tailStep = 64
	// chainSteps is how many links are followed before it is better to look at each message.
	chainSteps = 64
)

// next returns the first live message from i on, or the view's count.
func (o *oneInTail) next(m *matcher, i int) int {
	stop := min(i+tailStep, o.end)
	if i = o.scan(m, i, stop); i < stop {
		return i
	}
	found := m.v.count
	for at, steps := o.head, 0; !o.blind; steps++ {
		k := int(at) - 1
		if k < i {
			return found
		}
		if k < o.end && !m.v.isDeleted(k) {
			found = k
		}
		at, o.blind = o.prevs[k], steps == chainSteps
	}
	if i = o.scan(m, i, o.end); i < o.end {
		return i
	}
	return m.v.count
}

// scan returns the first live message from i to before end, or end if that is above i.
func (o *oneInTail) scan(m *matcher, i, end int) int {
	for ; i < end; i++ {
		if m.ids[i] == o.id && !m.v.isDeleted(i) {
			break
		}
	}
	return i
}

// prev returns the last live message up to i, or -1.
func (o *oneInTail) prev(m *matcher, i int) int {
	i = min(i, o.end-1)
	for at, steps := o.head, 0; !o.blind; steps++ {
		k := int(at) - 1
		if k < 0 || k <= i && !m.v.isDeleted(k) {
			return k
		}
		at, o.blind = o.prevs[k], steps == chainSteps
	}
	for i >= 0 && (m.ids[i] != o.id || m.v.isDeleted(i)) {
		i--
	}
	return i
}

// count returns how many are live from i to before end.
func (o *oneInTail) count(m *matcher, i, end int) (n uint64) {
	end = min(end, o.end)
	few := max(chainSteps, (end-i)/16)
	for at, steps := o.head, 0; !o.blind; steps++ {
		k := int(at) - 1
		if k < i {
			return n
		}
		if k < end && !m.v.isDeleted(k) {
			n++
		}
		at, o.blind = o.prevs[k], steps == few
	}
	n = 0
	for ; i < end; i++ {
		if m.ids[i] == o.id && !m.v.isDeleted(i) {
			n++
		}
	}
	return n
}
