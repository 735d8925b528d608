package fusefs

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/fusefs/gather"
	"jsfs/mapping"
	"jsfs/store"
)

// hideFor is how long a subject node is hidden that was unlinked, and how long an unlinked message
// comes back if its own process makes a file of its name.
const hideFor = 2 * time.Second

// writing is what the writing half remembers of a stream.
type writing struct {
	// failed is set when the store refused a message as it is read-only: it stays so.
	failed atomic.Bool

	// mu guards all below. It is a leaf.
	mu sync.Mutex
	// hidden are the subjects that were unlinked, and when.
	hidden map[string]time.Time
	// opens are the handles for writing that are open, by their subjects' names, oldest first.
	opens map[string][]*subjectHandle
	// drafts are what drafts have besides bytes, as long as they have their name.
	drafts map[string]*draftMeta
	// pending are the sequences above the last one that are being made.
	pending map[store.Seq]*pendingNode
	// written are the files that became messages of a subject last. It has its own lock.
	written writtenFiles
	// removed are the messages that were unlinked last: a ring of maxRemoved, the oldest at next once it is full. It is made
	// anew where the newest one counts no more, so that a stream in which nothing is unlinked has none.
	removed []removal
	next    int
	// back are those of them that came back, and when: the last maxBack.
	back []removal
}

// maxRemoved is how many unlinked messages are remembered. A program that unlinks what
// it wants to overwrite makes it anew at once.
const maxRemoved = 1024

// maxBack is how many messages that came back are remembered. Who is not content with the refusal tries the one again that
// he was refused last.
const maxBack = 16

// removal is a message that was unlinked.
type removal struct {
	seq    store.Seq
	thread uint32
	at     time.Time
}

// renaming is a RENAME in one stream's directory or between two.
type renaming struct {
	from, to         *stream
	old, target      mapping.Name
	oldName, newName string
	newDir           uint64 // the node of the directory of newName
	flags            uint32
}

// Flags of renameat2(2).
const (
	renameNoReplace = 1
	renameExchange  = 2
)

// wantsWrite says whether open(2) flags ask for more than reading.
func wantsWrite(flags uint32) bool {
	return flags&syscall.O_ACCMODE != syscall.O_RDONLY || flags&syscall.O_TRUNC != 0
}

// lookupObject finds a subject node or a draft, and enters it in the table.
func (fs *FS) lookupObject(c *call, s *stream, n mapping.Name, name string) (uint64, object, error) {
	id, obj, ok, err := fs.lookupDraft(c, s, name)
	switch {
	case err != nil || ok:
		return id, obj, err
	case n.Kind == mapping.NameSubject:
		return fs.lookupSubject(c, s, n, name)
	}
	return 0, nil, errAbsent
}

// createObject makes a file that is to become a message, or a draft, and opens it.
func (fs *FS) createObject(c *call, s *stream, n mapping.Name, name string, in *fuse.CreateIn) (id uint64, obj object, h handle, flags uint32, err error) {
	switch {
	case n.Kind == mapping.NameSeq && c.hdr.NodeId != s.node:
		return 0, nil, nil, 0, fs.refuseSeqInView(c, s, n.Seq)
	case n.Kind == mapping.NameSeq:
		return fs.createPending(c, s, n.Seq, in)
	case name == gather.Draft:
		return 0, nil, nil, 0, refuseGathered(name)
	case n.Kind == mapping.NameDraft || mapping.IsTemp(name, in.Flags, in.Mode):
		return fs.createDraft(c, s, name, in)
	}
	return fs.createSubject(c, s, n, name, in)
}

// mknodObject makes one without opening it.
func (fs *FS) mknodObject(c *call, s *stream, n mapping.Name, name string, in *fuse.MknodIn) (uint64, object, error) {
	switch n.Kind {
	case mapping.NameSeq:
		if c.hdr.NodeId != s.node {
			return 0, nil, fs.refuseSeqInView(c, s, n.Seq)
		}
		return fs.mknodPending(c, s, n.Seq)
	case mapping.NameDraft:
		if err := refuseGathered(name); err != nil {
			return 0, nil, err
		}
		return fs.mknodDraft(c, s, name, in)
	}
	return 0, nil, refuse(syscall.EPERM, "mknod makes no messages: write to %s to append one", name)
}

// unlinkObject removes a draft, or hides a subject node.
func (fs *FS) unlinkObject(c *call, s *stream, n mapping.Name, name string) error {
	ok, err := fs.isDraft(c, s, name)
	switch {
	case err != nil:
		return err
	case ok && name == gather.Draft:
		return fs.unlinkGathered(c, s)
	case ok:
		return fs.unlinkDraft(c, s, name)
	case n.Kind == mapping.NameDraft:
		return errAbsent
	}
	return fs.unlinkSubject(s, n, name)
}

// noteUnlink remembers which thread removed a message.
func (fs *FS) noteUnlink(c *call, s *stream, seq store.Seq) {
	s.writing.noteRemoval(removal{seq, c.hdr.Pid, fs.now()})
}

func (w *writing) noteRemoval(r removal) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.removed)
	switch {
	case n > 0 && r.at.Sub(w.removed[(w.next+n-1)%n].at) > hideFor:
		w.removed, w.next = []removal{r}, 0
	case n < maxRemoved:
		w.removed = append(w.removed, r)
	default:
		w.removed[w.next] = r
		w.next = (w.next + 1) % n
	}
}

