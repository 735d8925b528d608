package blockstore

import (
	"math"
	"slices"

	"jsfs/store"
	"jsfs/store/blockstore/internal/scan"
	"jsfs/store/internal/record"
)

// apply removes the messages of a range of ct, or brings them back.
func (o *opening) apply(ct *record.Control, r *record.Range) {
	gone, due := ct.Kind == record.FlagRemove, int64(math.MinInt64)
	if gone {
		if due = o.keepUntil(ct.Time, ct.Discard); due <= o.now {
			due = math.MinInt64
		}
	}
	anew := !gone || ct.Erase || saysAll(r) // nothing that was said before of when it was removed counts
	n, now := snapshot{blocks: o.blocks}, func() int64 { return o.now }
	var last *block // that changed
	changed, named, several := int64(0), uint64(0), false
	for first, count := range r.Runs() {
		named += count
		end := first + count - 1 // 0 or more: a range ends below the sequence that came next
		present := uint64(0)
		for i := max(n.blockOf(first), 0); i < len(o.blocks) && o.blocks[i].hdr.First <= end; i++ {
			v := n.view(i)
			lo, hi := v.between(first, end)
			present += uint64(hi - lo)
			if anew {
				v.forget(lo, hi)
			}
			v.keepAgain(lo, hi, ct.Time, due, now)
			k := v.setRange(lo, hi, gone)
			if k == 0 {
				continue
			}
			if last != nil && last != v.block {
				several, o.recount[last], o.recount[v.block] = true, true, true
			}
			last, changed = v.block, changed+int64(k)
		}
		if present < count && !o.written(first, end) {
			o.absent(first, end, count == 1 && r.Sums.Messages == 1, gone)
		}
	}
	switch {
	case changed == 0 || several:
	case gone && last.dead.Load() == last.all.Messages: // it has nothing live now
		o.live, last.live = o.live.Minus(last.live), store.Totals{}
	case changed != r.Sums.Messages || uint64(changed) != named:
		// As many of more that it names need not be those that it changed at the time: a block that was written anew
		// since knows what became of them later.
		o.recount[last] = true
	case gone:
		last.live, o.live = last.live.Minus(r.Sums), o.live.Minus(r.Sums)
	default:
		last.live, o.live = last.live.Plus(r.Sums), o.live.Plus(r.Sums)
	}
}

// saysAll says whether a range names what its control changed, and nothing else. So a message that was removed already was brought back
// in between, which a block said that was written anew. Ranges of blocks that were removed whole named what had gone before, too, once;
// and what of a whole block can't be read is named.
func saysAll(r *record.Range) bool { return r.Sums.Messages == int64(r.Len()) }

// written says whether one block that was written anew has all of the sequences from first to last, and so says itself
// what became of them.
func (o *opening) written(first, last uint64) bool {
	i := (&snapshot{blocks: o.blocks}).blockOf(first)
	return i >= 0 && o.blocks[i].rewritten && last < o.blocks[i].next
}

// absent notes that a control names sequences of which no block has all.
func (o *opening) absent(first, last uint64, one, gone bool) {
	switch {
	case one:
		o.removed[first] = gone
	case gone:
		o.wide = append(o.wide, store.Range{First: store.Seq(first), Last: store.Seq(last)})
		for seq := range o.removed {
			if first <= seq && seq <= last {
				o.removed[seq] = true
			}
		}
	}
}

// accounted returns the sequences of first to last, which no block has, that were removed: sorted
// and without overlaps.
func (o *opening) accounted(first, last uint64) []store.Range {
	var in []store.Range
	for _, r := range o.wide {
		if r := (store.Range{First: max(r.First, store.Seq(first)), Last: min(r.Last, store.Seq(last))}); r.First <= r.Last {
			in = append(in, r)
		}
	}
	var back []store.Seq
	for seq, gone := range o.removed {
		switch seq := store.Seq(seq); {
		case seq < store.Seq(first) || seq > store.Seq(last):
		case gone:
			in = append(in, store.Range{First: seq, Last: seq})
		default:
			back = append(back, seq)
		}
	}
	slices.Sort(back)
	return without(store.MergeRanges(in), back)
}

// without returns ranges, which are sorted, less some sequences, which are, too.
func without(ranges []store.Range, seqs []store.Seq) []store.Range {
	var out []store.Range
	for _, r := range ranges {
		for ; len(seqs) > 0 && seqs[0] <= r.Last; seqs = seqs[1:] {
			if seqs[0] > r.First {
				out = append(out, store.Range{First: r.First, Last: seqs[0] - 1})
			}
			r.First = max(r.First, seqs[0]+1)
		}
		if r.First <= r.Last {
			out = append(out, r)
		}
	}
	return out
}

// between returns which messages have a sequence from first to last: those from lo to before hi.
func (v *view) between(first, last uint64) (lo, hi int) {
	lo, _ = v.place(first)
	if last == math.MaxUint64 {
		return lo, v.count
	}
	hi, _ = v.place(last + 1)
	return lo, max(lo, hi)
}

// recountLive sums up a block's live messages from their heads.
func (o *opening) recountLive(b *block) error {
	c, err := scan.Block(blockReader{o.Stream, b}, &b.hdr, b.dataEnd, scan.WantMessages)
	if err != nil {
		return err
	}
	o.live = o.live.Minus(b.live)
	b.live = store.Totals{}
	v := view{block: b, runs: b.runs, count: int(b.all.Messages)}
	for _, m := range c.Msgs {
		if i, ok := v.place(m.Seq); ok && !b.isDeleted(i) {
			b.live = b.live.Add(m.Meta)
		}
	}
	o.live = o.live.Plus(b.live)
	return nil
}
