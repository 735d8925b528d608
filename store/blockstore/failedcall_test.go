package blockstore

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// failing opens a store whose disk can fail, with an empty stream of that configuration.
func failing(t *testing.T, opt Options, cfg store.Config) (*vfs.Fail, *Store, store.Stream) {
	t.Helper()
	fail := vfs.NewFail(vfs.NewMem())
	opt.asked = true
	st, err := Open(fail, opt)
	fatal(t, err)
	t.Cleanup(func() { _ = st.Close() })
	cfg.Name = "S"
	s, err := st.Create(t.Context(), cfg)
	fatal(t, err)
	return fail, st, s
}

// fullFor makes the disk full for the n-th write from now on.
func fullFor(f *vfs.Fail, n int) {
	f.Set(vfs.Fault{At: n, Err: syscall.ENOSPC, Match: func(call, _ string) bool { return call == "write" }})
}

// A message that found no room has not moved the stream's time on.
func TestAFailedRestoreLeavesTheTime(t *testing.T) {
	fail, _, s := failing(t, Options{Sync: SyncNever}, store.Config{})
	_, err := s.Append(t.Context(), store.Entry{Subject: "x"})
	fatal(t, err)
	fullFor(fail, 1)
	ahead := time.Now().Add(time.Hour).UnixNano()
	if err := s.Restore(t.Context(), store.Msg{Meta: store.Meta{Seq: 2, Time: ahead}, Subject: "x"}); !errors.Is(err, store.ErrNoSpace) {
		t.Fatalf("on a full disk: %v, want %v", err, store.ErrNoSpace)
	}
	_, err = s.Append(t.Context(), store.Entry{Subject: "x"})
	fatal(t, err)
	if m, err := s.Stat(t.Context(), 2); err != nil || m.Time >= ahead {
		t.Errorf("the next message is of the time %d, %v, which is that of the one that was not stored", m.Time, err)
	}
}

// A restored message that found no room does not take with it what is known of the id that it has in common with an earlier one.
func TestAFailedRestoreLeavesTheIDs(t *testing.T) {
	fail, _, s := failing(t, Options{Sync: SyncNever}, store.Config{})
	header := []byte("NATS/1.0\r\nNats-Msg-Id: 1\r\n\r\n")
	_, err := s.Append(t.Context(), store.Entry{Subject: "x", Header: header})
	fatal(t, err)
	fullFor(fail, 1)
	if err := s.Restore(t.Context(), store.Msg{Meta: store.Meta{Seq: 2}, Subject: "x", Header: header}); !errors.Is(err, store.ErrNoSpace) {
		t.Fatalf("on a full disk: %v, want %v", err, store.ErrNoSpace)
	}
	if seq, err := s.Append(t.Context(), store.Entry{Subject: "x", Header: header}); err != nil || seq != 1 {
		t.Errorf("the same id again: got %d, %v, want 1", seq, err)
	}
}

// What was removed once the stream's state could be opened at last is removed after a kill, too.
func TestARemovalAfterAFailedOneSurvives(t *testing.T) {
	mem := vfs.NewMem()
	st := exhaustible(t, mem, 1)
	s, err := st.Stream(t.Context(), "S0")
	fatal(t, err)
	_, err = s.Append(t.Context(), store.Entry{Subject: "x"})
	fatal(t, err)
	fatal(t, st.Close())
	for n := 1; ; n++ {
		mem := mem.Kill()
		fail := vfs.NewFail(mem)
		st, err := Open(fail, Options{Sync: SyncNever, asked: true})
		fatal(t, err)
		s, err := st.Stream(t.Context(), "S0")
		fatal(t, err)
		fail.Set(vfs.Fault{At: n, Err: syscall.EMFILE, Match: func(call, _ string) bool { return call == "open" }})
		_, failed := s.Remove(t.Context(), 1)
		_, err = s.Remove(t.Context(), 2)
		fatal(t, err)
		st, err = Open(mem.Kill(), Options{Sync: SyncNever, asked: true})
		fatal(t, err)
		s, err = st.Stream(t.Context(), "S0")
		fatal(t, err)
		if _, err := s.Stat(t.Context(), 2); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("open %d failed (%v): message 2 gives %v, and was removed", n, failed, err)
		}
		if failed == nil {
			return
		}
	}
}

