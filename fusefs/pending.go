package fusefs

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/fusefs/publish"
	"jsfs/mapping"
	"jsfs/store"
)

// pendingNode is a file named by a sequence above the last one. At its close it becomes the
// message with that sequence if it has the attributes of one, else nothing.
type pendingNode struct {
	fs     *FS
	stream *stream
	seq    store.Seq
	made   time.Time
	maker  int // the process that made it by mknod(2), 0 if it is not known or made it otherwise
	meta   *draftMeta

	// mu guards opens, the handles for writing. It is a leaf.
	mu    sync.Mutex
	opens []*pendingHandle
}

// maxPendingAge is how long one is kept that nobody opens.
const maxPendingAge = time.Minute

// pendingKey is no draft's name: those are never all digits.
func (fs *FS) pendingKey(s *stream, seq store.Seq) objectKey {
	return objectKey{mapping.KindDraft, s, mapping.FormatSeq(seq, fs.opt.SeqWidth)}
}

// makePending makes a pending restore, or refuses a sequence that was used.
func (fs *FS) makePending(c *call, s *stream, seq store.Seq, maker int) (uint64, *pendingNode, error) {
	if s.restores.Holds(seq) {
		if err := s.restores.Settle(c); err != nil {
			return 0, nil, err
		}
	}
	st, err := s.State(c)
	if err != nil {
		return 0, nil, err
	}
	if seq <= st.Last {
		return 0, nil, fs.refuseSeq(c, s, seq)
	}
	if err := shown(seq); err != nil {
		return 0, nil, err
	}
	if s.inForce().Sealed {
		return 0, nil, fmt.Errorf("stream %s: %w", s.name, store.ErrSealed)
	}
	fs.dropAbandoned(s, seq)
	node := &pendingNode{fs: fs, stream: s, seq: seq, made: fs.now(), maker: maker, meta: &draftMeta{mode: 0o666 &^ *fs.opt.Umask}}
	if !s.writing.addPending(node) {
		return 0, nil, refuse(syscall.EEXIST, "somebody makes message %d already", seq)
	}
	return fs.objects.enterAs(fs.pendingKey(s, seq), node), node, nil
}

// addPending enters a node, and forgets those that nobody came back to.
func (w *writing) addPending(n *pendingNode) bool {
	w.mu.Lock()
	var old []*pendingNode
	for _, p := range w.pending {
		if n.made.Sub(p.made) > maxPendingAge {
			old = append(old, p)
		}
	}
	_, taken := w.pending[n.seq]
	if !taken {
		if w.pending == nil {
			w.pending = map[store.Seq]*pendingNode{}
		}
		w.pending[n.seq] = n
	}
	w.mu.Unlock()
	for _, p := range old {
		if !p.isOpen() {
			p.drop()
		}
	}
	return !taken
}

func (n *pendingNode) isOpen() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.opens) > 0
}

// drop takes the node's name away, if it has that: somebody else may make the message since.
func (n *pendingNode) drop() {
	w := &n.stream.writing
	w.mu.Lock()
	if w.pending[n.seq] == n {
		delete(w.pending, n.seq)
	}
	w.mu.Unlock()
	n.fs.objects.unnameIf(n.fs.pendingKey(n.stream, n.seq), n)
}

func (w *writing) pendingAt(seq store.Seq) *pendingNode {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pending[seq]
}

// dropAbandoned gives up a message that was made by mknod(2), and not opened, by a process that is gone: tar, which makes them
// so, was killed. Who restores anew must not take it for a message that is there.
func (fs *FS) dropAbandoned(s *stream, seq store.Seq) {
	if n := s.writing.pendingAt(seq); n != nil && n.maker != 0 && !n.isOpen() && fs.hasEnded(n.maker) {
		n.drop()
	}
}

// lookupPending finds a message that is being made.
func (fs *FS) lookupPending(s *stream, seq store.Seq) (uint64, object, error) {
	fs.dropAbandoned(s, seq)
	node := s.writing.pendingAt(seq)
	if node == nil {
		return 0, nil, errAbsent
	}
	return fs.objects.enterAs(fs.pendingKey(s, seq), node), node, nil
}

// unlinkPending gives up making a message, and says whether somebody did.
func (fs *FS) unlinkPending(s *stream, seq store.Seq) bool {
	node := s.writing.pendingAt(seq)
	if node != nil {
		node.drop()
		node.mu.Lock()
		defer node.mu.Unlock()
		for _, h := range node.opens {
			h.dropped.Store(true)
		}
	}
	return node != nil
}

func (fs *FS) createPending(c *call, s *stream, seq store.Seq, in *fuse.CreateIn) (uint64, object, handle, uint32, error) {
	id, node, err := fs.makePending(c, s, seq, 0)
	if err != nil {
		return 0, nil, nil, 0, err
	}
	node.meta.setMode(in.Mode)
	return id, node, node.openWriter(c, id, in.Flags), fuse.FOPEN_DIRECT_IO, nil
}

