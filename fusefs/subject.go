package fusefs

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/fusefs/publish"
	"jsfs/mapping"
	"jsfs/store"
)

// subjectNode is a file that stands for a subject: reading gives the newest message
// on it, writing appends one. A subject may have several at a time; see subjectUse.
type subjectNode struct {
	fs      *FS
	stream  *stream
	subject string
	// file, unless "", is the name in the directory of the subject that the node stands for: of
	// the message that was written under that name last.
	file string
	use  subjectUse

	// mu guards all below. It is a leaf.
	mu sync.Mutex
	// known is the newest message on the subject at revision rev of the stream.
	known newest
	rev   uint64
}

// newest is what is known of the newest message on a subject.
type newest struct {
	ok    bool // there is one
	seq   store.Seq
	size  int64
	mtime int64
}

// subjectName tells the nodes of a stream's subjects apart, and of the files written to their directories.
func subjectName(subject, file string) string {
	if file == "" {
		return subject
	}
	return subject + "\x00" + file
}

// name is how the node is known to what remembers nodes by a name.
func (n *subjectNode) name() string { return subjectName(n.subject, n.file) }

func (fs *FS) subjectKey(s *stream, name string) objectKey {
	return objectKey{mapping.KindSubject, s, name}
}

// key is how the node is found that has the name.
func (n *subjectNode) key() objectKey { return n.fs.subjectKey(n.stream, n.name()) }

func (fs *FS) enterSubject(s *stream, subject, file string) (uint64, *subjectNode) {
	id, obj := fs.objects.enter(fs.subjectKey(s, subjectName(subject, file)), func() object {
		return &subjectNode{fs: fs, stream: s, subject: subject, file: file}
	})
	return id, obj.(*subjectNode)
}

// lookupSubject finds a subject that has a message, or that somebody writes to.
func (fs *FS) lookupSubject(c *call, s *stream, n mapping.Name, name string) (uint64, object, error) {
	subject := n.Subject
	if n.Hashed {
		var err error
		if subject, err = findHashed(c, s, name); err != nil {
			return 0, nil, err
		}
	}
	id, node := fs.enterSubject(s, subject, n.File)
	hidden, at := s.writing.isHidden(node.name(), fs.now())
	last, err := node.last(c)
	if err == nil && (hidden || !last.ok) && !s.writing.openSince(node.name(), at) {
		err = errAbsent
	}
	if err != nil {
		fs.objects.forget(id, 1)
		return 0, nil, err
	}
	id, node = fs.chooseSubject(c, id, node, last)
	return id, node, nil
}

// findHashed finds the subject for which a name with a hash stands.
func findHashed(c *call, s *stream, name string) (string, error) {
	q := store.Query{}
	if prefix, err := mapping.UnescapeSubject(name[:strings.LastIndex(name, "%~")]); err == nil {
		if i := strings.LastIndexByte(prefix, '.'); i > 0 && store.CheckSubject(prefix[:i]) == nil {
			q.Subject = prefix[:i] + ".>"
		}
	}
	for found, err := range s.Subjects(c, q.Subject, "") {
		if err != nil {
			return "", err
		}
		if mapping.EscapeSubject(found.Subject) == name {
			return found.Subject, nil
		}
	}
	return "", errAbsent
}

// createSubject opens a subject for a new message, whether or not it has one already.
func (fs *FS) createSubject(c *call, s *stream, n mapping.Name, name string, in *fuse.CreateIn) (uint64, object, handle, uint32, error) {
	if n.Hashed {
		return 0, nil, nil, 0, refuse(syscall.ENAMETOOLONG, "%s ends in a hash: it can be read, and not be written", name)
	}
	id, node := fs.enterSubject(s, n.Subject, n.File)
	if node.use.isRead() { // its name was unlinked since
		id, node = fs.anotherSubject(id, node)
	}
	err := node.exclusive(c, in.Flags)
	var h *subjectHandle
	if err == nil {
		h, err = node.openWriter(c, id, in.Flags, true)
	}
	if err != nil {
		fs.objects.forget(id, 1)
		return 0, nil, nil, 0, err
	}
	return id, node, h, fuse.FOPEN_DIRECT_IO, nil
}

