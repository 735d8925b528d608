package blockstore

import (
	"errors"
	"math/rand/v2"
	"path"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// cutPower returns the disk after a loss of power at which nothing survives that was not synced.
func cutPower(mem *vfs.Mem) *vfs.Mem { return mem.Crash(rand.New(rand.NewPCG(1, 1)), 0) }

// opened opens a store whose disk can fail, and its stream S.
func opened(t *testing.T, mem *vfs.Mem, opt Options) (*vfs.Fail, *Store, store.Stream) {
	t.Helper()
	fail := vfs.NewFail(mem)
	opt.asked = true
	st, err := Open(fail, opt)
	fatal(t, err)
	t.Cleanup(func() { _ = st.Close() })
	s, err := st.Stream(t.Context(), "S")
	fatal(t, err)
	return fail, st, s
}

// closedWith makes a store with a stream S that has a message, and closes it.
func closedWith(t *testing.T, cfg store.Config) *vfs.Mem {
	t.Helper()
	mem := vfs.NewMem()
	st, err := Open(mem, Options{})
	fatal(t, err)
	cfg.Name = "S"
	s, err := st.Create(t.Context(), cfg)
	fatal(t, err)
	_, err = s.Append(t.Context(), store.Entry{Subject: "x"})
	fatal(t, err)
	fatal(t, st.Close())
	return mem
}

// A configuration that an update put in place before it failed is on disk before the next message is acknowledged.
func TestAMessageComesAfterTheConfiguration(t *testing.T) {
	mem := closedWith(t, store.Config{Description: "old"})
	fail, st, _ := opened(t, mem, Options{})
	fail.Set(vfs.Fault{At: 2, ForGood: true, Err: syscall.EIO, Match: of("create", "syncdir")}) // nor can the old one be put back
	if err := st.Update(t.Context(), store.Config{Name: "S", Description: "new"}); !errors.Is(err, syscall.EIO) {
		t.Fatalf("update: %v, want EIO", err)
	}
	mem = mem.Kill()
	fail, _, s := opened(t, mem, Options{})
	if got := s.Config().Description; got != "new" {
		t.Fatalf("it is opened as %q: the test shows nothing", got)
	}
	fail.Set(vfs.Fault{At: 1, Err: syscall.EMFILE, Match: of("syncdir")})
	if _, err := s.Append(t.Context(), store.Entry{Subject: "x"}); !errors.Is(err, syscall.EMFILE) || errors.Is(err, store.ErrReadOnly) {
		t.Errorf("without a file: %v, want EMFILE", err)
	}
	_, err := s.Append(t.Context(), store.Entry{Subject: "x"})
	fatal(t, err)
	_, _, s = opened(t, cutPower(mem), Options{})
	if got := s.Config().Description; got != "new" {
		t.Errorf("after a loss of power it is %q, want %q", got, "new")
	}
}

// A stream that can't have its configuration on disk takes no message.
func TestNoMessageComesBeforeTheConfiguration(t *testing.T) {
	fail, _, s := opened(t, closedWith(t, store.Config{}), Options{})
	fail.Set(vfs.Fault{At: 1, Err: syscall.EIO, Match: of("syncdir")})
	if _, err := s.Append(t.Context(), store.Entry{Subject: "x"}); !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v, want EIO", err)
	}
	if _, err := s.Append(t.Context(), store.Entry{Subject: "x"}); !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("then: got %v, want %v", err, store.ErrReadOnly)
	}
}

// A stream that is among the removed ones when the store is opened is there after a loss of power, even if the sync failed when it went.
func TestARemovedStreamIsSyncedByTheNextOpen(t *testing.T) {
	mem := closedWith(t, store.Config{})
	fail, st, s := opened(t, mem, Options{})
	_, err := s.Remove(t.Context(), 1)
	fatal(t, err)
	fail.Set(vfs.Fault{At: 1, Err: syscall.EIO, Match: func(call, name string) bool { return call == "syncdir" && name == removedDir }})
	if err := st.Remove(t.Context(), "S"); !errors.Is(err, syscall.EIO) {
		t.Fatalf("removal: %v, want EIO", err)
	}
	mem = mem.Kill()
	st, err = Open(mem, Options{})
	fatal(t, err)
	wantGone(t, "opened again", st)
	_, err = st.Create(t.Context(), store.Config{Name: "T"})
	fatal(t, err)
	after, err := Open(cutPower(mem), Options{})
	fatal(t, err)
	wantGone(t, "after a loss of power", after)
	fatal(t, after.Close())
	fatal(t, st.Close())
}