// Who stores several messages is told why the first one is not that is not, and not why a later one was refused.
func TestTheFirstErrorIsTold(t *testing.T) {
	for _, sync := range []Sync{SyncNever, SyncAlways} {
		fail, _, s := failing(t, Options{Sync: sync}, store.Config{})
		_, err := s.Append(t.Context(), store.Entry{Subject: "x"})
		fatal(t, err)
		fullFor(fail, 1)
		n, err := s.AppendAll(t.Context(), []store.Entry{{Subject: "x"}, {Subject: "not.*"}})
		if n != 0 || !errors.Is(err, store.ErrNoSpace) {
			t.Errorf("%v: append on a full disk gives %d, %v, want 0, %v", sync, n, err, store.ErrNoSpace)
		}
		fullFor(fail, 1)
		n, err = s.RestoreAll(t.Context(), []store.Msg{{Meta: store.Meta{Seq: 2}, Subject: "x"}, {Meta: store.Meta{Seq: 2}, Subject: "x"}})
		if n != 0 || !errors.Is(err, store.ErrNoSpace) {
			t.Errorf("%v: restore on a full disk gives %d, %v, want 0, %v", sync, n, err, store.ErrNoSpace)
		}
	}
}

// A read that fails while messages expire makes none of them go before its time, and none stay.
func TestAFailedReadMakesNothingExpire(t *testing.T) {
	for _, block := range []int64{minBlockSize, 1 << 20} {
		for n := 1; ; n++ {
			now := time.Now().UnixNano()
			fail, _, created := failing(t, Options{Sync: SyncNever, BlockSize: block, Now: func() int64 { return now }}, store.Config{MaxAge: time.Hour, AllowMsgTTL: true})
			s := created.(*Stream)
			for range 8 {
				_, err := s.Append(t.Context(), store.Entry{Subject: "x", Data: make([]byte, 100)})
				fatal(t, err)
				now += int64(time.Minute)
			}
			_, err := s.Append(t.Context(), store.Entry{Subject: "x", Header: []byte("NATS/1.0\r\nNats-TTL: 30m\r\n\r\n")})
			fatal(t, err)
			now += int64(time.Hour - 4*time.Minute - time.Second)
			fail.Set(vfs.Fault{At: n, Err: syscall.EIO, Match: func(call, _ string) bool { return call == "read" }})
			s.wmu.Lock()
			s.expireLocked()
			s.wmu.Unlock()
			failed := len(fail.Failed())
			fail.Set(vfs.Fault{})
			for seq := store.Seq(5); seq <= 8; seq++ {
				if _, err := s.Stat(t.Context(), seq); err != nil {
					t.Errorf("blocks of %d, read %d fails: message %d, which is too young to go: %v", block, n, seq, err)
				}
			}
			s.wmu.Lock()
			s.expireLocked()
			s.wmu.Unlock()
			if state, err := s.State(t.Context()); err != nil || state.First != 5 || state.Live.Messages != 4 {
				t.Errorf("blocks of %d, read %d failed: %+v, %v, want messages 5 to 8", block, n, state, err)
			}
			if failed == 0 {
				break
			}
		}
	}
}

