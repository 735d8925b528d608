package storetest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"

	"jsfs/store"
)

// trouble is what the model of failing disks knows of the last call on the engine: the reference does what that one did.
type trouble struct {
	// hit says whether the disk fails in this operation: then what is refused may be so because of what limits left.
	hit  func() bool
	lift func() // ends that
	err  error  // it gave that, as the disk failed; nil if it did not
	n    int    // of several messages it stored so many
	// partly says that a message may be erased where it was removed, but not where it is live.
	partly bool
}

// met notes what a call on the engine gave.
func (t *trouble) met(n int, err error) {
	t.err, t.n = nil, n
	if err != nil && t.hit() {
		t.err = err
	}
}

// met1 is met for what such a call returns.
func met1[T any](t *trouble, v T, err error) (T, error) {
	t.met(0, err)
	return v, err
}

// unless does in the reference what was done in the engine.
func unless[T any](t *trouble, do func() (T, error)) (T, error) {
	if t.err == nil {
		return do()
	}
	if why := t.err.Error(); strings.Contains(why, "is stored, but") || strings.Contains(why, "is removed, but") {
		_, _ = do()
	}
	return *new(T), t.err
}

// unless0 is unless for what returns an error alone.
func unless0(t *trouble, do func() error) error {
	_, err := unless(t, func() (struct{}, error) { return struct{}{}, do() })
	return err
}

// gotStore is the engine, and wantStore the reference that does what it did. So it is with their streams and consumers.
type (
	gotStore struct {
		store.Store
		t       *trouble
		streams map[store.Stream]*gotStream
	}
	wantStore struct {
		store.Store
		t       *trouble
		streams map[store.Stream]*wantStream
	}
	gotStream struct {
		store.Stream
		t *trouble
	}
	wantStream struct {
		store.Stream
		t *trouble
	}
	gotConsumer struct {
		store.Consumer
		t *trouble
	}
	wantConsumer struct {
		store.Consumer
		t *trouble
	}
)

func (s *gotStore) wrap(st store.Stream) store.Stream {
	if s.streams[st] == nil {
		s.streams[st] = &gotStream{st, s.t}
	}
	return s.streams[st]
}

func (s *wantStore) wrap(st store.Stream) store.Stream {
	if s.streams[st] == nil {
		s.streams[st] = &wantStream{st, s.t}
	}
	return s.streams[st]
}

func (s *gotStore) Stream(ctx context.Context, name string) (store.Stream, error) {
	st, err := s.Store.Stream(ctx, name)
	if err != nil {
		return nil, err
	}
	return s.wrap(st), nil
}

func (s *wantStore) Stream(ctx context.Context, name string) (store.Stream, error) {
	st, err := s.Store.Stream(ctx, name)
	if err != nil {
		return nil, err
	}
	return s.wrap(st), nil
}

func (s *gotStore) Create(ctx context.Context, cfg store.Config) (store.Stream, error) {
	cfg.DenyDelete = false // the model removes what limits could not
	st, err := s.Store.Create(ctx, cfg)
	return met1(s.t, st, err)
}

func (s *wantStore) Create(ctx context.Context, cfg store.Config) (store.Stream, error) {
	cfg.DenyDelete = false
	return unless(s.t, func() (store.Stream, error) { return s.Store.Create(ctx, cfg) })
}

func (s *gotStore) Update(ctx context.Context, cfg store.Config) error {
	cfg.DenyDelete = false
	err := s.Store.Update(ctx, cfg)
	s.t.met(0, err)
	return err
}

func (s *wantStore) Update(ctx context.Context, cfg store.Config) error {
	cfg.DenyDelete = false
	return unless0(s.t, func() error { return s.Store.Update(ctx, cfg) })
}

func (s *gotStore) Remove(ctx context.Context, name string) error {
	err := s.Store.Remove(ctx, name)
	s.t.met(0, err)
	return err
}

func (s *wantStore) Remove(ctx context.Context, name string) error {
	return unless0(s.t, func() error { return s.Store.Remove(ctx, name) })
}

func (s *gotStore) Truncate(ctx context.Context, name string, last store.Seq) (store.Stream, error) {
	st, err := s.Store.Truncate(ctx, name, last)
	if s.t.met(0, err); err != nil {
		return nil, err
	}
	return s.wrap(st), nil
}

