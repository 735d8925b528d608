package gather

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"jsfs/store"
	"jsfs/store/jsonl"
)

// faulty is a stream on which calls fail.
type faulty struct {
	store.Stream
	restore, rename, remove, create error
	limit                           error // with which messages are stored all the same
	write, sync                     error
	page                            int64 // of the draft that can't be read, counted from 1
	syncs                           int
	unsafe                          bool // messages were stored since the stream was synced
	lossy                           bool // the draft was taken away meanwhile
}

func (f *faulty) RestoreAll(ctx context.Context, ms []store.Msg) (int, error) {
	f.unsafe = true
	if f.restore == nil {
		n, err := f.Stream.RestoreAll(ctx, ms)
		return n, errors.Join(err, f.limit)
	}
	n, err := f.Stream.RestoreAll(ctx, ms[:len(ms)/2])
	return n, errors.Join(err, f.restore)
}

func (f *faulty) Sync(ctx context.Context) error {
	if f.sync != nil {
		return f.sync
	}
	f.unsafe = false
	return f.Stream.Sync(ctx)
}

func (f *faulty) RenameDraft(ctx context.Context, from, to string) error {
	f.lossy = f.lossy || f.unsafe
	if f.rename != nil {
		return f.rename
	}
	return f.Stream.RenameDraft(ctx, from, to)
}

func (f *faulty) RemoveDraft(ctx context.Context, name string) error {
	f.lossy = f.lossy || f.unsafe
	if f.remove != nil {
		return f.remove
	}
	return f.Stream.RemoveDraft(ctx, name)
}

func (f *faulty) CreateDraft(ctx context.Context, name string) (store.Draft, error) {
	if f.create != nil {
		return nil, f.create
	}
	d, err := f.Stream.CreateDraft(ctx, name)
	return faultyDraft{d, f}, err
}

func (f *faulty) OpenDraft(ctx context.Context, name string) (store.Draft, error) {
	d, err := f.Stream.OpenDraft(ctx, name)
	return faultyDraft{d, f}, err
}

type faultyDraft struct {
	store.Draft
	f *faulty
}

func (d faultyDraft) WriteAt(p []byte, off int64) (int, error) {
	if d.f.write != nil {
		n, err := d.Draft.WriteAt(p, off) // all of it may be there nevertheless
		return n, errors.Join(err, d.f.write)
	}
	return d.Draft.WriteAt(p, off)
}

func (d faultyDraft) ReadAt(p []byte, off int64) (int, error) {
	if bad := (d.f.page - 1) * pageSize; d.f.page > 0 && off < bad+pageSize && off+int64(len(p)) > bad {
		return 0, &store.CorruptError{Err: errors.New("a flipped bit")}
	}
	return d.Draft.ReadAt(p, off)
}

func (d faultyDraft) Sync() error {
	d.f.syncs++
	return d.Draft.Sync()
}

func newFaulty(t *testing.T, opt Options) (*faulty, *bench) {
	t.Helper()
	f := &faulty{Stream: newStream(t)}
	return f, newBench(t, f, opt)
}

// later has a failure forgotten, as if it were long ago.
func (b *bench) later() {
	b.r.mu.Lock()
	defer b.r.mu.Unlock()
	b.r.tried = time.Time{}
}

func TestAFullStoreIsTriedAgain(t *testing.T) {
	f, b := newFaulty(t, Options{})
	b.restore(9, 3, 7, 5)
	f.restore = store.ErrNoSpace
	for range 3 {
		if err := b.r.Settle(t.Context()); !errors.Is(err, store.ErrNoSpace) {
			t.Fatalf("got %v", err)
		}
	}
	b.want([]store.Seq{3, 5}, Draft)
	if len(b.reported) != 1 {
		t.Errorf("reported %d times: %v", len(b.reported), b.reported)
	}
	if err := b.r.Restore(t.Context(), message(8), maker()); err != nil { // it can be held still
		t.Error(err)
	}
	f.restore = nil
	b.later()
	b.settle()
	b.want([]store.Seq{3, 5, 7, 8, 9})
}