// What no consumer wants any more goes a little later if it could not go at once.
func TestWhatNobodyWantsGoesLater(t *testing.T) {
	for name, change := range map[string]func(st *Store, s store.Stream){
		"the consumer is removed": func(_ *Store, s store.Stream) {
			if err := s.RemoveConsumer(t.Context(), "c"); !errors.Is(err, store.ErrNoSpace) {
				t.Errorf("on a full disk: %v, want %v", err, store.ErrNoSpace)
			}
		},
		"the consumer wants others": func(_ *Store, s store.Stream) {
			fatal(t, s.UpdateConsumer(t.Context(), store.ConsumerConfig{Name: "c", FilterSubject: "y"}))
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			fail, st, s := failing(t, Options{Sync: SyncNever}, store.Config{Retention: store.RetentionInterest})
			_, err := s.CreateConsumer(t.Context(), store.ConsumerConfig{Name: "c", FilterSubject: "x"})
			fatal(t, err)
			_, err = s.Append(t.Context(), store.Entry{Subject: "x"})
			fatal(t, err)
			fail.Set(vfs.Fault{At: 1, ForGood: true, Err: syscall.ENOSPC, Match: func(call, name string) bool {
				return call == "write" && strings.HasSuffix(name, ".blk")
			}})
			change(st, s)
			time.Sleep(time.Minute)
			fail.Set(vfs.Fault{})
			time.Sleep(time.Minute)
			if state, err := s.State(t.Context()); err != nil || state.Live.Messages != 0 {
				t.Errorf("%s: got %+v, %v, want no message", name, state, err)
			}
		})
	}
}

// A consumer whose change failed goes on as it was, also after a kill a moment later.
func TestAConsumerWhoseChangeFailedGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		fail := vfs.NewFail(mem)
		st, err := Open(fail, Options{Sync: SyncNever, asked: true})
		fatal(t, err)
		defer func() { _ = st.Close() }()
		s, err := st.Create(t.Context(), store.Config{Name: "S"})
		fatal(t, err)
		_, err = s.Append(t.Context(), store.Entry{Subject: "x"})
		fatal(t, err)
		_, err = s.CreateConsumer(t.Context(), store.ConsumerConfig{Name: "c"})
		fatal(t, err)
		fail.Set(vfs.Fault{At: 1, Err: syscall.EMFILE, Match: func(call, name string) bool {
			return call == "create" && strings.Contains(name, consumerPrefix)
		}})
		if err := s.UpdateConsumer(t.Context(), store.ConsumerConfig{Name: "c", DeliverPolicy: store.DeliverNew}); !errors.Is(err, syscall.EMFILE) {
			t.Fatalf("without a file: %v, want %v", err, syscall.EMFILE)
		}
		time.Sleep(time.Second)
		again, err := Open(mem.Kill(), Options{Sync: SyncNever, asked: true})
		fatal(t, err)
		defer func() { _ = again.Close() }()
		s, err = again.Stream(t.Context(), "S")
		fatal(t, err)
		c, err := s.Consumer(t.Context(), "c")
		fatal(t, err)
		if info, err := c.Info(t.Context()); err != nil || info.NumPending != 1 {
			t.Errorf("got %+v, %v, want a message to be delivered", info, err)
		}
	})
}

// What no consumer wants any more goes when the stream is opened again, if it could not go before.
func TestWhatNobodyWantsGoesWithTheNextOpen(t *testing.T) {
	fail, st, s := failing(t, Options{Sync: SyncNever}, store.Config{Retention: store.RetentionInterest})
	for name, subject := range map[string]string{"c": "x", "d": "y"} {
		_, err := s.CreateConsumer(t.Context(), store.ConsumerConfig{Name: name, FilterSubject: subject})
		fatal(t, err)
	}
	_, err := s.Append(t.Context(), store.Entry{Subject: "x"})
	fatal(t, err)
	fail.Set(vfs.Fault{At: 1, ForGood: true, Err: syscall.ENOSPC, Match: func(call, name string) bool {
		return call == "write" && strings.HasSuffix(name, ".blk")
	}})
	if err := s.RemoveConsumer(t.Context(), "c"); !errors.Is(err, store.ErrNoSpace) {
		t.Errorf("on a full disk: %v, want %v", err, store.ErrNoSpace)
	}
	if err := st.Close(); err == nil {
		t.Error("closing does not tell that messages could not be removed")
	}
	fail.Set(vfs.Fault{})
	st, err = Open(fail, Options{Sync: SyncNever, asked: true})
	fatal(t, err)
	defer func() { _ = st.Close() }()
	s, err = st.Stream(t.Context(), "S")
	fatal(t, err)
	if state, err := s.State(t.Context()); err != nil || state.Live.Messages != 0 {
		t.Errorf("got %+v, %v, want no message", state, err)
	}
}
