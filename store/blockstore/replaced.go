package blockstore

import (
	"slices"

	"jsfs/store/blockstore/internal/scan"
	"jsfs/store/internal/record"
)

// withoutReplaced returns found, which is in order, without the blocks that others stand for, too: those were to be
// removed when the work ended. Their files are left to who writes next.
func (o *opening) withoutReplaced(found []foundBlock) ([]foundBlock, error) {
	var kept []foundBlock
	var next foundBlock // the one behind
	for i, e := range slices.Backward(found) {
		replaced, err := o.replaces(next, e, found[:i+1])
		if err != nil {
			return nil, err
		}
		if replaced {
			o.cache.drop([]*block{e.block})
			o.leave(e.block, next.block)
			continue
		}
		next, kept = e, append(kept, e)
	}
	slices.Reverse(kept)
	return kept, nil
}

// replaces says whether next, a block behind old, has old's sequences because it was written in the place of both. old is the last
// of found.
func (o *opening) replaces(next, old foundBlock, found []foundBlock) (bool, error) {
	if next.block == nil || next.hdr.First > old.hdr.First {
		return false, nil
	}
	if next.hdr.First == old.hdr.First {
		// One that has no sequence is no other's, unless the other is known to follow a block that this one followed, or one before it.
		end, _, err := o.saidBy(old)
		if err != nil || end == old.hdr.First && !followsSame(next, found) {
			return false, err
		}
	}
	_, rewritten, err := o.saidBy(next)
	return rewritten, err
}

// followsSame says whether next, of an encrypted store, follows the block that one of found followed, with the same first sequence.
func followsSame(next foundBlock, found []foundBlock) bool {
	return next.hdr.Sealed && next.hdr.Chain != [16]byte{} && slices.ContainsFunc(found, func(e foundBlock) bool {
		return e.hdr.First == next.hdr.First && e.hdr.Chain == next.hdr.Chain
	})
}

// leave notes that b is left over, as next stands for it.
func (s *Stream) leave(b, next *block) {
	if next.hdr.Sealed && b.hdr.First == next.hdr.First && b.hdr.Chain == next.hdr.Chain && b.next <= b.hdr.First {
		s.leftLast = append(s.leftLast, b.name) // others without a message are known by it
		return
	}
	s.left = append(s.left, b.name)
}

// saidBy returns which sequence came behind a block, and whether the block was written anew.
func (o *opening) saidBy(e foundBlock) (next uint64, rewritten bool, err error) {
	var cts []record.Control
	if e.trailer != nil {
		var bytes []byte
		if bytes, err = o.readSection(e.block, e.trailer, record.Controls); err == nil {
			cts, err = e.trailer.Controls(&e.hdr, bytes)
		}
		next = e.trailer.Next
	}
	if e.trailer == nil || err != nil {
		if record.IsVersion(err) {
			return 0, false, err
		}
		c, err := scan.Block(blockReader{o.Stream, e.block}, &e.hdr, e.size, scan.WantMessages)
		if err != nil {
			return 0, false, err
		}
		cts, next = c.Controls, scan.Later(next, c.Next)
	}
	return next, slices.ContainsFunc(cts, func(ct record.Control) bool { return ct.Rewritten }), nil
}