func (s *wantStore) Truncate(ctx context.Context, name string, last store.Seq) (store.Stream, error) {
	st, err := unless(s.t, func() (store.Stream, error) { return s.Store.Truncate(ctx, name, last) })
	if err != nil {
		return nil, err
	}
	return s.wrap(st), nil
}

func (s *gotStore) Revive(ctx context.Context, inc uint64) (store.Stream, error) {
	st, err := s.Store.Revive(ctx, inc)
	return met1(s.t, st, err)
}

func (s *wantStore) Revive(ctx context.Context, inc uint64) (store.Stream, error) {
	return unless(s.t, func() (store.Stream, error) { return s.Store.Revive(ctx, inc) })
}

func (s *gotStream) Append(ctx context.Context, e store.Entry) (store.Seq, error) {
	seq, err := s.Stream.Append(ctx, e)
	return met1(s.t, seq, err)
}

func (s *wantStream) Append(ctx context.Context, e store.Entry) (store.Seq, error) {
	return unless(s.t, func() (store.Seq, error) { return s.Stream.Append(ctx, e) })
}

func (s *gotStream) AppendAll(ctx context.Context, es []store.Entry) (int, error) {
	n, err := s.Stream.AppendAll(ctx, simpler(s.Config(), es))
	s.t.met(n, err)
	return n, err
}

// simpler returns those of es for which it makes no difference when messages go. In a stream where storing takes messages away, what should have
// gone may still be there for a message that expects something of those before it; and where messages that nobody wants count as long as
// they are there, a batch finds more room if some was made in the middle of it.
func simpler(cfg store.Config, es []store.Entry) []store.Entry {
	if cfg.Retention == store.RetentionInterest && cfg.Discard == store.DiscardNew {
		return es[:min(len(es), 1)]
	}
	if cfg.Retention != store.RetentionInterest && cfg.MaxMsgs <= 0 && cfg.MaxBytes <= 0 && cfg.MaxMsgsPerSubject <= 0 {
		return es
	}
	es = slices.Clone(es)
	for i := range es {
		if bytes.Contains(es[i].Header, []byte("Nats-Expected-Last-")) {
			es[i].Header = nil
		}
	}
	return es
}

func (s *wantStream) AppendAll(ctx context.Context, es []store.Entry) (int, error) {
	es = simpler(s.Config(), es)
	if s.t.err == nil {
		return s.Stream.AppendAll(ctx, es)
	}
	n, err := s.Stream.AppendAll(ctx, es[:s.t.n])
	return n, errors.Join(err, s.t.err)
}

func (s *gotStream) Restore(ctx context.Context, m store.Msg) error {
	err := s.Stream.Restore(ctx, m)
	s.t.met(0, err)
	return err
}

func (s *wantStream) Restore(ctx context.Context, m store.Msg) error {
	return unless0(s.t, func() error { return s.Stream.Restore(ctx, m) })
}

func (s *gotStream) RestoreAll(ctx context.Context, ms []store.Msg) (int, error) {
	n, err := s.Stream.RestoreAll(ctx, ms)
	s.t.met(n, err)
	return n, err
}

func (s *wantStream) RestoreAll(ctx context.Context, ms []store.Msg) (int, error) {
	if s.t.err == nil {
		return s.Stream.RestoreAll(ctx, ms)
	}
	n, err := s.Stream.RestoreAll(ctx, ms[:s.t.n])
	return n, errors.Join(err, s.t.err)
}

func (s *gotStream) SkipTo(ctx context.Context, last store.Seq, ns int64) error {
	err := s.Stream.SkipTo(ctx, last, ns)
	s.t.met(0, err)
	return err
}

func (s *wantStream) SkipTo(ctx context.Context, last store.Seq, ns int64) error {
	return unless0(s.t, func() error { return s.Stream.SkipTo(ctx, last, ns) })
}

func (s *gotStream) Remove(ctx context.Context, seq store.Seq) (bool, error) {
	live, err := s.Stream.Remove(ctx, seq)
	return met1(s.t, live, err)
}

func (s *wantStream) Remove(ctx context.Context, seq store.Seq) (bool, error) {
	return unless(s.t, func() (bool, error) { return s.Stream.Remove(ctx, seq) })
}