// A store serves its streams even if those that were removed can't be synced.
func TestRemovedStreamsThatCantBeSyncedKeepNobodyBack(t *testing.T) {
	mem := closedWith(t, store.Config{})
	_, st, s := opened(t, mem, Options{})
	_, err := s.Remove(t.Context(), 1)
	fatal(t, err)
	fatal(t, st.Remove(t.Context(), "S"))
	_, err = st.Create(t.Context(), store.Config{Name: "S"})
	fatal(t, err)
	fatal(t, st.Close())
	fail := vfs.NewFail(mem)
	fail.Set(vfs.Fault{At: 1, ForGood: true, Err: syscall.EIO, Match: func(call, name string) bool { return call == "syncdir" && name == removedDir }})
	st, err = Open(fail, Options{})
	fatal(t, err)
	if _, err := st.Stream(t.Context(), "S"); err != nil || len(fail.Failed()) == 0 {
		t.Errorf("got %v; failed: %q", err, fail.Failed())
	}
	fatal(t, st.Close())
}

// A block that was never begun is set aside once: what fails behind that makes no call look for it again.
func TestSettingABlockAsideGoesOn(t *testing.T) {
	for _, failure := range []error{syscall.EMFILE, syscall.EIO} {
		mem := closedWith(t, store.Config{})
		f, err := mem.Create(blockName(streamDir(1), 2)) // a crash as it was begun
		fatal(t, err)
		fatal(t, f.Close())
		fail, _, s := opened(t, mem, Options{})
		fail.Set(vfs.Fault{At: 1, Err: failure, Match: of("syncdir")})
		if _, err := s.Append(t.Context(), store.Entry{Subject: "x"}); !errors.Is(err, failure) {
			t.Errorf("%v: the message gives %v", failure, err)
		}
		_, err = s.Append(t.Context(), store.Entry{Subject: "x"})
		if failure == syscall.EIO && !errors.Is(err, store.ErrReadOnly) || failure == syscall.EMFILE && err != nil {
			t.Errorf("%v: the next message gives %v", failure, err)
		}
		names, err := mem.List(quarantine)
		if err != nil || len(names) != 1 || !strings.HasSuffix(names[0], path.Base(blockName("", 2))) {
			t.Errorf("%v: set aside are %q, %v", failure, names, err)
		}
	}
}

// What a process wrote that was killed is on disk soon after the next one has shown it.
func TestWhatAKilledProcessWroteIsSynced(t *testing.T) {
	for _, policy := range []Sync{SyncAlways, SyncInterval, SyncNever} {
		synctest.Test(t, func(t *testing.T) {
			mem := closedWith(t, store.Config{})
			_, _, s := opened(t, mem, Options{Sync: SyncNever})
			_, err := s.Append(t.Context(), store.Entry{Subject: "x"})
			fatal(t, err)
			mem = mem.Kill()
			_, st, _ := opened(t, mem, Options{Sync: policy})
			time.Sleep(300 * time.Millisecond)
			synctest.Wait()
			if got, want := afterPowerLoss(t, mem), map[Sync]int64{SyncAlways: 2, SyncInterval: 2, SyncNever: 1}[policy]; got != want {
				t.Errorf("%v: after a loss of power there are %d messages, want %d", policy, got, want)
			}
			fatal(t, st.Close())
		})
	}
}

// Kills make no blocks where nothing was written between them.
func TestKillsAloneMakeNoBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := closedWith(t, store.Config{})
		_, _, s := opened(t, mem, Options{Sync: SyncNever})
		_, err := s.Append(t.Context(), store.Entry{Subject: "x"})
		fatal(t, err)
		for range 5 {
			mem = mem.Kill()
			opened(t, mem, Options{})
			time.Sleep(300 * time.Millisecond)
			synctest.Wait()
		}
		_, st, s := opened(t, mem.Kill(), Options{})
		if n := len(s.(*Stream).cur.Load().blocks); n > 2 {
			t.Errorf("there are %d blocks, want no more than 2", n)
		}
		fatal(t, st.Close())
	})
}
