package blockstore

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"jsfs/store"
	"jsfs/store/blockstore/internal/scan"
	"jsfs/store/internal/record"
	"jsfs/store/internal/watch"
)

// opening is a stream that is being opened. It reads the blocks' footers and the tail's
// records, and changes nothing on disk.
type opening struct {
	*Stream
	state   record.State
	trusted bool     // the state is whole, and no newer one was lost
	clean   bool     // it says that the stream was closed
	reboot  bool     // the machine was restarted since, so what was not synced may be lost
	found   []*block // that have a file open
	blocks  []*block // of them, those that are used
	live    store.Totals
	// removed are the sequences that removals name and no block has: true, or false if they
	// were brought back. wide are stretches of such ones, named by one removal.
	removed map[uint64]bool
	wide    []store.Range
	skips   []record.Control
	recount map[*block]bool          // blocks whose removals do not add up
	doubt   map[*block][]store.Range // sequences of which nobody knows whether they were removed: see doubtIn
	tail    *scan.Contents           // of the newest block, if it is not sealed
	torn    []string                 // files of blocks that were never begun
	files   []string                 // in the stream's directory
	now     int64                    // what is kept only until then need not be known
	newest  int64                    // time of the last message that blocks had that were written anew
	// suspects are messages whose bodies are not whole, erase the last one that a control erases: it may not
	// have been overwritten to its end.
	suspects []suspect
	erase    uint64
}

// suspect is a message whose body is not whole, and where it stands.
type suspect struct {
	b *block
	scan.BadSpan
}

// openStream opens the stream in dir. It fails where the stream can't be served at
// all: damage inside is noted, and served around. Also then, the result has the stream's name, as far
// as that is known.
func (st *Store) openStream(dir string, inc uint64) (*Stream, error) {
	o := &opening{
		Stream: &Stream{
			st: st, fs: st.fs, opt: st.opt, log: st.opt.Logger, cache: st.cache, inc: inc, boot: st.boot,
			dir: dir, gate: newGate(),
		},
		removed: map[uint64]bool{}, recount: map[*block]bool{}, doubt: map[*block][]store.Range{}, now: st.opt.Now(),
	}
	if err := o.readConfig(); err != nil {
		return o.Stream, err
	}
	if err := o.readState(); err != nil {
		return o.Stream, err
	}
	err := o.readBlocks()
	if err == nil {
		o.findLost()
		o.start()
		err = o.readConsumers(o.files)
	}
	if err == nil {
		err = o.readDrafts()
	}
	if err != nil {
		o.cache.drop(o.found)
		return o.Stream, fmt.Errorf("stream %s: %w", o.config.Load().Name, err)
	}
	o.hub = watch.NewHub(st.hub)
	return o.Stream, nil
}

// readBlocks reads all blocks in the order of their numbers.
func (o *opening) readBlocks() error {
	names, err := o.fs.List(o.dir)
	if err != nil {
		return err
	}
	o.files = names
	var nums []uint64
	for _, name := range names {
		if strings.HasSuffix(name, ".blk"+newSuffix) {
			o.left = append(o.left, o.dir+"/"+name)
		}
		base, isBlock := strings.CutSuffix(name, ".blk")
		if n, err := strconv.ParseUint(base, 10, 64); isBlock && err == nil && n > 0 {
			nums = append(nums, n)
		}
	}
	slices.Sort(nums)
	found := make([]foundBlock, 0, len(nums))
	for i, n := range nums {
		e, err := o.findBlock(n, i == len(nums)-1)
		if err != nil {
			return err
		}
		if o.w.lastBlock = n; e.block != nil {
			found = append(found, e)
		}
	}
	if found, err = o.withoutReplaced(found); err != nil {
		return err
	}
	for _, e := range found {
		if err := o.readBlock(e.block, e.trailer, e.hdr.Block == o.w.lastBlock); err != nil {
			return err
		}
	}
	if !o.clean {
		o.erasing.Store(o.erase)
	}
	for _, e := range o.suspects {
		if e.Seq != o.erasing.Load() {
			_ = o.corrupt(e.b, e.Off, e.Len, e.Seq, record.ErrBad)
		}
	}
	for b := range o.recount {
		if err := o.recountLive(b); err != nil {
			return err
		}
	}
	return nil
}

// foundBlock is a block whose header is good; trailer is nil if it has none that is whole.
type foundBlock struct {
	*block
	trailer *record.Trailer
}

// findBlock reads the ends of block num; it has no block if that is not used. last says that it has the highest number.
func (o *opening) findBlock(num uint64, last bool) (foundBlock, error) {
	name := blockName(o.dir, num)
	f, size, err := openSized(o.fs, name)
	if o.opt.spares(err) {
		o.unused(name, 0, err)
		return foundBlock{}, nil
	}
	if err != nil {
		return foundBlock{}, err
	}
	hdr, trailer, err := o.readEnds(f, size, num)
	if err != nil {
		_ = f.Close()
		if record.IsVersion(err) || !errors.Is(err, record.ErrBad) {
			return foundBlock{}, fmt.Errorf("%s: %w", name, err)
		}
		if last && size <= record.DataStart {
			o.torn = append(o.torn, name) // a crash while it was begun: it never had a record
			return foundBlock{}, nil
		}
		o.unused(name, size, err)
		return foundBlock{}, nil
	}
	if last && size < record.DataStart && o.trusted && o.state.Block < num { // likewise, but that its first header is whole
		_ = f.Close()
		o.torn = append(o.torn, name)
		return foundBlock{}, nil
	}
	b := newBlock(name, hdr)
	b.size = size
	o.found = append(o.found, b)
	o.cache.addFile(b, f)
	return foundBlock{b, trailer}, nil
}