func (s *gotStream) Erase(ctx context.Context, seq store.Seq) (bool, error) {
	live, err := s.Stream.Erase(ctx, seq)
	if s.t.met(0, err); s.t.err != nil {
		s.t.partly = true
		if _, err := s.Stream.Stat(ctx, seq); errors.Is(err, store.ErrNotFound) {
			s.t.n = 1
		}
	}
	return live, err
}

// Erase removes what the engine has removed, though its bytes could not be overwritten.
func (s *wantStream) Erase(ctx context.Context, seq store.Seq) (bool, error) {
	if s.t.err != nil && s.t.n == 1 {
		live, err := s.Stream.Remove(ctx, seq)
		return live && err != nil, s.t.err
	}
	return unless(s.t, func() (bool, error) { return s.Stream.Erase(ctx, seq) })
}

func (s *gotStream) Undelete(ctx context.Context, seq store.Seq) error {
	err := s.Stream.Undelete(ctx, seq)
	s.t.met(0, err)
	return err
}

func (s *wantStream) Undelete(ctx context.Context, seq store.Seq) error {
	return unless0(s.t, func() error { return s.Stream.Undelete(ctx, seq) })
}

func (s *gotStream) Sync(ctx context.Context) error {
	err := s.Stream.Sync(ctx)
	s.t.met(0, err)
	return err
}

func (s *wantStream) Sync(ctx context.Context) error {
	return unless0(s.t, func() error { return s.Stream.Sync(ctx) })
}

func (s *gotStream) Purge(ctx context.Context, p store.Purge) (int64, error) {
	n, err := s.Stream.Purge(ctx, p)
	return met1(s.t, n, err)
}

func (s *wantStream) Purge(ctx context.Context, p store.Purge) (int64, error) {
	return unless(s.t, func() (int64, error) { return s.Stream.Purge(ctx, p) })
}

func (s *gotStream) Compact(ctx context.Context, seq store.Seq) (int64, error) {
	n, err := s.Stream.Compact(ctx, seq)
	return met1(s.t, n, err)
}

func (s *wantStream) Compact(ctx context.Context, seq store.Seq) (int64, error) {
	return unless(s.t, func() (int64, error) { return s.Stream.Compact(ctx, seq) })
}

func (s *gotStream) Skip(ctx context.Context, n uint64) (store.Seq, error) {
	seq, err := s.Stream.Skip(ctx, n)
	return met1(s.t, seq, err)
}

func (s *wantStream) Skip(ctx context.Context, n uint64) (store.Seq, error) {
	return unless(s.t, func() (store.Seq, error) { return s.Stream.Skip(ctx, n) })
}

func (s *gotStream) RemoveAll(ctx context.Context, ranges []store.Range) (int64, error) {
	n, err := s.Stream.RemoveAll(ctx, ranges)
	return met1(s.t, n, err)
}

func (s *wantStream) RemoveAll(ctx context.Context, ranges []store.Range) (int64, error) {
	return unless(s.t, func() (int64, error) { return s.Stream.RemoveAll(ctx, ranges) })
}

func (s *gotStream) CreateDraft(ctx context.Context, name string) (store.Draft, error) {
	d, err := s.Stream.CreateDraft(ctx, name)
	return met1(s.t, d, err)
}

func (s *wantStream) CreateDraft(ctx context.Context, name string) (store.Draft, error) {
	return unless(s.t, func() (store.Draft, error) { return s.Stream.CreateDraft(ctx, name) })
}

func (s *gotStream) PublishDraft(ctx context.Context, name string, e store.Entry) (store.Seq, error) {
	seq, err := s.Stream.PublishDraft(ctx, name, e)
	return met1(s.t, seq, err)
}

func (s *wantStream) PublishDraft(ctx context.Context, name string, e store.Entry) (store.Seq, error) {
	return unless(s.t, func() (store.Seq, error) { return s.Stream.PublishDraft(ctx, name, e) })
}

func (s *gotStream) RestoreDraft(ctx context.Context, name string, m store.Msg) error {
	err := s.Stream.RestoreDraft(ctx, name, m)
	s.t.met(0, err)
	return err
}

func (s *wantStream) RestoreDraft(ctx context.Context, name string, m store.Msg) error {
	return unless0(s.t, func() error { return s.Stream.RestoreDraft(ctx, name, m) })
}