// restoreUnlinked brings a message back that the caller's process unlinked a moment ago: it
// wanted to overwrite it, and is refused. It says whether it did.
func (fs *FS) restoreUnlinked(c *call, s *stream, seq store.Seq) (bool, error) {
	r, ok := s.writing.lastRemoval(seq)
	if !ok || fs.now().Sub(r.at) > hideFor || !fs.sameProcess(r.thread, c.hdr.Pid) {
		return false, nil
	}
	err := s.Undelete(c, seq)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil // nothing is left of it, as it was erased or its room was needed
	}
	if err != nil {
		return false, err
	}
	s.changed.Store(fs.now().UnixNano())
	s.writing.noteBack(removal{seq, c.hdr.Pid, fs.now()})
	return true, nil
}

func (w *writing) noteBack(r removal) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.back = slices.DeleteFunc(w.back, func(old removal) bool { return old.seq == r.seq || r.at.Sub(old.at) > hideFor })
	if len(w.back) == maxBack {
		w.back = slices.Delete(w.back, 0, 1)
	}
	w.back = append(w.back, r)
}

// checkBack refuses the removal of a message that came back a moment ago to the process that had unlinked it to overwrite it:
// GNU tar unlinks and makes the file by turns, for as long as the one succeeds and the other gives EEXIST.
func (fs *FS) checkBack(c *call, s *stream, seq store.Seq) error {
	s.writing.mu.Lock()
	i := slices.IndexFunc(s.writing.back, func(r removal) bool { return r.seq == seq })
	var r removal
	if i >= 0 {
		r = s.writing.back[i]
	}
	s.writing.mu.Unlock()
	if i < 0 || fs.now().Sub(r.at) > hideFor || !fs.sameProcess(r.thread, c.hdr.Pid) {
		return nil
	}
	return refuse(syscall.EPERM, "messages never change: message %d, which was unlinked to be overwritten, came back, and stays for %v", seq, hideFor)
}

func (w *writing) lastRemoval(seq store.Seq) (removal, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.removed)
	for i := n - 1; i >= 0; i-- {
		if r := w.removed[(w.next+i)%n]; r.seq == seq {
			return r, true
		}
	}
	return removal{}, false
}

// sameProcess says whether two threads are known to be of one process.
func (fs *FS) sameProcess(a, b uint32) bool {
	if a == b {
		return a != 0
	}
	p := fs.process(a)
	return p != 0 && p == fs.process(b)
}

// process returns the process of a thread, 0 if it is not known.
func (fs *FS) process(tid uint32) int {
	if tid == 0 {
		return 0
	}
	fs.pub.begin()
	pid, err := fs.pub.proc.Process(tid)
	if err != nil {
		return 0
	}
	return pid
}

// hasEnded says whether a process is gone, for certain.
func (fs *FS) hasEnded(pid int) bool {
	fs.pub.begin()
	_, err := fs.pub.proc.Process(uint32(pid)) //nolint:gosec // a pid is small
	return errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ESRCH)
}

// refuseSeq is the answer to who makes a file, or renames one, to a sequence that is at or
// below the last. It brings back what the same process unlinked for that.
func (fs *FS) refuseSeq(c *call, s *stream, seq store.Seq) error {
	back, err := fs.restoreUnlinked(c, s, seq)
	if err != nil {
		return err
	}
	if back {
		return refuse(syscall.EEXIST, "messages never change: message %d, which was unlinked to be overwritten, is back", seq)
	}
	return refuse(syscall.EEXIST, "messages never change: sequence %d was used already", seq)
}

// refuseSeqInView is the answer to who makes a message by its sequence in a directory that is not the stream's own.
func (fs *FS) refuseSeqInView(c *call, s *stream, seq store.Seq) error {
	st, err := s.State(c)
	if err != nil {
		return err
	}
	if seq <= st.Last {
		return fs.refuseSeq(c, s, seq)
	}
	return refuse(syscall.EPERM, "a file of digits is the message of that number: restore it in the directory of stream %s itself", s.name)
}

// setLogAttr answers truncate and utimens on a log.
func (fs *FS) setLogAttr(_ *call, s *stream, _ handle, in *fuse.SetAttrIn) error {
	if _, ok := in.GetSize(); ok {
		return refuseTruncate(s)
	}
	return nil // its mode and times are what they are
}

func refuseTruncate(s *stream) error {
	return refuse(syscall.EPERM, "a log is not emptied by > or truncate: append with >>, remove messages with rm %s/NUMBER", s.name)
}

// hide hides a subject for hideFor.
func (w *writing) hide(subject string, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hidden == nil {
		w.hidden = map[string]time.Time{}
	}
	for old, at := range w.hidden {
		if now.Sub(at) > hideFor {
			delete(w.hidden, old)
		}
	}
	w.hidden[subject] = now
}

// isHidden says whether a subject is hidden, and since when.
func (w *writing) isHidden(subject string, now time.Time) (hidden bool, since time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at, ok := w.hidden[subject]
	if !ok || now.Sub(at) > hideFor {
		return false, time.Time{}
	}
	return true, at
}

// unhide shows a subject again, because a message was appended to it.
func (w *writing) unhide(subject string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.hidden, subject)
}

// openSince says whether somebody has a subject open for writing who opened it after a time.
func (w *writing) openSince(name string, at time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	opens := w.opens[name]
	return len(opens) > 0 && opens[len(opens)-1].at.After(at)
}
