package fusefs

import (
	"errors"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
)

// draftNode is a file that is no message yet.
type draftNode struct {
	fs     *FS
	stream *stream

	// publishing is held while the draft becomes a message, and for reading by who changes its bytes: what a write
	// acknowledged is in the message, and what comes later is refused. It is taken before mu, and where a name is locked (see draftNames)
	// after that.
	publishing sync.RWMutex
	// published is the stream in which it is a message; nil as long as it is none. Guarded by publishing.
	published *stream

	// mu guards all below. It is a leaf.
	mu      sync.Mutex
	name    string
	unnamed bool // its name was taken away
	meta    *draftMeta
	opens   []*draftHandle
}

func (fs *FS) draftKey(s *stream, name string) objectKey {
	return objectKey{mapping.KindDraft, s, name}
}

// mayBeDraft says whether a draft can have that name: names without a draft's form are drafts' only if they were made as temporary files.
func (fs *FS) mayBeDraft(name string) bool {
	const temp = syscall.O_RDWR | syscall.O_CREAT | syscall.O_EXCL
	n, err := mapping.ParseName(name, fs.opt.SeqWidth)
	return err == nil && n.Kind == mapping.NameDraft || mapping.IsTemp(name, temp, 0o600)
}

// isDraft says whether there is a draft with that name.
func (fs *FS) isDraft(c *call, s *stream, name string) (bool, error) {
	if !fs.mayBeDraft(name) {
		return false, nil
	}
	d, err := s.OpenDraft(c, name)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, d.Close()
}

// lookupDraft finds a draft and enters it in the table of objects. ok is false if there is none.
func (fs *FS) lookupDraft(c *call, s *stream, name string) (id uint64, obj object, ok bool, err error) {
	if !fs.mayBeDraft(name) {
		return 0, nil, false, nil
	}
	defer s.draftNames.rlock(name)()
	if ok, err = fs.isDraft(c, s, name); err != nil || !ok {
		return 0, nil, false, err
	}
	id, obj = fs.enterDraft(s, name)
	return id, obj, true, nil
}

// enterDraft enters a draft that is there in the table of objects. The caller has locked its name.
func (fs *FS) enterDraft(s *stream, name string) (uint64, *draftNode) {
	meta := fs.draftMeta(s, name)
	id, obj := fs.objects.enter(fs.draftKey(s, name), func() object {
		return &draftNode{fs: fs, stream: s, name: name, meta: meta}
	})
	return id, obj.(*draftNode)
}

// draftMeta returns what is known of a draft besides its bytes; of one that was made before the mount that is the mode of all files.
func (fs *FS) draftMeta(s *stream, name string) *draftMeta {
	w := &s.writing
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.drafts[name]
	if m == nil {
		m = &draftMeta{mode: 0o666 &^ *fs.opt.Umask}
		if w.drafts == nil {
			w.drafts = map[string]*draftMeta{}
		}
		w.drafts[name] = m
	}
	return m
}

// moveDraft notes that a draft was renamed, or removed if to is "".
func (w *writing) moveDraft(from, to string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.drafts[from]
	delete(w.drafts, from)
	if to != "" && m != nil {
		w.drafts[to] = m
	}
}

// createDraft makes a draft, or opens the one that is there, and opens it.
func (fs *FS) createDraft(c *call, s *stream, name string, in *fuse.CreateIn) (uint64, object, handle, uint32, error) {
	defer s.draftNames.lock(name)()
	d, err := s.CreateDraft(c, name)
	made := err == nil
	if errors.Is(err, store.ErrExists) && in.Flags&syscall.O_EXCL == 0 {
		d, err = s.OpenDraft(c, name)
	}
	if err == nil && !made && in.Flags&syscall.O_TRUNC != 0 {
		d, err = emptied(d) // nobody publishes it: its name is locked
	}
	if err != nil {
		return 0, nil, nil, 0, err
	}
	id, node := fs.enterDraft(s, name)
	switch {
	case made:
		node.meta.setMode(in.Mode)
	case in.Flags&syscall.O_TRUNC != 0:
		node.meta.setModTime(nil)
	}
	return id, node, node.enter(d), 0, nil
}

func (fs *FS) mknodDraft(c *call, s *stream, name string, in *fuse.MknodIn) (uint64, object, error) {
	defer s.draftNames.lock(name)()
	d, err := s.CreateDraft(c, name)
	if err != nil {
		return 0, nil, err
	}
	id, node := fs.enterDraft(s, name)
	node.meta.setMode(in.Mode)
	return id, node, d.Close()
}

func (fs *FS) unlinkDraft(c *call, s *stream, name string) error {
	defer s.draftNames.lock(name)()
	if err := s.RemoveDraft(c, name); err != nil {
		return err
	}
	fs.unnameDraft(s, name)
	return nil
}

// unnameDraft notes that a draft's name is gone. The caller has locked it.
func (fs *FS) unnameDraft(s *stream, name string) {
	key := fs.draftKey(s, name)
	if _, obj := fs.objects.find(key); obj != nil {
		n := obj.(*draftNode)
		n.mu.Lock()
		n.unnamed = true
		n.mu.Unlock()
	}
	fs.objects.unname(key)
	s.writing.moveDraft(name, "")
	s.unnamed.Store(fs.now().UnixNano())
}

func (n *draftNode) state() (name string, unnamed bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.name, n.unnamed
}

func (n *draftNode) enter(d store.Draft) *draftHandle {
	h := &draftHandle{node: n, d: d}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.opens = append(n.opens, h)
	return h
}

