package blockstore

import (
	"jsfs/store"
	"jsfs/store/blockstore/internal/scan"
	"jsfs/store/internal/record"
)

// doubtIn notes which of the sequences that b, a block that was written anew, has no message for may have had one that is
// damaged beyond recognition: c is what a scan found in it, t its trailer, nil if that is damaged. Such a block says of a sequence
// without a message that it was removed, which is no answer where bytes are that no record accounts for.
func (o *opening) doubtIn(b *block, c *scan.Contents, t *record.Trailer) {
	if !b.rewritten || t != nil && t.All.Messages == c.All.Messages {
		return
	}
	spans := make([]record.Span, 0, len(c.Bad)+1)
	for _, e := range c.Bad {
		if e.Seq == 0 {
			spans = append(spans, e.Span)
		}
	}
	if t != nil && c.End < t.DataEnd || t == nil && !o.footerAt(b, c.End) {
		spans = append(spans, record.Span{Off: c.End})
	}
	var doubt []store.Range
	next := 0 // the first message behind the span
	for _, e := range spans {
		for next < len(c.Msgs) && int64(c.Msgs[next].Off) < e.Off {
			next++
		}
		first, end := b.hdr.First, b.next
		if next > 0 {
			first = c.Msgs[next-1].Seq + 1
		}
		if next < len(c.Msgs) {
			end = c.Msgs[next].Seq
		}
		if first < end {
			doubt = append(doubt, store.Range{First: store.Seq(first), Last: store.Seq(end - 1)})
		}
	}
	o.doubt[b] = store.MergeRanges(doubt)
}

// footerAt says whether a footer begins at off of b.
func (o *opening) footerAt(b *block, off int64) bool {
	start := make([]byte, min(record.MaxHead, b.size-off))
	return o.readAt(b, start, off) == nil && record.IsFooter(start)
}

// loseDoubtful notes that the sequences of b are lost of which nobody knows whether they were removed.
func (o *opening) loseDoubtful(b *block) {
	for _, r := range o.doubt[b] {
		for seq := uint64(r.First); seq <= uint64(r.Last); {
			skipped, end := b.skipAt(seq)
			end = min(end, uint64(r.Last))
			if !skipped {
				o.lose(seq, end, b.name, "the record is damaged")
			}
			seq = end + 1
		}
	}
}
