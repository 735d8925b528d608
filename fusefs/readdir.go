package fusefs

import (
	"errors"
	"math"
	"slices"
	"sync"
	"syscall"

	"github.com/cespare/xxhash/v2"
	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
)

// The offset cookie of an entry says where to go on behind it, without a snapshot:
// a directory read in parts is right also when entries come and go in between.
// 1 and 2 are the directory itself and its parent. In a stream's directory a message
// has its sequence and cookieFirst, and a draft, in a range behind all messages, the
// hash of its name.
const (
	cookieSelf   = 1
	cookieParent = 2
	cookieFirst  = 2
	cookieDrafts = 1 << 62
	// cookieControl is that of .jsfs, where it is listed: behind the messages.
	cookieControl = cookieDrafts - 1
)

// listing is a READDIR or READDIRPLUS that is being answered.
type listing struct {
	out  *fuse.DirEntryList
	plus bool
	some bool // something was added
}

// add adds an entry and says whether it fitted. With READDIRPLUS the entry is to be
// filled in by the caller; a node number 0 there leaves it to a LOOKUP.
func (l *listing) add(name string, ino uint64, mode uint32, cookie uint64) (*fuse.EntryOut, bool) {
	e := fuse.DirEntry{Name: name, Ino: ino, Mode: mode, Off: cookie}
	if !l.plus {
		ok := l.out.AddDirEntry(e)
		l.some = l.some || ok
		return nil, ok
	}
	out := l.out.AddDirLookupEntry(e)
	l.some = l.some || out != nil
	return out, out != nil
}

// OpenDir opens a directory.
func (fs *FS) OpenDir(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) (st fuse.Status) {
	c := fs.call("opendir", &in.InHeader, cancel, "")
	defer c.recover(&st)
	s, at, err := fs.split(in.NodeId)
	opener := sync.OnceValue(func() int { return fs.process(c.hdr.Pid) })
	if err == nil && s != nil {
		s.restores.SettleFor(opener)
	}
	switch {
	case err != nil:
	case at.kind == mapping.KindStream && at.view == nil && fs.names.reads(s, opener):
		// It gets attributes, as names were just looked up, and so asks here, not the kernel; what others were told stays.
		h := fs.newDirHandle(s)
		h.most.Store(math.MaxUint64)
		out.Fh = fs.handles.add(h)
		out.OpenFlags = fuse.FOPEN_KEEP_CACHE
	case at.kind == mapping.KindStream:
		out.Fh = fs.handles.add(fs.newDirHandle(s))
		if at.view == nil {
			out.OpenFlags = fs.keepNames(c, s)
		}
	case at.kind == mapping.KindControl && directoryOf(at.control()) != nil:
		out.Fh = fs.handles.add(&namesHandle{})
	}
	return c.status(err)
}

// ReleaseDir closes a directory.
func (fs *FS) ReleaseDir(in *fuse.ReleaseIn) { fs.handles.remove(in.Fh) }

// ReadDir lists a directory.
func (fs *FS) ReadDir(cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) (st fuse.Status) {
	c := fs.call("readdir", &in.InHeader, cancel, "")
	defer c.recover(&st)
	return c.status(fs.readDir(c, in, &listing{out: out}))
}

// ReadDirPlus lists a directory with attributes.
func (fs *FS) ReadDirPlus(cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) (st fuse.Status) {
	c := fs.call("readdir", &in.InHeader, cancel, "")
	defer c.recover(&st)
	return c.status(fs.readDir(c, in, &listing{out: out, plus: true}))
}

func (fs *FS) readDir(c *call, in *fuse.ReadIn, l *listing) error {
	id, off := in.NodeId, in.Offset
	s, at, err := fs.split(id)
	if err != nil {
		return err
	}
	h, _ := fs.handles.get(in.Fh).(beginner)
	if h != nil && (off < cookieSelf || !h.hasBegun()) {
		if err := h.begin(c, s); err != nil {
			return err
		}
	}
	if off < cookieSelf {
		if _, ok := l.add(".", id, syscall.S_IFDIR, cookieSelf); !ok {
			return nil
		}
	}
	if off < cookieParent {
		if _, ok := l.add("..", at.parent(s), syscall.S_IFDIR, cookieParent); !ok {
			return nil
		}
		off = cookieParent
	}
	switch at.kind {
	case 0:
		return fs.listStreams(c, off, l)
	case mapping.KindStream:
		h, _ := h.(*dirHandle)
		return fs.listStream(c, s, at, h, off, l)
	case mapping.KindControl:
		if d := directoryOf(at.control()); d != nil {
			h, ok := h.(*namesHandle)
			if !ok {
				h = &namesHandle{}
			}
			return d.list(c, s, at, h, off, l)
		}
		return fs.listControls(c, s, at, off, l)
	}
	return errNotDir
}

// parent is the node of the directory above one.
func (p place) parent(s *stream) uint64 {
	switch {
	case p.view != nil:
		return p.view.parent
	case p.control() == mapping.ControlRemovedStream:
		return place{kind: mapping.KindControl, n: uint64(mapping.ControlRemoved)}.node(nil)
	case p.control() == mapping.ControlRemoved:
		return place{kind: mapping.KindControl, n: uint64(mapping.ControlRootDir)}.node(nil)
	case p.kind != mapping.KindControl || s == nil:
		return mapping.Root
	case p.control() == mapping.ControlDir:
		return s.node
	}
	return place{kind: mapping.KindControl, n: uint64(mapping.ControlDir)}.node(s)
}

