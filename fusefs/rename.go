package fusefs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"

	"jsfs/mapping"
	"jsfs/store"
)

// renameObject renames a draft: to another draft's name, to a subject, which appends it, or
// to a sequence, which restores a message. Everything else has its name for good.
func (fs *FS) renameObject(c *call, r renaming) error {
	if r.flags&^renameNoReplace != 0 {
		return refuse(syscall.EINVAL, "files can't be exchanged")
	}
	switch r.old.Kind {
	case mapping.NameSeq:
		return refuse(syscall.EPERM, "a message's name is its number")
	case mapping.NameControl:
		return refuse(syscall.EPERM, "%s is a view of the stream", r.oldName)
	}
	if err := refuseGathered(r.oldName, r.newName); err != nil {
		return err
	}
	ok, err := fs.isDraft(c, r.from, r.oldName)
	if err != nil {
		return err
	}
	if !ok && r.old.Kind == mapping.NameDraft {
		return errAbsent
	}
	if !ok {
		return refuse(syscall.EPERM, "%s stands for a subject and can't be renamed", r.oldName)
	}
	switch r.target.Kind {
	case mapping.NameControl:
		if r.target.Control == mapping.ControlLog || r.target.Control == mapping.ControlLogJSON {
			return refuse(syscall.EPERM, "a log can't be replaced: append with >>, remove messages with rm %s/NUMBER", r.to.name)
		}
		return refuse(syscall.EPERM, "%s is a view of the stream", r.newName)
	case mapping.NameDraft:
		return fs.renameDraft(c, r)
	}
	return fs.publishDraft(c, r)
}

// renameDraft gives a draft another name as a draft.
func (fs *FS) renameDraft(c *call, r renaming) error {
	if r.from != r.to {
		return refuse(syscall.EXDEV, "a draft belongs to its stream: copy it")
	}
	if r.oldName == r.newName {
		return nil
	}
	defer r.from.draftNames.lock(r.oldName, r.newName)()
	if r.flags&renameNoReplace != 0 {
		if ok, err := fs.isDraft(c, r.to, r.newName); err != nil || ok {
			return orExists(err)
		}
	}
	if err := r.from.RenameDraft(c, r.oldName, r.newName); err != nil {
		return err
	}
	fs.unnameDraft(r.to, r.newName)
	from, to := fs.draftKey(r.from, r.oldName), fs.draftKey(r.to, r.newName)
	if _, obj := fs.objects.find(from); obj != nil {
		n := obj.(*draftNode)
		n.mu.Lock()
		n.name = r.newName
		n.mu.Unlock()
	}
	fs.objects.rename(from, to)
	r.from.writing.moveDraft(r.oldName, r.newName)
	return nil
}

func orExists(err error) error {
	if err == nil {
		return store.ErrExists
	}
	return err
}

// publishDraft makes a message of a draft, whole and at once: in one step if it is of the same stream, else the draft is removed
// once there is the message.
func (fs *FS) publishDraft(c *call, r renaming) (err error) {
	if r.target.Kind == mapping.NameSubject {
		if err := fs.checkPublish(c, r); err != nil {
			return err
		}
	}
	n, unlock := fs.lockWrittenBack(r.from, r.oldName)
	defer unlock()
	if n != nil {
		n.publishing.Lock()
		defer n.publishing.Unlock()
		defer func() {
			if err == nil {
				n.published = r.to
			}
		}()
	}
	limit := int64(store.MaxMsgSize) // of a restore
	if r.target.Kind == mapping.NameSubject {
		limit = r.to.Config().WithDefaults().MaxMsgSize
	}
	data, err := readDraft(c, r.from, r.oldName, limit)
	if err != nil {
		return err
	}
	meta := fs.draftMeta(r.from, r.oldName)
	switch {
	case r.target.Kind == mapping.NameSubject:
		err = fs.appendDraft(c, r, data, meta)
	case r.newDir != r.to.node:
		err = fs.refuseSeqInView(c, r.to, r.target.Seq)
	default:
		err = fs.restoreDraft(c, r, data, meta)
	}
	if err != nil {
		return err
	}
	if r.from != r.to {
		ctx := context.WithoutCancel(c)        // who is interrupted would try again, and there would be two messages
		if err := r.to.Sync(ctx); err != nil { // else a loss of power takes both
			return fmt.Errorf("the message is stored, but not on disk for certain, and the draft %s stays: %w", r.oldName, err)
		}
		if err := r.from.RemoveDraft(ctx, r.oldName); err != nil && !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("the message is stored, but the draft %s stays: %w", r.oldName, err)
		}
	}
	fs.unnameDraft(r.from, r.oldName)
	return nil
}

// lockWrittenBack locks the name of a draft and returns its node, nil if the kernel has none, of which it has written what it had.
func (fs *FS) lockWrittenBack(s *stream, name string) (n *draftNode, unlock func()) {
	for {
		id, before := fs.objects.find(fs.draftKey(s, name))
		if n, ok := before.(*draftNode); ok {
			n.writeBack(id)
		}
		unlock := s.draftNames.lock(name)
		if _, now := fs.objects.find(fs.draftKey(s, name)); now == before {
			n, _ := now.(*draftNode)
			return n, unlock
		}
		unlock() // it was renamed over by another one meanwhile
	}
}

// writeBack has the kernel write what it has of a draft that somebody has open, and may have mapped: pages that were changed in
// memory belong to the message. The caller holds no lock. A handler may tell the kernel this: who renames
// holds locks of directories and of the draft's inode there, and writing its pages needs none of them.
func (n *draftNode) writeBack(id uint64) {
	n.mu.Lock()
	open := len(n.opens) > 0
	n.mu.Unlock()
	if k := n.fs.prefetch.kernel; open && k != nil {
		k.InodeNotify(id, 0, 0)
	}
}

// checkPublish refuses what can be refused before the draft is read.
func (fs *FS) checkPublish(c *call, r renaming) error {
	if r.target.Hashed {
		return refuse(syscall.ENAMETOOLONG, "%s ends in a hash: it can be read, and not be written", r.newName)
	}
	if r.flags&renameNoReplace != 0 {
		node := &subjectNode{fs: fs, stream: r.to, subject: r.target.Subject, file: r.target.File}
		if err := node.exclusive(c, syscall.O_EXCL); err != nil {
			return err
		}
	}
	return fs.target(r.to, r.target.Subject).Check(c, 0)
}

func (fs *FS) appendDraft(c *call, r renaming, data []byte, meta *draftMeta) error {
	var modTime *int64
	if ns, ok := meta.getModTime(); ok {
		modTime = &ns
	}
	target := fs.target(r.to, r.target.Subject)
	target.File, target.Header = r.target.File, meta.header
	if r.from == r.to {
		target.Draft = r.oldName
	}
	seq, err := target.Commit(c, data, modTime)
	r.to.noteFailed(err)
	if err == nil {
		r.to.writing.unhide(subjectName(r.target.Subject, r.target.File))
		r.to.writing.written.add(r.target.Subject, r.target.File, seq)
	}
	return err
}

// readDraft returns a draft's bytes, of which there must not be more than limit.
func readDraft(c *call, s *stream, name string, limit int64) (data []byte, err error) {
	d, err := s.OpenDraft(c, name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	size, err := d.Size()
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, fmt.Errorf("draft of %d bytes: %w (stream %s takes at most %d)", size, store.ErrTooLarge, s.name, limit)
	}
	data = make([]byte, size)
	if n, err := d.ReadAt(data, 0); err != nil && (!errors.Is(err, io.EOF) || int64(n) < size) {
		return nil, err
	}
	return data, nil
}
