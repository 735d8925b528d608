package blockstore

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// A process that may have no more files open says so: nothing is taken for damaged, or missing, and nothing is given up.
func TestTooManyOpenFilesAreNoDamage(t *testing.T) {
	const streams = 3
	mem := vfs.NewMem()
	st := exhaustible(t, mem, streams)
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	refused := 0
	for at := 1; ; at++ {
		fail := vfs.NewFail(mem)
		fail.Set(vfs.Fault{At: at, Err: syscall.EMFILE, Match: of("open", "list")})
		st, err := Open(fail, Options{Sync: SyncNever})
		if err != nil {
			if refused++; !errors.Is(err, syscall.EMFILE) {
				t.Errorf("file %d: opening gives %v, want %v", at, err, syscall.EMFILE)
			}
			continue
		}
		wholeStreams(t, st, streams)
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
		if len(fail.Failed()) == 0 {
			break
		}
	}
	if refused < 2*streams {
		t.Errorf("opening failed %d times, want at least twice for each of %d streams", refused, streams)
	}
}

// A stream that could not open its file takes the next message.
func TestAWriterWithoutAFileIsTriedAgain(t *testing.T) {
	mem := vfs.NewMem()
	st := exhaustible(t, mem, 1)
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	fail := vfs.NewFail(mem)
	st, err := Open(fail, Options{Sync: SyncNever})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	s, err := st.Stream(t.Context(), "S0")
	if err != nil {
		t.Fatal(err)
	}
	fail.Set(vfs.Fault{At: 1, Err: syscall.EMFILE, Match: func(call, _ string) bool { return call == "open" }})
	if _, err := s.Append(t.Context(), store.Entry{Subject: "x"}); !errors.Is(err, syscall.EMFILE) || errors.Is(err, store.ErrReadOnly) {
		t.Errorf("without a file: %v, want %v", err, syscall.EMFILE)
	}
	if seq, err := s.Append(t.Context(), store.Entry{Subject: "x"}); err != nil || seq != 2 {
		t.Errorf("the next message: %d, %v", seq, err)
	}
}

// A stream that could not make its next file makes it for the next message.
func TestABlockWithoutAFileIsTriedAgain(t *testing.T) {
	fail, _, s := failing(t, Options{Sync: SyncNever, BlockSize: minBlockSize}, store.Config{})
	big := store.Entry{Subject: "x", Data: make([]byte, 900)}
	_, err := s.Append(t.Context(), big)
	fatal(t, err)
	for i, call := range []string{"create", "syncdir"} { // a directory is opened to be synced
		fail.Set(vfs.Fault{At: 1, Err: syscall.EMFILE, Match: of(call)})
		if _, err := s.Append(t.Context(), big); !errors.Is(err, syscall.EMFILE) || errors.Is(err, store.ErrReadOnly) {
			t.Errorf("%s without a file: %v, want %v", call, err, syscall.EMFILE)
		}
		if seq, err := s.Append(t.Context(), big); err != nil || seq != store.Seq(i+2) {
			t.Errorf("%s: the next message: %d, %v", call, seq, err)
		}
	}
}

// A stream whose configuration could not be written, as no file could be opened, goes on with the one that it has.
func TestAnUpdateWithoutAFileIsRefusedAlone(t *testing.T) {
	fail, st, s := failing(t, Options{Sync: SyncNever}, store.Config{Description: "old"})
	fail.Set(vfs.Fault{At: 1, ForGood: true, Err: syscall.EMFILE, Match: func(call, _ string) bool { return call == "create" || call == "open" }})
	if err := st.Update(t.Context(), store.Config{Name: "S", Description: "new"}); !errors.Is(err, syscall.EMFILE) || s.Config().Description != "old" {
		t.Errorf("without a file: %v, want %v; the stream goes on as %q", err, syscall.EMFILE, s.Config().Description)
	}
	fail.Set(vfs.Fault{})
	if _, err := s.Append(t.Context(), store.Entry{Subject: "x"}); err != nil {
		t.Errorf("a message after that: %v", err)
	}
	if err := st.Update(t.Context(), store.Config{Name: "S", Description: "new"}); err != nil || s.Config().Description != "new" {
		t.Errorf("the update again: %v; the stream goes on as %q", err, s.Config().Description)
	}
}

// exhaustible makes a store in mem, with a message in each stream.
func exhaustible(t *testing.T, mem *vfs.Mem, streams int) *Store {
	t.Helper()
	st, err := Open(mem, Options{Sync: SyncNever})
	if err != nil {
		t.Fatal(err)
	}
	for i := range streams {
		s, err := st.Create(t.Context(), store.Config{Name: fmt.Sprintf("S%d", i)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Append(t.Context(), store.Entry{Subject: "x", Data: []byte("12345")}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.CreateConsumer(t.Context(), store.ConsumerConfig{Name: "c"}); err != nil {
			t.Fatal(err)
		}
	}
	return st
}

// wholeStreams fails the test unless st has the streams of exhaustible, and nothing that is damaged.
func wholeStreams(t *testing.T, st *Store, streams int) {
	t.Helper()
	for i := range streams {
		s, err := st.Stream(t.Context(), fmt.Sprintf("S%d", i))
		if err != nil {
			t.Errorf("stream %d: %v", i, err)
			continue
		}
		state, err := s.State(t.Context())
		if err != nil || state.Live.Messages != 1 || state.Lost != 0 {
			t.Errorf("stream %d: %+v, %v", i, state, err)
		}
		if damage, err := s.Damage(t.Context()); err != nil || len(damage) > 0 {
			t.Errorf("stream %d: damage %+v, %v", i, damage, err)
		}
		if _, err := s.Consumer(t.Context(), "c"); err != nil {
			t.Errorf("stream %d: %v", i, err)
		}
		if err := s.Sync(t.Context()); err != nil { // it is not only read
			t.Errorf("stream %d: %v", i, err)
		}
	}
	if len(st.found) > 0 {
		t.Errorf("the store's damage: %+v", st.found)
	}
}