// listStream lists the messages of a message directory. In a stream's own directory its drafts
// stand behind them; they are found in every other one that can be written to, and listed once.
func (fs *FS) listStream(c *call, s *stream, at place, h *dirHandle, off uint64, l *listing) error {
	if off < cookieControl {
		if full, err := fs.listMessages(c, s, at, h, off, l); full || err != nil {
			return err
		}
	}
	if at.view != nil {
		return nil
	}
	if off < cookieControl && fs.opt.ListControl {
		if full, err := fs.listControlDir(c, s, l); full || err != nil {
			return err
		}
	}
	return fs.listDrafts(c, s, max(off, cookieDrafts), l)
}

// listControlDir lists .jsfs in a stream's own directory, and says whether the answer is full.
func (fs *FS) listControlDir(c *call, s *stream, l *listing) (full bool, err error) {
	p := place{kind: mapping.KindControl, n: uint64(mapping.ControlDir)}
	entry, ok := l.add(mapping.DirName, p.node(s), syscall.S_IFDIR, cookieControl)
	if entry != nil {
		err = fs.controlEntry(c, s, p, entry)
	}
	return !ok, err
}

// listMessages lists messages, and says whether the answer is full.
func (fs *FS) listMessages(c *call, s *stream, at place, h *dirHandle, off uint64, l *listing) (full bool, err error) {
	q, err := fs.query(c, s, at.filter())
	if err != nil {
		return false, err
	}
	q.From = max(q.From, store.Seq(off-cookieFirst)+1)
	if h != nil {
		if last := store.Seq(h.last.Load()); q.To == 0 || last < q.To {
			q.To = last
		}
		if q.From > q.To {
			return false, nil
		}
	}

	for m, err := range s.Scan(c, q) {
		if err != nil {
			return false, err
		}
		id, ok := s.message(m.Seq)
		if !ok {
			if l.some {
				return true, nil // what was listed before it is given; who reads on is told
			}
			return false, refuse(syscall.EOVERFLOW, "message %d and those behind it have numbers too high to be shown", m.Seq)
		}
		entry, ok := l.add(mapping.FormatSeq(m.Seq, fs.opt.SeqWidth), id, syscall.S_IFREG, uint64(m.Seq)+cookieFirst)
		if !ok {
			return true, nil
		}
		if entry != nil && at.view == nil && (h == nil || h.wantsAttributes(s)) {
			fs.messageEntry(entry, id, m, keep)
		}
	}
	return false, nil
}

// listDrafts lists the drafts of a stream in the order of their cookies. Their node
// numbers are left to LOOKUP.
func (fs *FS) listDrafts(c *call, s *stream, off uint64, l *listing) error {
	drafts, err := s.ListDrafts(c)
	if err != nil || len(drafts) == 0 {
		return err
	}
	byCookie := make(map[uint64]string, len(drafts))
	cookies := make([]uint64, 0, len(drafts))
	for _, d := range drafts {
		k := cookieDrafts | xxhash.Sum64String(d.Name)>>2
		for byCookie[k] != "" {
			k++ // two names in 2^62 with one hash: neither must be left out
		}
		byCookie[k] = d.Name
		if k > off {
			cookies = append(cookies, k)
		}
	}
	slices.Sort(cookies)
	for _, k := range cookies {
		id, _ := fs.objects.find(objectKey{mapping.KindDraft, s, byCookie[k]})
		if _, ok := l.add(byCookie[k], id, syscall.S_IFREG, k); !ok {
			return nil
		}
	}
	return nil
}

// listStreams lists the root: streams in the order in which they were made.
func (fs *FS) listStreams(c *call, off uint64, l *listing) error {
	names, err := fs.st.Streams(c)
	if err != nil {
		return err
	}
	found := make([]*stream, 0, len(names))
	for _, name := range names {
		s, err := fs.streams.named(c, name)
		if errors.Is(err, store.ErrNotFound) {
			continue // removed meanwhile
		}
		if err != nil {
			c.report(syscall.EIO, err) // one stream that can't be opened must not hide the others
			continue
		}
		found = append(found, s)
	}
	slices.SortFunc(found, func(a, b *stream) int { return int(a.num) - int(b.num) })
	for _, s := range found {
		cookie := s.num + cookieParent + 1
		if cookie <= off {
			continue
		}
		entry, ok := l.add(s.name, s.node, syscall.S_IFDIR, cookie)
		if !ok {
			return nil
		}
		if entry != nil && fs.streamEntry(c, s, entry) != nil {
			*entry = fuse.EntryOut{}
		}
	}
	return nil
}

// listControls lists a control directory.
func (fs *FS) listControls(c *call, s *stream, at place, off uint64, l *listing) error {
	for i, child := range at.control().Children(at.view == nil) {
		cookie := uint64(i) + cookieParent + 1
		if cookie <= off || !child.IsListed() {
			continue
		}
		p, err := at.controlBelow(s, child)
		if err != nil {
			return err
		}
		if p.view != nil && !child.IsLink() { // it is there, and left to LOOKUP
			mode := uint32(syscall.S_IFREG)
			if child.IsDir() {
				mode = syscall.S_IFDIR
			}
			if !l.place(s, p, child.String(), mode, cookie) {
				return nil
			}
			continue
		}
		var got fuse.EntryOut
		if err := fs.controlEntry(c, s, p, &got); errors.Is(err, errAbsent) {
			continue
		} else if err != nil {
			return err
		}
		entry, ok := l.add(child.String(), got.NodeId, got.Mode, cookie)
		if !ok {
			return nil
		}
		if entry != nil && p.view == nil { // a view is left to LOOKUP
			*entry = got
		}
	}
	return nil
}
