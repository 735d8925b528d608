package memstore

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"jsfs/store"
)

// draftFile is the content of a draft. It is guarded by the store's mu.
type draftFile struct {
	data    []byte
	modTime int64
	opens   int
	named   bool
	moved   bool // its stream was truncated, and the one that has the name now has the draft
}

func checkDraftName(name string) error {
	switch {
	case name == "" || strings.ContainsAny(name, "/\x00"):
		return fmt.Errorf("draft name %q: %w", name, store.ErrInvalid)
	case len(name) > 255:
		return fmt.Errorf("draft name of %d bytes: %w", len(name), store.ErrNameTooLong)
	}
	return nil
}

// draftLocked returns a draft, or ErrNotFound.
func (st *stream) draftLocked(name string) (*draftFile, error) {
	if err := st.openLocked(); err != nil {
		return nil, err
	}
	if err := checkDraftName(name); err != nil {
		return nil, err
	}
	f := st.drafts[name]
	if f == nil {
		return nil, fmt.Errorf("draft %q of stream %s: %w", name, st.cfg.Name, store.ErrNotFound)
	}
	return f, nil
}

// CreateDraft implements [store.Drafts].
func (st *stream) CreateDraft(_ context.Context, name string) (store.Draft, error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	if err := st.openLocked(); err != nil {
		return nil, err
	}
	if err := checkDraftName(name); err != nil {
		return nil, err
	}
	if st.drafts[name] != nil {
		return nil, fmt.Errorf("draft %q of stream %s: %w", name, st.cfg.Name, store.ErrExists)
	}
	f := &draftFile{modTime: st.s.opt.Now(), named: true}
	st.drafts[name] = f
	return st.openDraftLocked(f), nil
}

func (st *stream) openDraftLocked(f *draftFile) *draft {
	f.opens++
	return &draft{s: st.s, f: f}
}

// OpenDraft implements [store.Drafts].
func (st *stream) OpenDraft(_ context.Context, name string) (store.Draft, error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	f, err := st.draftLocked(name)
	if err != nil {
		return nil, err
	}
	return st.openDraftLocked(f), nil
}

// RenameDraft implements [store.Drafts].
func (st *stream) RenameDraft(_ context.Context, from, to string) error {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	f, err := st.draftLocked(from)
	if err != nil {
		return err
	}
	if err := checkDraftName(to); err != nil || from == to {
		return err
	}
	if old := st.drafts[to]; old != nil {
		st.s.unnameLocked(old)
	}
	delete(st.drafts, from)
	st.drafts[to] = f
	return nil
}

// PublishDraft implements [store.Drafts].
func (st *stream) PublishDraft(_ context.Context, name string, e store.Entry) (seq store.Seq, err error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	defer st.enforceLocked()
	err = st.publishLocked(name, func() error {
		seq, err = st.appendLocked(e)
		return err
	})
	return seq, err
}

// RestoreDraft implements [store.Drafts].
func (st *stream) RestoreDraft(_ context.Context, name string, m store.Msg) error {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	defer st.enforceLocked()
	return st.publishLocked(name, func() error { return st.restoreLocked(m) })
}

// publishLocked removes a draft if store stores what it is to be. The message may take the draft's room.
func (st *stream) publishLocked(name string, store func() error) error {
	f, err := st.draftLocked(name)
	if err != nil {
		return err
	}
	own := int64(len(f.data))
	st.s.used -= own
	err = store()
	st.s.used += own
	if err != nil {
		return err
	}
	st.s.unnameLocked(f)
	delete(st.drafts, name)
	return nil
}

// RemoveDraft implements [store.Drafts].
func (st *stream) RemoveDraft(_ context.Context, name string) error {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	f, err := st.draftLocked(name)
	if err != nil {
		return err
	}
	st.s.unnameLocked(f)
	delete(st.drafts, name)
	return nil
}

// ListDrafts implements [store.Drafts].
func (st *stream) ListDrafts(context.Context) ([]store.DraftInfo, error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	if err := st.openLocked(); err != nil {
		return nil, err
	}
	var out []store.DraftInfo
	for _, name := range slices.Sorted(maps.Keys(st.drafts)) {
		f := st.drafts[name]
		out = append(out, store.DraftInfo{Name: name, Size: int64(len(f.data)), ModTime: f.modTime})
	}
	return out, nil
}

// ScratchDraft implements [store.Drafts].
func (st *stream) ScratchDraft(context.Context) (store.Draft, error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	if err := st.openLocked(); err != nil {
		return nil, err
	}
	return st.openDraftLocked(&draftFile{modTime: st.s.opt.Now()}), nil
}

// unnameLocked takes a draft's name off, and gives its space back if nobody has it open.
func (s *Store) unnameLocked(f *draftFile) {
	f.named = false
	if f.opens == 0 {
		s.used -= int64(len(f.data))
	}
}

// draft is an open draft.
type draft struct {
	s      *Store
	f      *draftFile
	closed bool // guarded by the store's mu
}

func (d *draft) openLocked() error {
	switch {
	case d.closed:
		return fmt.Errorf("draft: %w", fs.ErrClosed)
	case d.f.moved:
		return fmt.Errorf("draft of a stream that was truncated: %w", store.ErrClosed)
	}
	return nil
}

func (d *draft) ReadAt(p []byte, off int64) (int, error) {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	if err := d.openLocked(); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, fmt.Errorf("read of a draft at offset %d: %w", off, store.ErrInvalid)
	}
	if off >= int64(len(d.f.data)) {
		return 0, io.EOF
	}
	n := copy(p, d.f.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (d *draft) WriteAt(p []byte, off int64) (int, error) {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	if err := d.openLocked(); err != nil {
		return 0, err
	}
	end := off + int64(len(p))
	if off < 0 || end < off {
		return 0, fmt.Errorf("write of a draft at offset %d: %w", off, store.ErrInvalid)
	}
	if len(p) == 0 {
		return 0, nil
	}
	if err := d.resizeLocked(max(end, int64(len(d.f.data)))); err != nil {
		return 0, err
	}
	return copy(d.f.data[off:], p), nil
}

// resizeLocked sets the size, with zeros in what is new.
func (d *draft) resizeLocked(size int64) error {
	have := int64(len(d.f.data))
	if size > have {
		if err := d.s.takeLocked(size - have); err != nil {
			return err
		}
		d.f.data = slices.Grow(d.f.data, int(size-have))[:size]
		clear(d.f.data[have:])
	} else {
		d.s.used -= have - size
		d.f.data = d.f.data[:size]
	}
	d.f.modTime = d.s.opt.Now()
	return nil
}

func (d *draft) Truncate(size int64) error {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	if err := d.openLocked(); err != nil {
		return err
	}
	if size < 0 {
		return fmt.Errorf("truncate a draft to %d bytes: %w", size, store.ErrInvalid)
	}
	return d.resizeLocked(size)
}

func (d *draft) Size() (int64, error) {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	return int64(len(d.f.data)), d.openLocked()
}

func (d *draft) ModTime() (int64, error) {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	return d.f.modTime, d.openLocked()
}

func (d *draft) Sync() error {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	return d.openLocked()
}

func (d *draft) Close() error {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	if d.closed {
		return fmt.Errorf("draft: %w", fs.ErrClosed)
	}
	d.closed = true
	if d.f.opens--; d.f.opens == 0 && !d.f.named {
		d.s.used -= int64(len(d.f.data))
	}
	return nil
}
