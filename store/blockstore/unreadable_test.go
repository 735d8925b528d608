package blockstore

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// unreadable lets the n-th read of a block, from now on, fail.
func unreadable(f *vfs.Fail, n int) {
	f.Set(vfs.Fault{At: n, Err: syscall.EIO, Match: func(call, name string) bool { return call == "read" && strings.HasSuffix(name, ".blk") }})
}

// A block that could not be read to be sealed is sealed with the next message.
func TestABlockThatCannotBeReadIsSealedLater(t *testing.T) {
	for _, sync := range []Sync{SyncNever, SyncAlways} {
		fail := vfs.NewFail(vfs.NewMem())
		opt := Options{Sync: sync, BlockSize: minBlockSize, asked: true}
		st, err := Open(fail, opt)
		fatal(t, err)
		s, err := st.Create(t.Context(), store.Config{Name: "S"})
		fatal(t, err)
		big := store.Entry{Subject: "x", Data: make([]byte, 900)}
		_, err = s.Append(t.Context(), big)
		fatal(t, err)
		fatal(t, st.Close())
		st, err = Open(fail, opt)
		fatal(t, err)
		s, err = st.Stream(t.Context(), "S")
		fatal(t, err)
		unreadable(fail, 1)
		if _, err := s.Append(t.Context(), big); !errors.Is(err, syscall.EIO) || errors.Is(err, store.ErrReadOnly) {
			t.Errorf("where the block can't be read: %v, want %v", err, syscall.EIO)
		}
		if seq, err := s.Append(t.Context(), big); err != nil || seq != 2 {
			t.Errorf("the next message: %d, %v", seq, err)
		}
		fatal(t, st.Close())
	}
}

// An erased message is not called damaged because it could not be read again.
func TestAnErasedMessageThatCannotBeReadIsNotDamaged(t *testing.T) {
	for n := 1; ; n++ {
		fail, st, s := failing(t, Options{Sync: SyncNever, KeepDeleted: -1}, store.Config{})
		for i := range 3 { // their ids are needed as long as somebody may repeat them
			header := fmt.Appendf(nil, "NATS/1.0\r\nNats-Msg-Id: %d\r\n\r\n", i)
			_, err := s.Append(t.Context(), store.Entry{Subject: "x", Header: header, Data: []byte("data")})
			fatal(t, err)
		}
		_, err := s.Remove(t.Context(), 1)
		fatal(t, err)
		_, err = s.Erase(t.Context(), 2)
		fatal(t, err)
		unreadable(fail, n)
		_ = st.Reclaim(t.Context())
		failed := len(fail.Failed())
		fail.Set(vfs.Fault{})
		if failed == 0 {
			break
		}
		state, err := s.State(t.Context())
		fatal(t, err)
		if damage, err := s.Damage(t.Context()); err != nil || len(damage) > 0 || state.Lost != 0 {
			t.Errorf("when read %d fails there is damage: %+v, %v; %d messages are lost", n, damage, err, state.Lost)
		}
	}
}

// A stream that could not be read after it was cut off, or brought back, is as it was before, with its consumers.
func TestAStreamThatCannotBeReadIsNotChanged(t *testing.T) {
	for n := 1; ; n++ {
		fail, st, s := removable(t)
		fatal(t, s.Undelete(t.Context(), 1))
		fail.Set(vfs.Fault{At: n, Err: syscall.EIO, Match: of("read")})
		_, terr := st.Truncate(t.Context(), "S", 0)
		failed := len(fail.Failed())
		fail.Set(vfs.Fault{})
		wantConsumer(t, fmt.Sprintf("when read %d of a truncation fails (%v)", n, terr), st)
		if failed == 0 {
			break
		}
	}
	for n := 1; ; n++ {
		fail, st, s := removable(t)
		fatal(t, st.Remove(t.Context(), "S"))
		fail.Set(vfs.Fault{At: n, Err: syscall.EIO, Match: of("read")})
		_, err := st.Revive(t.Context(), s.Incarnation())
		failed := len(fail.Failed())
		fail.Set(vfs.Fault{})
		what := fmt.Sprintf("when read %d of what is brought back fails (%v)", n, err)
		if err != nil {
			wantGone(t, what, st)
			if _, err := st.Revive(t.Context(), s.Incarnation()); err != nil {
				t.Errorf("%s: bringing it back again: %v", what, err)
			}
			wantConsumer(t, what, st)
		}
		if failed == 0 {
			break
		}
	}
}

func wantConsumer(t *testing.T, what string, st *Store) {
	t.Helper()
	s, err := st.Stream(t.Context(), "S")
	if err == nil {
		_, err = s.Consumer(t.Context(), "c")
	}
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// What a block's footer has is not called damaged because it could not be read once: the records have it, too.
func TestAFooterThatCannotBeReadIsNotDamaged(t *testing.T) {
	for _, err := range []error{syscall.EIO, syscall.EMFILE} {
		for n := 1; ; n++ {
			fail, _, made := failing(t, Options{Sync: SyncNever, BlockSize: minBlockSize}, store.Config{})
			s := made.(*Stream)
			for range 3 {
				_, err := s.Append(t.Context(), store.Entry{Subject: "x", Data: make([]byte, 900)})
				fatal(t, err)
			}
			s.cache.drop(s.cur.Load().blocks)
			fail.Set(vfs.Fault{At: n, Err: err, Match: of("open", "read")})
			_, lerr := s.Load(t.Context(), 1, nil)
			_, perr := s.Prev(t.Context(), store.Query{Subject: "x"}, nil)
			failed := len(fail.Failed())
			fail.Set(vfs.Fault{})
			if damage, derr := s.Damage(t.Context()); derr != nil || len(damage) > 0 {
				t.Errorf("when call %d gives %v (%v, %v) there is damage: %+v, %v", n, err, lerr, perr, damage, derr)
			}
			if failed == 0 {
				break
			}
		}
	}
}
