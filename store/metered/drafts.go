package metered

import (
	"context"
	"errors"
	"io"
	"time"

	"jsfs/store"
)

// CreateDraft implements [store.Drafts].
func (s *stream) CreateDraft(ctx context.Context, name string) (store.Draft, error) {
	return s.opened(opDraftCreate, func() (store.Draft, error) { return s.Stream.CreateDraft(ctx, name) })
}

// OpenDraft implements [store.Drafts].
func (s *stream) OpenDraft(ctx context.Context, name string) (store.Draft, error) {
	return s.opened(opDraftOpen, func() (store.Draft, error) { return s.Stream.OpenDraft(ctx, name) })
}

// ScratchDraft implements [store.Drafts].
func (s *stream) ScratchDraft(ctx context.Context) (store.Draft, error) {
	return s.opened(opDraftScratch, func() (store.Draft, error) { return s.Stream.ScratchDraft(ctx) })
}

// opened returns what open does, counted.
func (s *stream) opened(o op, open func() (store.Draft, error)) (store.Draft, error) {
	start := time.Now()
	d, err := open()
	s.m.done(o, start, err)
	if err != nil {
		return nil, err
	}
	return &draft{d, s.m}, nil
}

// RenameDraft implements [store.Drafts].
func (s *stream) RenameDraft(ctx context.Context, from, to string) error {
	start := time.Now()
	err := s.Stream.RenameDraft(ctx, from, to)
	s.m.done(opDraftRename, start, err)
	return err
}

// one is how many messages a call stored that was to store one.
func one(err error) int {
	if err != nil {
		return 0
	}
	return 1
}

// PublishDraft implements [store.Drafts].
func (s *stream) PublishDraft(ctx context.Context, name string, e store.Entry) (store.Seq, error) {
	start := time.Now()
	seq, err := s.Stream.PublishDraft(ctx, name, e)
	s.m.store(opDraftPublish, start, []store.Entry{e}, one(err), err)
	return seq, err
}

// RestoreDraft implements [store.Drafts].
func (s *stream) RestoreDraft(ctx context.Context, name string, m store.Msg) error {
	start := time.Now()
	err := s.Stream.RestoreDraft(ctx, name, m)
	s.m.restored(opDraftRestore, start, []store.Msg{m}, one(err), err)
	return err
}

// RemoveDraft implements [store.Drafts].
func (s *stream) RemoveDraft(ctx context.Context, name string) error {
	start := time.Now()
	err := s.Stream.RemoveDraft(ctx, name)
	s.m.done(opDraftRemove, start, err)
	return err
}

// ListDrafts implements [store.Drafts].
func (s *stream) ListDrafts(ctx context.Context) ([]store.DraftInfo, error) {
	start := time.Now()
	list, err := s.Stream.ListDrafts(ctx)
	s.m.done(opDraftList, start, err)
	return list, err
}

// draft is a draft that is counted.
type draft struct {
	d store.Draft
	m *metrics
}

// ReadAt implements [store.Draft].
func (d *draft) ReadAt(b []byte, off int64) (int, error) {
	start := time.Now()
	n, err := d.d.ReadAt(b, off)
	failed := err
	if errors.Is(err, io.EOF) {
		failed = nil
	}
	d.m.done(opDraftRead, start, failed)
	return n, err
}

// WriteAt implements [store.Draft].
func (d *draft) WriteAt(b []byte, off int64) (int, error) {
	start := time.Now()
	n, err := d.d.WriteAt(b, off)
	d.m.done(opDraftWrite, start, err)
	return n, err
}

// Truncate implements [store.Draft].
func (d *draft) Truncate(size int64) error {
	start := time.Now()
	err := d.d.Truncate(size)
	d.m.done(opDraftTruncate, start, err)
	return err
}

// Size implements [store.Draft].
func (d *draft) Size() (int64, error) {
	start := time.Now()
	n, err := d.d.Size()
	d.m.done(opDraftSize, start, err)
	return n, err
}

// ModTime implements [store.Draft].
func (d *draft) ModTime() (int64, error) {
	start := time.Now()
	ns, err := d.d.ModTime()
	d.m.done(opDraftModTime, start, err)
	return ns, err
}

// Sync implements [store.Draft].
func (d *draft) Sync() error {
	start := time.Now()
	err := d.d.Sync()
	d.m.done(opDraftSync, start, err)
	return err
}

// Close implements [store.Draft].
func (d *draft) Close() error {
	start := time.Now()
	err := d.d.Close()
	d.m.done(opDraftClose, start, err)
	return err
}