func (fs *FS) mknodPending(c *call, s *stream, seq store.Seq) (uint64, object, error) {
	id, node, err := fs.makePending(c, s, seq, fs.process(c.hdr.Pid))
	if err != nil {
		return 0, nil, err
	}
	return id, node, nil
}

// restored is the message that a file's attributes make of its bytes.
func restored(s *stream, meta *draftMeta, seq store.Seq, data []byte, now time.Time) (store.Msg, error) {
	number, err := meta.xattr(mapping.XattrSeq)
	if err != nil || string(number) != strconv.FormatUint(uint64(seq), 10) {
		return store.Msg{}, refuse(syscall.EPERM, "%d is no subject: to append, write to a subject; to restore a message, set its attributes %s (%d) and %s before the close",
			seq, mapping.XattrSeq, seq, mapping.XattrSubject)
	}
	subject, err := meta.xattr(mapping.XattrSubject)
	if err != nil {
		return store.Msg{}, refuse(syscall.EPERM, "message %d has no attribute %s: it can't be restored", seq, mapping.XattrSubject)
	}
	m := store.Msg{Subject: string(subject), Data: data}
	m.Seq, m.Time = seq, now.UnixNano()
	if text, err := meta.xattr(mapping.XattrTime); err == nil {
		ns, ok := mapping.ParseTime(string(text))
		if !ok {
			return store.Msg{}, fmt.Errorf("attribute %s: %w: %q is no time", mapping.XattrTime, store.ErrInvalid, text)
		}
		m.Time = ns
	} else if ns, ok := meta.getModTime(); ok {
		m.Time = ns
	}
	if m.Header, err = meta.anyHeader(); err != nil {
		return store.Msg{}, err
	}
	cfg := s.inForce()
	return m, cfg.CheckRestore(&store.Entry{Subject: m.Subject, Header: m.Header, Data: data})
}

func (n *pendingNode) stat(_ *call, h handle, a *fuse.Attr) error {
	n.mu.Lock()
	if h == nil && len(n.opens) > 0 {
		h = n.opens[len(n.opens)-1]
	}
	n.mu.Unlock()
	if h, ok := h.(*pendingHandle); ok {
		setSize(a, h.w.Size())
	}
	mtime, ok := n.meta.getModTime()
	if !ok {
		mtime = n.fs.now().UnixNano()
	}
	setTimes(a, mtime)
	a.Mode = syscall.S_IFREG | n.meta.getMode()
	return nil
}

func (n *pendingNode) setAttr(c *call, h handle, in *fuse.SetAttrIn) error {
	if size, ok := in.GetSize(); ok {
		w, _ := h.(*pendingHandle)
		if w == nil {
			return refuse(syscall.EPERM, "truncate it through a descriptor")
		}
		if err := w.w.Truncate(c, int64(size)); err != nil {
			return err
		}
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

func (n *pendingNode) open(c *call, in *fuse.OpenIn) (handle, uint32, error) {
	if err := c.permitted(n.meta.getMode(), wantedAccess(in.Flags)); err != nil {
		return nil, 0, err
	}
	if !wantsWrite(in.Flags) {
		return &bytesHandle{}, fuse.FOPEN_DIRECT_IO, nil
	}
	return n.openWriter(c, c.hdr.NodeId, in.Flags), fuse.FOPEN_DIRECT_IO, nil
}

func (n *pendingNode) openWriter(c *call, id uint64, flags uint32) *pendingHandle {
	h := &pendingHandle{node: n, readable: flags&syscall.O_ACCMODE == syscall.O_RDWR}
	h.w = n.fs.pub.begin().NewWriter(n.stream, pendingTarget{h}, publish.Open{Inode: id, Thread: c.hdr.Pid, Due: true})
	n.mu.Lock()
	defer n.mu.Unlock()
	n.opens = append(n.opens, h)
	return h
}

func (n *pendingNode) xattr(_ *call, name string) ([]byte, error) { return n.meta.xattr(name) }
func (n *pendingNode) xattrs(*call) ([]string, error)             { return n.meta.names(), nil }

func (n *pendingNode) setXattr(_ *call, name string, value []byte, flags uint32) error {
	return n.meta.setXattr(name, value, flags)
}

func (n *pendingNode) removeXattr(_ *call, name string) error { return n.meta.removeXattr(name) }

// restoreDraft makes a message of a draft that is renamed to its sequence.
func (fs *FS) restoreDraft(c *call, r renaming, data []byte, meta *draftMeta) error {
	seq := r.target.Seq
	st, err := r.to.State(c)
	if err != nil {
		return err
	}
	if seq <= st.Last {
		return fs.refuseSeq(c, r.to, seq)
	}
	m, err := restored(r.to, meta, seq, data, fs.now())
	switch {
	case err != nil:
	case r.from == r.to:
		err = r.to.RestoreDraft(c, r.oldName, m)
	default:
		err = r.to.Restore(c, m)
	}
	if errors.Is(err, store.ErrExists) {
		return fs.refuseSeq(c, r.to, seq)
	}
	return err
}
