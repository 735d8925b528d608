package fusefs

import (
	"errors"
	"sync"
	"time"

	"jsfs/store"
)

// subjectUse is what a node of a subject is open for. The kernel has one size and one set of pages for a node, and takes them where it
// moves a file's bytes by itself (sendfile(2), copy_file_range(2), a private mapping), whatever else is open. So a node is open
// for those who write, or for those who read one message. Who opens a node that others use otherwise gets ESTALE, on
// which the kernel looks the name up again, once: then his thread gets a node of his own. All nodes of a name show the same inode number.
type subjectUse struct {
	// mu guards all below. It is a leaf.
	mu      sync.Mutex
	writers int
	readers int
	message newest // what readers have open; not ok if there was none
	// told is the message of which the kernel was told the attributes last, if it was told any. mixed says that it was told of several, or that
	// somebody wrote there: which of the sizes it keeps is then its own affair, as it passes over answers that overtook each other, and nobody reads there any more.
	told         store.Seq
	knows, mixed bool
	// keeper is the thread for which the node was made, which is about to open it for writing, and since when.
	keeper uint32
	since  time.Time
}

// tell notes that the kernel is told the attributes of a message, unless readers have one open: then it is to be told of that, and ok is true.
func (u *subjectUse) tell(seq store.Seq) (reading newest, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.readers > 0 {
		return u.message, true
	}
	u.mixed = u.mixed || u.knows && u.told != seq
	u.told, u.knows = seq, true
	return newest{}, false
}

// reading returns the message that readers have open; ok is false if there are none.
func (u *subjectUse) reading() (message newest, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.message, u.readers > 0
}

func (u *subjectUse) isRead() bool {
	_, ok := u.reading()
	return ok
}

// unreadable says whether nobody may begin to read there, or only that thread.
func (u *subjectUse) unreadable(thread uint32, now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.mixed || u.writtenLocked(thread, now)
}

// writtenLocked says whether somebody writes there, or is about to, who is not that thread.
func (u *subjectUse) writtenLocked(thread uint32, now time.Time) bool {
	return u.writers > 0 || u.keeper != 0 && u.keeper != thread && now.Sub(u.since) < hideFor
}

func (u *subjectUse) endWriting() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.writers--
}

func (u *subjectUse) endReading() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.readers--
}

// ino is the inode number of all nodes of the name.
func (n *subjectNode) ino() uint64 { return n.key().node(0) }

// reopens are the threads that are to look a subject's name up again.
type reopens struct {
	// mu guards m. It is a leaf.
	mu sync.Mutex
	m  map[uint32]reopen
}

type reopen struct {
	key   objectKey
	write bool
	at    time.Time
	// node is what it gets, and own what that is, once it looked the name up: the kernel may forget the node, and its number be another one's then.
	node uint64
	own  *subjectNode
}

// send notes that a thread is sent.
func (t *reopens) send(thread uint32, r reopen) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.m == nil {
		t.m = map[uint32]reopen{}
	}
	for thread, old := range t.m {
		if r.at.Sub(old.at) > hideFor { // it never came back
			delete(t.m, thread)
		}
	}
	t.m[thread] = r
}

// of returns how a thread was sent to a name, ok is false if it was not.
func (t *reopens) of(thread uint32, key objectKey, now time.Time) (r reopen, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r, ok = t.m[thread]
	return r, ok && r.key == key && now.Sub(r.at) <= hideFor
}

// got notes which node a thread gets that was sent.
func (t *reopens) got(thread uint32, node uint64, own *subjectNode) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r, ok := t.m[thread]; ok {
		r.node, r.own = node, own
		t.m[thread] = r
	}
}

// came ends what send began, and says whether the thread was sent to that name.
func (t *reopens) came(thread uint32, key objectKey, now time.Time) bool {
	_, ok := t.of(thread, key, now)
	if ok {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.m, thread)
	}
	return ok
}

// sendAgain is the answer to who can't open the node beside those who have it open.
func (n *subjectNode) sendAgain(c *call, write bool) error {
	n.fs.reopens.send(c.hdr.Pid, reopen{key: n.key(), write: write, at: n.fs.now()})
	return errStale
}

// mayShare says whether the caller opens the node whatever others do there: he was sent to look its name up before, and has no name where
// he opened it through /proc/self/fd, or nobody knows who he is.
func (n *subjectNode) mayShare(c *call) bool {
	return n.fs.reopens.came(c.hdr.Pid, n.key(), n.fs.now()) || c.hdr.Pid == 0
}

// chooseSubject returns the node that the caller gets where he looks up the name of one that was entered for him, which has a newest message.
func (fs *FS) chooseSubject(c *call, id uint64, n *subjectNode, last newest) (uint64, *subjectNode) {
	thread := c.hdr.Pid
	if r, ok := fs.reopens.of(thread, n.key(), fs.now()); ok && thread != 0 {
		if r.own != nil && fs.enterSame(r.node, r.own) {
			fs.objects.forget(id, 1)
			return r.node, r.own
		}
		own := n.another()
		if r.write { // those who write share it, also those who come later
			id, n = fs.replaceSubject(id, n, own)
			n.use.keep(thread, fs.now())
		} else {
			fs.objects.forget(id, 1)
			id, n = fs.objects.enterUnnamed(n.key(), own), own
		}
		fs.reopens.got(thread, id, n)
		return id, n
	}
	if w := n.openBy(thread); w != nil && w.node != n && !w.w.Settled() { // what he has written so far is there
		if fs.enterSame(w.id, w.node) {
			fs.objects.forget(id, 1)
			return w.id, w.node
		}
	}
	if reading, ok := n.use.reading(); ok && reading.seq != last.seq {
		return fs.anotherSubject(id, n)
	}
	return id, n
}

