package gather

import (
	"context"
	"errors"
	"slices"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/memstore"
)

// limited are streams of which limits take messages away as soon as others come.
func limited(t *testing.T) map[string]store.Stream {
	t.Helper()
	out := map[string]store.Stream{}
	for name, cfg := range map[string]store.Config{
		"messages":    {MaxMsgs: 2},
		"bytes":       {MaxBytes: 600},
		"per subject": {MaxMsgsPerSubject: 1},
		"age":         {MaxAge: 1e9},
		"new":         {MaxMsgs: 2, Discard: store.DiscardNew},
	} {
		cfg.Name = "S"
		disk, err := blockstore.OpenDir(t.TempDir(), blockstore.Options{Sync: blockstore.SyncNever})
		if err != nil {
			t.Fatal(err)
		}
		for kind, st := range map[string]store.Store{"memory": memstore.New(memstore.Options{}), "blocks": disk} {
			t.Cleanup(func() { _ = st.Close() })
			s, err := st.Create(t.Context(), cfg)
			if err != nil {
				t.Fatal(name, err)
			}
			out[name+" in "+kind] = s
		}
	}
	return out
}

// A limit may have taken what a killed process stored: nobody is told that it was refused.
func TestWhatALimitTookIsNotRefused(t *testing.T) {
	seqs := []store.Seq{31, 12, 6, 18, 21, 9, 3, 15}
	for name, s := range limited(t) {
		for _, part := range []string{"all", "half"} {
			t.Run(name+" "+part, func(t *testing.T) {
				all := slices.Clone(seqs)
				for i := range all { // the second time behind the first
					if part == "half" {
						all[i] += 100
					}
				}
				f := &faulty{Stream: s}
				b := newBench(t, f, Options{})
				b.restore(all...)
				if part == "all" {
					f.remove = errors.New("killed")
				} else {
					f.restore = errors.New("killed")
				}
				_ = b.r.Settle(t.Context())
				b.kill()
				f.remove, f.restore = nil, nil
				next := newBench(t, f, Options{})
				if err := next.r.Recover(t.Context()); err != nil {
					t.Fatal(err)
				}
				next.wantDrafts()
				if st, err := s.State(t.Context()); err != nil || st.Last != slices.Max(all) {
					t.Errorf("the last one is %d, %v", st.Last, err)
				}
				if len(next.reported) > 0 {
					t.Error(next.reported)
				}
			})
		}
	}
}

func (b *bench) wantDrafts(want ...string) {
	b.Helper()
	list, err := b.ListDrafts(b.Context())
	var names []string
	for _, d := range list {
		names = append(names, d.Name)
	}
	if err != nil || !slices.Equal(names, want) {
		b.Errorf("drafts: got %q, %v, want %q", names, err, want)
	}
}

// refusing refuses one message for good.
type refusing struct {
	*faulty
	seq store.Seq
}

func (f *refusing) RestoreAll(ctx context.Context, ms []store.Msg) (int, error) {
	for i, m := range ms {
		if m.Seq == f.seq {
			n, err := f.faulty.RestoreAll(ctx, ms[:i])
			return n, errors.Join(err, store.ErrInvalid)
		}
	}
	return f.faulty.RestoreAll(ctx, ms)
}

// What was refused before the process was killed is refused afterwards, though the stream got beyond it.
func TestWhatWasRefusedStaysRefused(t *testing.T) {
	f := &refusing{&faulty{Stream: newStream(t)}, 3}
	b := newBench(t, f, Options{})
	b.restore(9, 3, 7)
	f.rename = errors.New("killed")
	_ = b.r.Settle(t.Context())
	b.want([]store.Seq{7, 9}, Draft)
	b.kill()
	f.rename = nil
	next := newBench(t, f, Options{})
	if err := next.r.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	next.want([]store.Seq{7, 9}, ".refused.1")
}