// unused notes a file that should be a block and is not used.
func (o *opening) unused(name string, size int64, err error) {
	o.note(store.Damage{File: name, Length: size, Cause: "block is not used: " + err.Error()})
}

// readBlock takes in a block. last says that it has the highest number.
func (o *opening) readBlock(b *block, trailer *record.Trailer, last bool) error {
	if len(o.blocks) > 0 && b.hdr.First < o.blocks[len(o.blocks)-1].next {
		o.unused(b.name, b.size, fmt.Errorf("it begins before the end of the block before it: %w", record.ErrBad))
		o.cache.drop([]*block{b})
		return nil
	}
	o.checkChain(b)
	return o.takeBlock(b, trailer, last)
}

// takeBlock takes in a block whose header is good.
func (o *opening) takeBlock(b *block, t *record.Trailer, last bool) error {
	f := blockReader{o.Stream, b} // another stream that is opened may take the file from the cache
	if t != nil && last && !o.clean && o.reboot && o.state.Block <= b.hdr.Block {
		// The footer may have reached the disk before the records did, or in parts.
		c, err := scan.Block(f, &b.hdr, t.DataEnd, scan.WantMessages)
		if err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
		torn, err := o.isTorn(b, t)
		if err != nil {
			return err
		}
		o.w.plan.footer = len(c.Bad) == 0 && c.End == t.DataEnd && c.All == t.All
		if torn || !o.w.plan.footer {
			t = nil
		}
	}
	if t != nil {
		b.trailer = t
		controls, runs, err := o.readFooter(b, t)
		if err == nil {
			b.seal(t, b.size, runs)
			o.add(b, controls)
			return nil
		}
		if !errors.Is(err, record.ErrBad) {
			return err
		}
		b.dataEnd = t.DataEnd
		o.noteFile(b, err)
	}
	var c *scan.Contents
	var err error
	switch {
	case t == nil && last:
		c, err = o.readTail(b, f)
	case t == nil:
		c, err = scan.Block(f, &b.hdr, b.size, scan.WantMessages)
		if err == nil {
			o.note(store.Damage{File: b.name, Offset: c.End, Length: b.size - c.End, Cause: "sealed block has no whole footer"})
		}
	default:
		c, err = scan.Block(f, &b.hdr, t.DataEnd, scan.WantMessages)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", b.name, err)
	}
	o.takeContents(b, c, t, last)
	return nil
}

// isTorn says whether a section of a footer is not what was written.
func (o *opening) isTorn(b *block, t *record.Trailer) (bool, error) {
	for sec := record.Offsets; sec <= record.Bad; sec++ {
		part, err := o.readSection(b, t, sec)
		if err != nil {
			return false, err
		}
		if err := t.CheckSum(sec, &b.hdr, part); err != nil && !errors.Is(err, record.ErrDropped) {
			return true, nil
		}
	}
	return false, nil
}

// readFooter reads the parts of a footer that opening needs.
func (o *opening) readFooter(b *block, t *record.Trailer) (cts []record.Control, runs []record.Run, err error) {
	var parts [record.Bad + 1][]byte
	for _, sec := range []record.Section{record.Runs, record.Controls, record.Bad} {
		if t.Count(sec) > 0 {
			if parts[sec], err = o.readSection(b, t, sec); err != nil {
				return nil, nil, err
			}
		}
	}
	if runs, err = t.Runs(&b.hdr, parts[record.Runs]); err != nil {
		return nil, nil, err
	}
	if cts, err = t.Controls(&b.hdr, parts[record.Controls]); err != nil {
		return nil, nil, err
	}
	bad, err := t.Bad(&b.hdr, parts[record.Bad])
	if err != nil {
		return nil, nil, err
	}
	for _, e := range bad {
		o.note(store.Damage{File: b.name, Offset: e.Off, Length: e.Len, Cause: scan.ErrBad.Error()})
	}
	return cts, runs, nil
}

// takeContents takes in a block that was scanned. Its index stays in memory, as no
// footer has it.
func (o *opening) takeContents(b *block, c *scan.Contents, t *record.Trailer, last bool) {
	for _, e := range c.Bad {
		if e.Seq != 0 {
			o.suspects = append(o.suspects, suspect{b, e})
			continue
		}
		o.note(store.Damage{File: b.name, Offset: e.Off, Length: e.Len, Cause: scan.ErrBad.Error()})
	}
	b.runs, b.all, b.next, b.dataEnd = c.Runs(), c.All, c.Next, max(c.End, b.dataEnd)
	if t != nil {
		b.next = scan.Later(b.next, t.Next)
	}
	b.trailer = nil
	if last && t == nil {
		o.tail = c
	} else {
		x := &index{offs: packOffsets(c.Offsets())}
		b.index.Store(x)
	}
	o.add(b, c.Controls)
	o.doubtIn(b, c, t)
}

// add appends b to the blocks, and does what its controls say.
func (o *opening) add(b *block, controls []record.Control) {
	b.live = b.all
	o.live = o.live.Plus(b.all)
	o.blocks = append(o.blocks, b)
	b.markRewritten(controls)
	for i := range controls {
		ct := &controls[i]
		if ct.Rewritten {
			o.newest = max(o.newest, ct.Time)
		}
		if ct.Kind == record.FlagSkip {
			o.skips = append(o.skips, *ct)
			continue
		}
		if ct.Erase && len(ct.Ranges) > 0 {
			o.erase = ct.Ranges[0].First
		}
		if ct.Skip > 0 {
			o.skips = append(o.skips, record.Control{Seq: ct.Seq - ct.Skip, Skip: ct.Skip})
		}
		for i := range ct.Ranges {
			o.apply(ct, &ct.Ranges[i])
		}
	}
}
