package blockstore

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/record"
	"jsfs/store/internal/vfs"
)

// openSmall opens the stream S, which it makes if it is not there, with blocks of a few messages.
func openSmall(t *testing.T, fs vfs.FS) (*Store, *Stream) {
	t.Helper()
	return openBlocks(t, fs, minBlockSize)
}

// openBlocks is openSmall with blocks of that size.
func openBlocks(t *testing.T, fs vfs.FS, size int64) (*Store, *Stream) {
	t.Helper()
	st, err := Open(fs, Options{Sync: SyncNever, BlockSize: size})
	if err != nil {
		t.Fatal(err)
	}
	s, err := st.Stream(t.Context(), "S")
	if err != nil {
		s, err = st.Create(t.Context(), store.Config{Name: "S"})
	}
	if err != nil {
		t.Fatal(err)
	}
	return st, s.(*Stream)
}

func put(t *testing.T, s *Stream, subject string) store.Seq {
	t.Helper()
	seq, err := s.Append(t.Context(), store.Entry{Subject: subject, Data: make([]byte, 100)})
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

// TestTheWriterKnowsASubject asks as who limits a subject does: while it has the stream to itself.
func TestTheWriterKnowsASubject(t *testing.T) {
	fs := vfs.NewMem()
	st, s := openSmall(t, fs)
	want := func(subject string, n uint64, first, last store.Seq) {
		t.Helper()
		s.wmu.Lock()
		defer s.wmu.Unlock()
		got, err := s.subjectStateLocked(t.Context(), subject)
		if w := (store.Count{Messages: n, First: first, Last: last}); err != nil || got != w {
			t.Errorf("%s: got %+v, %v, want %+v", subject, got, err, w)
		}
	}
	for i := range 60 {
		put(t, s, []string{"a", "b", "c"}[i%3])
	}
	want("a", 20, 1, 58)
	want("none", 0, 0, 0)
	remove := func(seqs ...store.Seq) {
		t.Helper()
		for _, seq := range seqs {
			if ok, err := s.Remove(t.Context(), seq); !ok || err != nil {
				t.Fatalf("remove %d: %v, %v", seq, ok, err)
			}
		}
	}
	remove(1, 4, 58, 2)
	want("a", 17, 7, 55)
	want("b", 19, 5, 59)
	if err := s.Undelete(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	want("a", 18, 4, 55)
	put(t, s, "a")
	want("a", 19, 4, 61)

	// What is written and not published yet is counted.
	s.wmu.Lock()
	if r := s.writeLocked([]store.Entry{{Subject: "a"}, {Subject: "d"}}); r.err != nil {
		t.Fatal(r.err)
	}
	s.wmu.Unlock()
	want("a", 20, 4, 62)
	want("d", 1, 63, 63)
	s.wmu.Lock()
	s.publishStored()
	s.wmu.Unlock()
	want("a", 20, 4, 62)

	// It may be asked for the first time while a batch is written.
	s.wmu.Lock()
	s.subjects.drop()
	if err := s.writeLocked([]store.Entry{{Subject: "d"}, {Subject: "e"}}).err; err != nil {
		t.Fatal(err)
	}
	s.wmu.Unlock()
	want("d", 2, 63, 64)
	s.wmu.Lock()
	s.publishStored()
	s.wmu.Unlock()
	want("d", 2, 63, 64)
	want("e", 1, 65, 65)

	// It is the same after reopening, and after it was forgotten.
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	st, s = openSmall(t, fs)
	defer st.Close()
	want("a", 20, 4, 62)
	s.subjects.drop()
	want("b", 19, 5, 59)
}

// TestTheIndexIsMadeWhileTheStreamChanges has readers make the index again and again while a writer stores, removes
// and brings back; in the end it must say what the blocks do.
func TestTheIndexIsMadeWhileTheStreamChanges(t *testing.T) {
	st, s := openSmall(t, vfs.NewMem())
	defer st.Close()
	ctx := t.Context()
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				s.subjects.drop()
				if _, err := s.Count(ctx, store.Query{Subject: fmt.Sprintf("s.%d", i%7)}); err != nil {
					t.Error(err)
				}
				for _, err := range s.Subjects(ctx, "s.*", "") {
					if err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	for i := range 600 {
		seq := put(t, s, fmt.Sprintf("s.%d", i%7))
		if i%3 == 0 && seq > 20 {
			if _, err := s.Remove(ctx, seq-20); err != nil {
				t.Error(err)
			}
		}
		if i%6 == 0 && seq > 40 {
			_ = s.Undelete(ctx, seq-20)
		}
		if i%50 == 49 {
			if _, err := s.Purge(ctx, store.Purge{Subject: "s.3", Below: seq - 10}); err != nil {
				t.Error(err)
			}
		}
	}
	close(done)
	wg.Wait()
	counts := func() (out []store.SubjectCount) {
		for c, err := range s.Subjects(ctx, "", "") {
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, c)
		}
		return out
	}
	got := counts()
	s.subjects.drop()
	if want := counts(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, the blocks say %v", got, want)
	}
}

// TestAMessageIsErasedWhileTheIndexIsMade has the blocks read behind an erasure that the index is told of: the message is taken out once.
func TestAMessageIsErasedWhileTheIndexIsMade(t *testing.T) {
	for name, first := range map[string]bool{"the footer's names are erased with it": true, "the tail": false} {
		t.Run(name, func(t *testing.T) {
			fsys, _, s := openHooked(t)
			for range 8 {
				put(t, s, "x")
			}
			seq := store.Seq(s.cur.Load().last)
			if first {
				seq = 2
				if _, err := s.Erase(t.Context(), 1); err != nil { // the only one on its subject: its name goes
					t.Fatal(err)
				}
			}
			want, err := s.Count(t.Context(), store.Query{Subject: "x"})
			fatal(t, err)
			s.subjects.drop()
			fsys.once(func() {
				if live, err := s.Erase(t.Context(), seq); err != nil || !live {
					t.Error(live, err)
				}
			})
			for range 2 {
				got, err := s.Count(t.Context(), store.Query{Subject: "x"})
				if err != nil || got.Messages != want.Messages-1 {
					t.Errorf("got %+v and %v, want one less than %+v", got, err, want)
				}
			}
		})
	}
}

// TestADamagedFooterCostsNoAnswer damages the lists of subjects: what is found is the same, and it is reported.
func TestADamagedFooterCostsNoAnswer(t *testing.T) {
	fs := vfs.NewMem()
	st, s := openSmall(t, fs)
	for i := range 40 {
		put(t, s, fmt.Sprintf("s.%d", i%4))
	}
	off, n := s.cur.Load().blocks[0].trailer.Place(record.Subjects)
	name := s.cur.Load().blocks[0].name
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("damage"), off+int64(n)-6); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	st, s = openSmall(t, fs)
	defer st.Close()
	if c, err := s.Count(t.Context(), store.Query{Subject: "s.1"}); err != nil || c != (store.Count{Messages: 10, First: 2, Last: 38}) {
		t.Errorf("got %+v, %v", c, err)
	}
	if m, err := s.Next(t.Context(), store.Query{Subject: "s.0", From: 2}, nil); err != nil || m.Seq != 5 {
		t.Errorf("got %d, %v, want 5", m.Seq, err)
	}
	if d, err := s.Damage(t.Context()); err != nil || len(d) != 1 {
		t.Errorf("got damage %+v, %v, want one entry", d, err)
	}
}

// TestAPurgeOfBlocksCountsNothingTwice removes messages, and then the whole blocks that they were in.
func TestAPurgeOfBlocksCountsNothingTwice(t *testing.T) {
	st, s := openSmall(t, vfs.NewMem())
	defer st.Close()
	for range 100 {
		put(t, s, "x")
		put(t, s, "y")
	}
	count := func() (n uint64) {
		c, err := s.Count(t.Context(), store.Query{Subject: "x"})
		if err != nil {
			t.Fatal(err)
		}
		return c.Messages
	}
	if got := count(); got != 100 { // makes the index
		t.Fatalf("got %d messages, want 100", got)
	}
	for _, seq := range []store.Seq{1, 5, 6, 9} {
		if ok, err := s.Remove(t.Context(), seq); err != nil || !ok {
			t.Fatal(ok, err)
		}
	}
	if n, err := s.RemoveAll(t.Context(), []store.Range{{First: 1, Last: 100}}); err != nil || n != 96 {
		t.Fatalf("%d messages were removed, %v, want 96", n, err)
	}
	if !s.subjects.isReady() {
		t.Error("the index was dropped, so that nothing was tried")
	}
	if got := count(); got != 50 {
		t.Errorf("got %d messages, want 50", got)
	}
}

// TestAPurgeOfASubjectAmongManyBlocks purges subjects that few of the blocks have, of more blocks than are looked at together,
// whose tables are in memory or not.
func TestAPurgeOfASubjectAmongManyBlocks(t *testing.T) {
	st, s := openSmall(t, vfs.NewMem())
	defer st.Close()
	const messages, rares = 1500, 5
	var want [rares][]store.Range
	for i := range messages {
		if i%37 != 0 {
			put(t, s, fmt.Sprintf("common.%d", i))
			continue
		}
		r := i / 37 % rares
		seq := put(t, s, fmt.Sprintf("rare.%d", r))
		want[r] = append(want[r], store.Range{First: seq, Last: seq})
	}
	if n := len(s.cur.Load().blocks); n < 2*likelyBlocks {
		t.Fatalf("only %d blocks", n)
	}
	left := int64(messages)
	for r, seqs := range want {
		n, err := s.Purge(t.Context(), store.Purge{Subject: fmt.Sprintf("rare.%d", r)})
		if err != nil || n != int64(len(seqs)) {
			t.Fatalf("%d messages of rare.%d were removed, %v, want %d", n, r, err, len(seqs))
		}
		for _, e := range seqs {
			if _, err := s.Stat(t.Context(), e.First); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("message %d of rare.%d: %v, want that it is not found", e.First, r, err)
			}
		}
		left -= n
		if got := s.cur.Load().live.Messages; got != left {
			t.Errorf("%d messages are live, want %d", got, left)
		}
	}
	if !s.subjects.isReady() {
		t.Error("the index was dropped, so that it contradicted the blocks")
	}
	if n, _ := s.subjects.count(); n != uint64(left) {
		t.Errorf("%d subjects, want %d", n, left)
	}
}

// TestTheLastOfASubjectWithTheHashOfAnother asks for the last message on a subject that the index takes for another one.
func TestTheLastOfASubjectWithTheHashOfAnother(t *testing.T) {
	st, s := openSmall(t, vfs.NewMem())
	defer st.Close()
	const subjects = 5000
	for i := range subjects {
		put(t, s, fmt.Sprint("s.", i))
	}
	if m, err := s.LoadLast(t.Context(), "s.7", nil); err != nil || m.Seq != 8 {
		t.Fatalf("got message %d, %v, want 8", m.Seq, err)
	}
	var name string
	for i := 0; ; i++ {
		name = fmt.Sprint("none.", i)
		if _, ok := s.subjects.subs.Guess(name); ok {
			break
		}
	}
	if m, err := s.LoadLast(t.Context(), name, nil); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("got message %d on %s, %v, want none on %s", m.Seq, m.Subject, err, name)
	}
	seq := put(t, s, name)
	if m, err := s.LoadLast(t.Context(), name, nil); err != nil || m.Seq != seq || m.Subject != name {
		t.Errorf("got message %d on %s, %v, want %d on %s", m.Seq, m.Subject, err, seq, name)
	}
}