// What somebody else put in the place of a message, and a limit took, was not stored.
func TestAPlaceThatWasTakenIsNotStored(t *testing.T) {
	st := memstore.New(memstore.Options{})
	t.Cleanup(func() { _ = st.Close() })
	s, err := st.Create(t.Context(), store.Config{Name: "S", MaxMsgs: 1})
	if err != nil {
		t.Fatal(err)
	}
	f := &faulty{Stream: s}
	b := newBench(t, f, Options{})
	b.restore(9, 3)
	f.restore = store.ErrNoSpace
	for range 2 { // the half of two, then none of one
		_ = b.r.Settle(t.Context())
		b.later()
	}
	b.kill()
	for _, seq := range []store.Seq{9, 10} {
		m := message(seq)
		m.Data = []byte("a source's")
		if err := s.Restore(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	f.restore = nil
	next := newBench(t, f, Options{})
	if err := next.r.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	next.wantDrafts(".refused.1")
}

// Notes are taken back in place, and lines behind them are found.
func TestNotesAreNoLines(t *testing.T) {
	f, b := newFaulty(t, Options{})
	b.restore(9, 3)
	f.restore = store.ErrNoSpace
	_ = b.r.Settle(t.Context())
	b.restore(12)
	b.later()
	_ = b.r.Settle(t.Context())
	b.r.mu.Lock()
	notes := len(b.r.file.notes)
	err := b.r.file.voidNotes()
	b.r.mu.Unlock()
	if notes != 2 || err != nil {
		t.Errorf("%d notes, %v", notes, err)
	}
	b.kill()
	f.restore = nil
	next := newBench(t, f, Options{})
	if err := next.r.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	next.want([]store.Seq{3, 9, 12})
}

// ordered notes whether what the draft says is on disk when messages are stored, and when one was refused.
type ordered struct {
	*refusing
	dirty, late bool
	breaks      error // why the draft can't be written any more once a message was refused
}

func (o *ordered) CreateDraft(ctx context.Context, name string) (store.Draft, error) {
	d, err := o.refusing.CreateDraft(ctx, name)
	return orderedDraft{d, o}, err
}

func (o *ordered) RestoreAll(ctx context.Context, ms []store.Msg) (int, error) {
	o.late = o.late || o.dirty
	n, err := o.refusing.RestoreAll(ctx, ms)
	if errors.Is(err, store.ErrInvalid) {
		o.write = o.breaks
	}
	return n, err
}

type orderedDraft struct {
	store.Draft
	o *ordered
}

func (d orderedDraft) WriteAt(p []byte, off int64) (int, error) {
	d.o.dirty = true
	return d.Draft.WriteAt(p, off)
}

func (d orderedDraft) Sync() error {
	d.o.dirty = false
	return d.Draft.Sync()
}

// What is noted is on disk before anything is stored, and taken back on disk before anything else is, once one was refused.
func TestNotesAreOnDiskBeforeWhatTheySay(t *testing.T) {
	o := &ordered{refusing: &refusing{&faulty{Stream: newStream(t)}, 3}}
	b := newBench(t, o, Options{})
	b.restore(9, 3, 7)
	b.settle()
	b.want([]store.Seq{7, 9}, ".refused.1")
	if o.late {
		t.Error("messages were stored before the note, or the end of it, was synced")
	}
}

// A message that can't be stored is held until that is certain for who comes after a crash.
func TestWhatIsRefusedIsHeldUntilTheNoteIsVoid(t *testing.T) {
	o := &ordered{refusing: &refusing{&faulty{Stream: newStream(t)}, 3}, breaks: errors.New("the disk is gone")}
	b := newBench(t, o, Options{})
	b.restore(9, 3, 7)
	if err := b.r.Settle(t.Context()); !errors.Is(err, o.breaks) {
		t.Errorf("got %v", err)
	}
	b.want(nil, Draft)
	if !b.r.Holds(3) {
		t.Error("3 is not held")
	}
	o.write, o.breaks = nil, nil
	b.later()
	b.settle()
	b.want([]store.Seq{7, 9}, ".refused.1")
}
