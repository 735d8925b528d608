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