// exclusive refuses O_EXCL where there is a message, unless the name was unlinked.
func (n *subjectNode) exclusive(c *call, flags uint32) error {
	if flags&syscall.O_EXCL == 0 {
		return nil
	}
	if hidden, _ := n.stream.writing.isHidden(n.name(), n.fs.now()); hidden {
		return nil
	}
	if last, err := n.last(c); err != nil || !last.ok {
		return err
	}
	if n.file != "" {
		return refuse(syscall.EEXIST, "%s was written already", n.file)
	}
	return refuse(syscall.EEXIST, "subject %s has a message", n.subject)
}

// unlinkSubject removes nothing: it hides the name, for programs that unlink what they want
// to overwrite.
func (fs *FS) unlinkSubject(s *stream, n mapping.Name, name string) error {
	if n.Hashed {
		return refuse(syscall.EPERM, "remove the message by its number")
	}
	s.writing.hide(subjectName(n.Subject, n.File), fs.now())
	if n.File != "" {
		if s.writing.written.take(n.Subject, n.File) == 0 {
			return errAbsent
		}
		return refuse(syscall.ENOENT, "%s stands for the message that was written under that name: the message stays, remove it by its number", name)
	}
	return refuse(syscall.ENOENT, "%s stands for a subject: its messages stay, remove them by number; the name is hidden for %v", name, hideFor)
}

// last finds the newest message on the subject.
func (n *subjectNode) last(c *call) (newest, error) {
	st, err := n.stream.State(c)
	if err != nil {
		return newest{}, err
	}
	n.mu.Lock()
	known, rev := n.known, n.rev
	n.mu.Unlock()
	if known.ok && rev == st.Rev && (n.file == "" || known.seq == n.stream.writing.written.get(n.subject, n.file)) {
		return known, nil // a file is noted as another message only after that is there
	}
	scratch := getScratch(0)
	defer putScratch(scratch)
	m, err := n.load(c, *scratch)
	if errors.Is(err, store.ErrNotFound) {
		return newest{}, nil
	}
	if _, ok := errors.AsType[*store.CorruptError](err); ok {
		return newest{ok: true, mtime: st.LastTime}, nil // it is there; reading it says what is wrong
	}
	if err != nil {
		return newest{}, err
	}
	known = newestOf(m)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.known, n.rev = known, st.Rev
	return known, nil
}

// newestOf is what is known of a message that is the newest one.
func newestOf(m store.Msg) newest {
	known := newest{true, m.Seq, m.Size, m.Time}
	if v, ok := mapping.HeaderValue(m.Header, mapping.HeaderMtime); ok {
		if ns, ok := mapping.ParseTime(v); ok {
			known.mtime = ns
		}
	}
	return known
}

// load reads the message that the node stands for.
func (n *subjectNode) load(c *call, buf []byte) (store.Msg, error) {
	if n.file == "" {
		return n.stream.LoadLast(c, n.subject, buf)
	}
	seq := n.stream.writing.written.get(n.subject, n.file)
	if seq == 0 {
		return store.Msg{}, store.ErrNotFound
	}
	return n.stream.Load(c, seq, buf)
}

// stat shows who reads the message that he has open, who writes what he has written so far, and everybody else the newest message.
// fstat(2) names no handle, so that a process that has the file open for writing is taken for one that asks about that.
func (n *subjectNode) stat(c *call, h handle, a *fuse.Attr) error {
	a.Ino = n.ino()
	w, named := h.(*subjectHandle)
	if !named {
		if reading, ok := n.use.reading(); ok {
			n.showNewest(a, reading)
			return nil
		}
	}
	if h == nil {
		w = n.openBy(c.hdr.Pid)
	}
	if w != nil && !w.w.Fresh() && (named || !w.w.Settled()) {
		size, mtime := w.w.Size(), n.fs.now().UnixNano()
		if ns, ok := w.w.ModTime(); ok {
			mtime = ns
		}
		setSize(a, size)
		setTimes(a, mtime)
		return nil
	}
	last, err := n.last(c)
	if err != nil {
		return err
	}
	if reading, ok := n.use.tell(last.seq); ok { // he has come meanwhile
		last = reading
	}
	n.showNewest(a, last)
	return nil
}

func (n *subjectNode) showNewest(a *fuse.Attr, last newest) {
	mtime := last.mtime
	if !last.ok {
		mtime = n.fs.now().UnixNano() // it is being written for the first time
	}
	setSize(a, last.size)
	setTimes(a, mtime)
}