func TestAFullStoreAtTheEnd(t *testing.T) {
	f, b := newFaulty(t, Options{})
	b.restore(9, 3, 7, 5)
	f.restore = store.ErrNoSpace
	b.r.End(t.Context())
	b.want([]store.Seq{3, 5}, Draft)
	f.restore = nil
	next := newBench(t, f, Options{})
	if err := next.r.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	next.want([]store.Seq{3, 5, 7, 9})
}

// Where the draft can't be written, messages are stored as they come.
func TestNoRoomForTheDraft(t *testing.T) {
	f, b := newFaulty(t, Options{})
	f.create = store.ErrNoSpace
	b.restore(3)
	b.want([]store.Seq{3})
	f.create = nil
	b.restore(9, 5)
	f.write = store.ErrNoSpace
	b.restore(12)
	b.want([]store.Seq{3, 5, 9, 12})
}

// A message that was refused is not there after a crash.
func TestARefusedMessageIsNotHeld(t *testing.T) {
	f, b := newFaulty(t, Options{})
	b.restore(9, 5)
	f.write, f.restore = store.ErrNoSpace, store.ErrNoSpace
	if err := b.r.Restore(t.Context(), message(12), maker()); !errors.Is(err, store.ErrNoSpace) {
		t.Fatalf("got %v", err)
	}
	b.kill()
	f.write, f.restore = nil, nil
	next := newBench(t, f, Options{})
	if err := next.r.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	next.want([]store.Seq{5, 9})
}

// What was refused is not forgotten because the draft can't be given its name at once.
func TestARefusalWaitsForItsDraft(t *testing.T) {
	f, b := newFaulty(t, Options{})
	b.restore(9, 3)
	if err := f.Stream.Restore(t.Context(), message(4)); err != nil { // 3 has no place any more
		t.Fatal(err)
	}
	f.rename = store.ErrNoSpace
	if err := b.r.Settle(t.Context()); !errors.Is(err, store.ErrNoSpace) {
		t.Fatalf("got %v", err)
	}
	f.rename = nil
	b.later()
	b.settle()
	b.want([]store.Seq{4, 9}, ".refused.1")
}

// What is stored with an error, as what a limit should have removed could not be, is stored.
func TestAnErrorAfterAllIsStored(t *testing.T) {
	f, b := newFaulty(t, Options{})
	b.restore(9, 3)
	f.limit = store.ErrInvalid
	if err := b.r.Settle(t.Context()); !errors.Is(err, store.ErrInvalid) {
		t.Fatalf("got %v", err)
	}
	b.want([]store.Seq{3, 9}, Draft)
	b.later()
	b.settle()
	b.want([]store.Seq{3, 9})
}

// The draft of a writer that was refused is not replaced by what is refused here.
func TestARefusalHasADraftOfItsOwn(t *testing.T) {
	f, b := newFaulty(t, Options{})
	d, err := f.Stream.CreateDraft(t.Context(), ".refused.1")
	if err == nil {
		_, err = d.WriteAt([]byte("another's"), 0)
	}
	if err = errors.Join(err, d.Close()); err != nil {
		t.Fatal(err)
	}
	b.restore(9, 3)
	if err := f.Stream.Restore(t.Context(), message(4)); err != nil {
		t.Fatal(err)
	}
	b.settle()
	b.want([]store.Seq{4, 9}, ".refused.1", ".refused.2")
	if got := b.draft(".refused.1"); got != "another's" {
		t.Errorf("got %q", got)
	}
}

func TestTheDraftGoesLater(t *testing.T) {
	f, b := newFaulty(t, Options{})
	b.restore(9, 3)
	f.remove = errors.New("not now")
	if err := b.r.Settle(t.Context()); err == nil {
		t.Fatal("it was settled")
	}
	b.want([]store.Seq{3, 9}, Draft)
	f.remove = nil
	b.later()
	b.settle()
	b.want([]store.Seq{3, 9})
}