// openDraft opens the draft by its name, or borrows it from a handle. done must be called.
func (n *draftNode) openDraft(c *call, h handle) (d store.Draft, done func(), err error) {
	if h, ok := h.(*draftHandle); ok {
		return h.d, func() {}, nil
	}
	d, err = n.openByName(c)
	if !errors.Is(err, errStale) {
		return d, func() { _ = d.Close() }, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.unnamed || len(n.opens) == 0 {
		return nil, nil, errStale
	}
	lender := n.opens[0]
	lender.lent.RLock() // at once: who closes it has taken it out of opens before
	return lender.d, lender.lent.RUnlock, nil
}

// openByName opens the draft by the name that it has; errStale if it has none.
func (n *draftNode) openByName(c *call) (store.Draft, error) {
	for {
		name, unnamed := n.state()
		if unnamed {
			return nil, errStale
		}
		unlock := n.stream.draftNames.rlock(name)
		if now, unnamed := n.state(); unnamed || now != name {
			unlock()
			continue
		}
		d, err := n.stream.OpenDraft(c, name)
		unlock()
		if errors.Is(err, store.ErrNotFound) {
			err = errStale
		}
		return d, err
	}
}

func (n *draftNode) stat(c *call, h handle, a *fuse.Attr) error {
	d, done, err := n.openDraft(c, h)
	if err != nil {
		return err
	}
	defer done()
	size, err := d.Size()
	if err != nil {
		return err
	}
	setSize(a, size)
	mtime, err := n.modTime(d)
	if err != nil {
		return err
	}
	setTimes(a, mtime)
	a.Mode = syscall.S_IFREG | n.meta.getMode()
	if _, unnamed := n.state(); unnamed {
		a.Nlink = 0
	}
	return nil
}

// modTime is what utimens asked for, else what the store says.
func (n *draftNode) modTime(d store.Draft) (int64, error) {
	if ns, ok := n.meta.getModTime(); ok {
		return ns, nil
	}
	return d.ModTime()
}

func (n *draftNode) setAttr(c *call, h handle, in *fuse.SetAttrIn) error {
	if size, ok := in.GetSize(); ok {
		if size > store.MaxMsgSize {
			return refuseDraftSize()
		}
		if h == nil {
			if err := n.permitted(c, mayWrite); err != nil {
				return err
			}
		}
		d, done, err := n.openDraft(c, h) // before the lock: see publishing
		if err != nil {
			return err
		}
		defer done()
		n.publishing.RLock()
		defer n.publishing.RUnlock()
		if err := n.changeable(); err != nil {
			return err
		}
		if err := d.Truncate(int64(size)); err != nil {
			return err
		}
		n.meta.setModTime(nil)
	}
	if mode, ok := in.GetMode(); ok {
		n.meta.setMode(mode)
	}
	if in.Valid&fuse.FATTR_MTIME != 0 {
		ns := n.fs.askedTime(in)
		n.meta.setModTime(&ns)
	}
	return nil
}

// changeable refuses what would change a draft that is a message by now. The caller holds publishing.
func (n *draftNode) changeable() error {
	if n.published != nil {
		return refuse(syscall.EPERM, "it is a message of stream %s since its rename, and messages never change: write before it", n.published.name)
	}
	return nil
}

func refuseDraftSize() error {
	return refuse(syscall.EFBIG, "a draft has at most %d bytes, as a message does", store.MaxMsgSize)
}

func (n *draftNode) open(c *call, in *fuse.OpenIn) (handle, uint32, error) {
	if err := n.permitted(c, wantedAccess(in.Flags)); err != nil {
		return nil, 0, err
	}
	d, err := n.openByName(c)
	if err == nil && in.Flags&syscall.O_TRUNC != 0 {
		d, err = n.emptied(d)
	}
	if err != nil {
		return nil, 0, err
	}
	if !wantsWrite(in.Flags) {
		return n.enter(d), fuse.FOPEN_NOFLUSH, nil // it has nothing to write, not even by a mapping
	}
	return n.enter(d), 0, nil
}

// permitted refuses who may not open the draft in this way.
func (n *draftNode) permitted(c *call, access uint32) error {
	if name, _ := n.state(); access&mayWrite != 0 {
		if err := refuseGathered(name); err != nil {
			return err
		}
	}
	return c.permitted(n.meta.getMode(), access)
}

// emptied empties a draft that was opened, unless it is a message by now.
func (n *draftNode) emptied(d store.Draft) (store.Draft, error) {
	n.publishing.RLock()
	defer n.publishing.RUnlock()
	if n.published != nil {
		return nil, errors.Join(errStale, d.Close())
	}
	d, err := emptied(d)
	if err == nil {
		n.meta.setModTime(nil)
	}
	return d, err
}

// emptied empties a draft that was opened; if it can't, it closes it.
func emptied(d store.Draft) (store.Draft, error) {
	if err := d.Truncate(0); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (n *draftNode) xattr(_ *call, name string) ([]byte, error) { return n.meta.xattr(name) }
func (n *draftNode) xattrs(*call) ([]string, error)             { return n.meta.names(), nil }

func (n *draftNode) setXattr(_ *call, name string, value []byte, flags uint32) error {
	n.publishing.RLock()
	defer n.publishing.RUnlock()
	if err := n.changeable(); err != nil {
		return err
	}
	return n.meta.setXattr(name, value, flags)
}

func (n *draftNode) removeXattr(_ *call, name string) error {
	n.publishing.RLock()
	defer n.publishing.RUnlock()
	if err := n.changeable(); err != nil {
		return err
	}
	return n.meta.removeXattr(name)
}