func setSize(a *fuse.Attr, size int64) {
	a.Size = uint64(size)
	a.Blocks = uint64(size+blockSize-1) / blockSize
}

// setAttr truncates and sets times as far as a message is being written through this
// open; chmod and chown are accepted, and change nothing.
func (n *subjectNode) setAttr(c *call, h handle, in *fuse.SetAttrIn) error {
	w, named := h.(*subjectHandle)
	if !named {
		w = n.openBy(c.hdr.Pid)
	}
	if size, ok := in.GetSize(); ok {
		// What was appended is no file any more, though its release may be on its way.
		if w == nil || !named && w.w.Settled() {
			return refuse(syscall.EPERM, "messages never change: open it for writing to append one")
		}
		if err := w.w.Truncate(c, int64(size)); err != nil {
			return err
		}
	}
	if in.Valid&fuse.FATTR_MTIME != 0 && in.Valid&fuse.FATTR_MTIME_NOW == 0 && w != nil {
		w.w.SetModTime(n.fs.askedTime(in))
	}
	return nil
}

// openBy returns the newest handle that a thread of the same process has open for writing, nil if
// it has none. The kernel names no handle where a path is given.
func (n *subjectNode) openBy(tid uint32) *subjectHandle {
	w := &n.stream.writing
	w.mu.Lock()
	none := len(w.opens[n.name()]) == 0
	w.mu.Unlock()
	if none {
		return nil
	}
	pid := n.fs.process(tid)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range slices.Backward(w.opens[n.name()]) {
		if h.w.OpenedBy(tid, pid) {
			return h
		}
	}
	return nil
}

func (n *subjectNode) open(c *call, in *fuse.OpenIn) (handle, uint32, error) {
	if !wantsWrite(in.Flags) {
		h, err := n.openReader(c)
		return h, fuse.FOPEN_DIRECT_IO, err
	}
	h, err := n.openWriter(c, c.hdr.NodeId, in.Flags, in.Flags&syscall.O_TRUNC != 0)
	if err != nil {
		return nil, 0, err
	}
	return h, fuse.FOPEN_DIRECT_IO, nil
}

// openNewest opens the newest message, whatever is appended later, for who has the node open for writing.
func (n *subjectNode) openNewest(c *call) (handle, error) {
	erasures := n.fs.shown.erasures.Load()
	m, err := n.load(c, nil)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	return n.openLoaded(c, m, erasures), nil
}

// openLoaded opens a message that was loaded; none has the sequence 0. erasures is what openFiles.erasures was before.
func (n *subjectNode) openLoaded(c *call, m store.Msg, erasures uint64) handle {
	if m.Seq == 0 {
		return &bytesHandle{} // it is being written for the first time
	}
	h := &messageHandle{stream: n.stream, seq: m.Seq, node: c.hdr.NodeId, size: m.Size, mtime: m.Time}
	return n.fs.opened(c, h, m.Data, erasures)
}

// openWriter opens it, whose number is id, for a new message. made says that the open made or emptied the file.
func (n *subjectNode) openWriter(c *call, id uint64, flags uint32, made bool) (*subjectHandle, error) {
	target := n.fs.target(n.stream, n.subject)
	target.File = n.file
	if err := target.Check(c, 0); err != nil {
		return nil, err
	}
	desk := n.fs.pub.begin()
	meta := &draftMeta{}
	target.Header = meta.header
	open := publish.Open{Inode: n.ino(), Thread: c.hdr.Pid, Empty: made}
	h := &subjectHandle{
		node: n, id: id, at: n.fs.now(), meta: meta, opened: newUntilDone(),
		readable: flags&syscall.O_ACCMODE == syscall.O_RDWR,
	}
	if err := n.beginWriting(c); err != nil {
		return nil, err
	}
	if !made && flags&syscall.O_APPEND == 0 {
		var err error
		if h.under, err = n.openUnder(c); err != nil {
			n.use.endWriting()
			return nil, err
		}
	}
	if h.under != nil {
		open.Under = h.under
	}
	h.w = desk.NewWriter(n.stream, target, open)
	n.stream.writing.addOpen(n.name(), h)
	return h, nil
}
