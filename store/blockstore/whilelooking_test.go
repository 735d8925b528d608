package blockstore

import (
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// readHookFS calls a hook before a block is read.
type readHookFS struct {
	vfs.FS
	hook atomic.Pointer[func(name string)]
}

func (h *readHookFS) Open(name string) (vfs.File, error) {
	f, err := h.FS.Open(name)
	return &readHookFile{f, h, name}, err
}

type readHookFile struct {
	vfs.File
	fs   *readHookFS
	name string
}

func (f *readHookFile) ReadAt(p []byte, off int64) (int, error) {
	if hook := f.fs.hook.Load(); hook != nil && strings.HasSuffix(f.name, ".blk") {
		(*hook)(f.name)
	}
	return f.File.ReadAt(p, off)
}

// once lets do happen before the next read of a block.
func (h *readHookFS) once(do func()) {
	h.hook.Store(new(func(string) {
		h.hook.Store(nil)
		do()
	}))
}

// openHooked returns a stream whose first block is sealed, and has message 1 on k.a and others on x. The index of subjects is there.
func openHooked(t *testing.T) (*readHookFS, *Store, *Stream) {
	t.Helper()
	fsys := &readHookFS{FS: vfs.NewMem()}
	st, err := Open(fsys, Options{Sync: SyncNever, BlockSize: 8 << 10, KeepDeleted: -1, asked: true})
	fatal(t, err)
	t.Cleanup(func() { fatal(t, st.Close()) })
	made, err := st.Create(t.Context(), store.Config{Name: "S"})
	fatal(t, err)
	s := made.(*Stream)
	put(t, s, "k.a")
	for len(s.cur.Load().blocks) < 2 {
		put(t, s, "x")
	}
	fatal(t, s.buildSubjects(t.Context()))
	return fsys, st, s
}

// TestWhatReplacesAMessageIsFound has the only message on a subject replaced while somebody looks for it: at any time there is one.
func TestWhatReplacesAMessageIsFound(t *testing.T) {
	for name, find := range map[string]func(s *Stream, q store.Query) (store.Msg, error){
		"next": func(s *Stream, q store.Query) (store.Msg, error) { return s.Next(t.Context(), q, nil) },
		"prev": func(s *Stream, q store.Query) (store.Msg, error) { return s.Prev(t.Context(), q, nil) },
		"last": func(s *Stream, q store.Query) (store.Msg, error) { return s.LoadLast(t.Context(), q.Subject, nil) },
	} {
		fsys, _, s := openHooked(t)
		var second store.Seq
		fsys.once(func() {
			second = put(t, s, "k.a")
			if live, err := s.Remove(t.Context(), 1); err != nil || !live {
				t.Error(live, err)
			}
		})
		m, err := find(s, store.Query{Subject: "k.*"})
		if err != nil || m.Seq != second || second == 0 {
			t.Errorf("%s: got %d and %v, want %d", name, m.Seq, err, second)
		}
	}
}

// TestTheLastMessageWasTheLast has the last message removed while somebody looks for it, after another one came that is
// there no more, either: the one before them was not the last at any time until then.
func TestTheLastMessageWasTheLast(t *testing.T) {
	fsys, _, s := openHooked(t)
	second := put(t, s, "k.b")
	for len(s.cur.Load().blocks) < 3 {
		put(t, s, "x")
	}
	var third store.Seq
	fsys.once(func() {
		third = put(t, s, "k.c")
		if live, err := s.Remove(t.Context(), second); err != nil || !live {
			t.Error(live, err)
		}
	})
	m, err := s.Prev(t.Context(), store.Query{Subject: "k.*"}, nil)
	if err != nil || m.Seq != third || third == 0 {
		t.Errorf("got %d and %v, want %d", m.Seq, err, third)
	}
}

// TestWhatCameBackWhileOthersLookIsFound has a message come back that was passed over, and then the one removed that would be found.
func TestWhatCameBackWhileOthersLookIsFound(t *testing.T) {
	fsys, _, s := openHooked(t)
	second := put(t, s, "k.b")
	for len(s.cur.Load().blocks) < 3 {
		put(t, s, "x")
	}
	if live, err := s.Remove(t.Context(), 1); err != nil || !live {
		t.Fatal(live, err)
	}
	reads := 0
	fsys.hook.Store(new(func(name string) {
		if !strings.HasSuffix(name, "00000002.blk") { // the first block was passed over
			return
		}
		fsys.hook.Store(nil)
		reads++
		fatal(t, s.Undelete(t.Context(), 1))
		if live, err := s.Remove(t.Context(), second); err != nil || !live {
			t.Error(live, err)
		}
	}))
	m, err := s.Next(t.Context(), store.Query{Subject: "k.*"}, nil)
	if err != nil || m.Seq != 1 || reads != 1 {
		t.Errorf("got %d and %v after %d reads, want 1 after 1", m.Seq, err, reads)
	}
}

// TestBoundsAreNotTakenFromReplacedBlocks has the bound of a subject found in a block that is written anew then, and the message
// that has it removed: the old block does not know of that.
func TestBoundsAreNotTakenFromReplacedBlocks(t *testing.T) {
	_, st, s := openHooked(t)
	var seqs []store.Seq
	for range 4 {
		seqs = append(seqs, put(t, s, "k"))
	}
	for n := len(s.cur.Load().blocks); len(s.cur.Load().blocks) == n; {
		put(t, s, "x")
	}
	remove := func(seq store.Seq) {
		t.Helper()
		if live, err := s.Remove(t.Context(), seq); err != nil || !live {
			t.Fatal(live, err)
		}
	}
	remove(seqs[3])
	k := known{name: "k", count: 3, first: uint64(seqs[0]), last: uint64(seqs[3]), stale: 2}
	last, ok := s.cur.Load().at(uint64(seqs[2]))
	if !ok {
		t.Fatal("there is no last message")
	}
	fatal(t, st.Reclaim(t.Context()))
	if last.v.last.Load() == nil {
		t.Fatal("the block was not written anew")
	}
	remove(seqs[2])
	s.settle(&k, last, last, 0)
	got, err := s.LastSeqs(t.Context(), []string{"k"}, 0, 0)
	if want := []store.Seq{seqs[1]}; err != nil || !slices.Equal(got, want) {
		t.Errorf("the last on the subject is %d (%v), want %d", got, err, want)
	}
}

// TestAChangeThatBeganIsSeenWhole looks at a stream while a removal is shown, as who has seen the message gone may.
func TestAChangeThatBeganIsSeenWhole(t *testing.T) {
	_, _, s := openHooked(t)
	s.wmu.Lock()
	defer s.wmu.Unlock()
	before := s.cur.Load().rev
	n := s.cur.begin()
	seen := make(chan uint64)
	go func() { seen <- s.cur.Load().rev }()
	for range 1000 { // time enough to see a part
		runtime.Gosched()
	}
	n.rev++
	s.cur.end()
	if got := <-seen; got != before+1 {
		t.Errorf("got revision %d, want %d", got, before+1)
	}
}

// TestManyRemovalsAreMarked removes more messages in one change than are marked one by one, some of them from the tail, and asks the
// blocks how many are gone.
func TestManyRemovalsAreMarked(t *testing.T) {
	_, _, s := openHooked(t)
	var odd []store.Range
	for seq := store.Seq(1); seq <= 2*fewMarks+50; seq++ {
		if put(t, s, "x"); seq%2 == 1 {
			odd = append(odd, store.Range{First: seq, Last: seq})
		}
	}
	if live, err := s.Remove(t.Context(), 1); err != nil || !live {
		t.Fatal(live, err)
	}
	n, err := s.RemoveAll(t.Context(), odd)
	if err != nil || n != int64(len(odd)-1) {
		t.Fatalf("removed %d (%v), want %d", n, err, len(odd)-1)
	}
	cur := s.cur.Load()
	for i := range cur.blocks {
		v := cur.view(i)
		want := int64(0)
		for m := range v.count {
			gone := slices.Contains(odd, store.Range{First: store.Seq(v.seqOf(m)), Last: store.Seq(v.seqOf(m))})
			if v.isDeleted(m) != gone {
				t.Errorf("message %d is gone: %v, want %v", v.seqOf(m), !gone, gone)
			}
			if gone {
				want++
			}
		}
		if got := v.dead.Load(); got != want {
			t.Errorf("block %d counts %d as gone, want %d", i, got, want)
		}
	}
}