// enterSame enters a node again, and says whether it did: not if the kernel has forgotten it, though its number may be another one's by now.
func (fs *FS) enterSame(id uint64, n *subjectNode) bool {
	switch fs.objects.enterAgain(id) {
	case nil:
		return false
	case object(n):
		return true
	}
	fs.objects.forget(id, 1)
	return false
}

// keep keeps the node for a thread that is about to open it for writing.
func (u *subjectUse) keep(thread uint32, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.keeper, u.since = thread, now
}

// another makes another node for the same name.
func (n *subjectNode) another() *subjectNode {
	return &subjectNode{fs: n.fs, stream: n.stream, subject: n.subject, file: n.file}
}

// anotherSubject gives the name of a node that was entered for the caller to another one, which is entered for him.
func (fs *FS) anotherSubject(id uint64, n *subjectNode) (uint64, *subjectNode) {
	return fs.replaceSubject(id, n, n.another())
}

func (fs *FS) replaceSubject(id uint64, n, by *subjectNode) (uint64, *subjectNode) {
	now, obj := fs.objects.replace(n.key(), id, by)
	return now, obj.(*subjectNode)
}

// openReader opens the newest message for reading. The kernel has been told of one when the name was looked up: that one is opened.
func (n *subjectNode) openReader(c *call) (handle, error) {
	share := n.mayShare(c)
	for {
		if n.use.unreadable(c.hdr.Pid, n.fs.now()) && !share {
			return nil, n.sendAgain(c, false)
		}
		erasures := n.fs.shown.erasures.Load()
		m, err := n.loadToOpen(c, share)
		if err != nil {
			return nil, err
		}
		if n.beginReading(c, m, share) {
			return &subjectReader{n.openLoaded(c, m, erasures), n}, nil
		}
	}
}

// loadToOpen loads the message that a reader is to open; it has the sequence 0 if there is none yet.
func (n *subjectNode) loadToOpen(c *call, share bool) (store.Msg, error) {
	n.use.mu.Lock()
	want, read := n.use.told, n.use.readers > 0
	if read {
		want = n.use.message.seq
	}
	n.use.mu.Unlock()
	m, err := n.load(c, nil)
	if errors.Is(err, store.ErrNotFound) {
		m, err = store.Msg{}, nil // it is being written for the first time
	}
	if err != nil || m.Seq == want {
		return m, err
	}
	if want != 0 && (read || share) {
		told, err := n.fs.loadOpen(c, n.stream, want, nil)
		if err == nil || !errors.Is(err, errStale) {
			return told, err
		}
	}
	if !share {
		return store.Msg{}, n.sendAgain(c, false)
	}
	return m, nil
}

// beginReading notes that the node is open for reading a message that was loaded, unless it is open for something else meanwhile.
func (n *subjectNode) beginReading(c *call, m store.Msg, share bool) bool {
	message := newest{}
	if m.Seq != 0 {
		message = newestOf(m)
	}
	return n.use.read(c.hdr.Pid, n.fs.now(), message, share)
}

// read notes a reader of a message, and says whether he may be one.
func (u *subjectUse) read(thread uint32, now time.Time, message newest, share bool) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !share && (u.mixed || u.writtenLocked(thread, now) || u.readers > 0 && u.message.seq != message.seq || u.readers == 0 && u.told != message.seq) {
		return false
	}
	if u.readers++; u.readers == 1 {
		u.message = message
	}
	return true
}

// beginWriting notes that the node is open for writing.
func (n *subjectNode) beginWriting(c *call) error {
	if !n.use.write(c.hdr.Pid, n.mayShare(c)) {
		return n.sendAgain(c, true)
	}
	return nil
}

// write notes a writer, and says whether he may be one.
func (u *subjectUse) write(thread uint32, share bool) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.readers > 0 && !share {
		return false
	}
	u.writers++
	u.mixed = true
	if u.keeper == thread {
		u.keeper = 0
	}
	return true
}

// loadShown reads the message whose attributes the node has: the one that readers have open, or the newest.
func (n *subjectNode) loadShown(c *call) (store.Msg, error) {
	reading, ok := n.use.reading()
	if !ok {
		return n.load(c, nil)
	}
	if !reading.ok {
		return store.Msg{}, store.ErrNotFound
	}
	m, err := n.fs.loadOpen(c, n.stream, reading.seq, nil)
	if errors.Is(err, errStale) {
		err = store.ErrNotFound // its bytes are held for who has it open, and its headers are not
	}
	return m, err
}

// subjectReader is a subject node that is open for reading.
type subjectReader struct {
	handle
	node *subjectNode
}

func (h *subjectReader) release(c *call) {
	h.handle.release(c)
	h.node.use.endReading()
}