func TestDurable(t *testing.T) {
	f, b := newFaulty(t, Options{Durable: true})
	b.restore(9, 3, 7)
	if f.syncs != 3 {
		t.Errorf("%d syncs for 3 messages", f.syncs)
	}
	f, b = newFaulty(t, Options{})
	b.restore(9, 3, 7)
	if f.syncs != 0 {
		t.Errorf("%d syncs that nobody asked for", f.syncs)
	}
	b.r.mu.Lock()
	b.r.unsafe = time.Now().Add(-2 * syncAfter)
	b.r.mu.Unlock()
	b.r.look()
	if f.syncs != 1 {
		t.Errorf("%d syncs after a while, want 1", f.syncs)
	}
}

// What was synced in the draft is on disk in the stream before the draft is gone.
func TestTheDraftIsThereUntilItsMessagesAreOnDisk(t *testing.T) {
	for _, killed := range []bool{false, true} {
		f, b := newFaulty(t, Options{})
		b.restore(9, 3)
		if err := b.r.Sync(); err != nil {
			t.Fatal(err)
		}
		settle := func() error { return b.r.Settle(t.Context()) }
		if killed { // when all was stored
			f.remove = errors.New("killed")
			_ = settle()
			b.kill()
			f.remove, f.unsafe = nil, true
			b = newBench(t, f, Options{})
			settle = func() error { return b.r.Recover(t.Context()) }
		}
		f.sync = errors.New("the disk is gone")
		_ = settle()
		b.want([]store.Seq{3, 9}, Draft)
		f.sync = nil
		b.later()
		b.settle()
		b.want([]store.Seq{3, 9})
		if f.lossy {
			t.Error("the draft went before its messages were synced")
		}
	}
}

// A damaged page costs the messages that are in it.
func TestDamageInTheDraft(t *testing.T) {
	for page := range int64(4) {
		f, b := newFaulty(t, Options{})
		var seqs, left []store.Seq
		end := 0
		for seq := store.Seq(300); seq > 1; seq -= 2 {
			b.restore(seq)
			from := end
			end += len(jsonl.Append(nil, message(seq)))
			if page == 0 || end <= int(page-1)*pageSize || from >= int(page)*pageSize {
				left = append([]store.Seq{seq}, left...)
			}
			seqs = append(seqs, seq)
		}
		if end < 4*pageSize || page > 0 && len(left) == len(seqs) {
			t.Fatal("the draft is too short for what is tested")
		}
		b.kill()
		f.page = page
		next := newBench(t, f, Options{})
		if err := next.r.Recover(t.Context()); err != nil {
			t.Fatal(err)
		}
		if page == 0 {
			next.want(left)
		} else {
			next.want(left, ".refused.1")
		}
	}
}

func TestTheEndOfTheDraft(t *testing.T) {
	whole := string(jsonl.Append(jsonl.Append(nil, message(9)), message(3)))
	last := string(jsonl.Append(nil, message(5)))
	for _, c := range []struct {
		text   string
		seqs   []store.Seq
		drafts []string
	}{
		{"", nil, nil},
		{whole, []store.Seq{3, 9}, nil},
		{whole + last[:len(last)-1], []store.Seq{3, 9}, nil}, // nobody was told that it is there
		{whole + last[:1], []store.Seq{3, 9}, nil},
		{whole + strings.Repeat("\x00", 5000), []store.Seq{3, 9}, nil},
		{whole + strings.Repeat("\x00", 5000) + last, []store.Seq{3, 9}, []string{".refused.1"}},
		{whole + whole, []store.Seq{3, 9}, []string{".refused.1"}},
		{"\n" + whole, []store.Seq{3, 9}, []string{".refused.1"}},
	} {
		b := newBench(t, newStream(t), Options{})
		d, err := b.CreateDraft(t.Context(), Draft)
		if err == nil {
			_, err = d.WriteAt([]byte(c.text), 0)
		}
		if err = errors.Join(err, d.Close(), b.r.Recover(t.Context())); err != nil {
			t.Fatal(err)
		}
		t.Log(fmt.Sprintf("%.60q", c.text), len(c.text))
		b.want(c.seqs, c.drafts...)
	}
}
