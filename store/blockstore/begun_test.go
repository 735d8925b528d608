package blockstore

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// A message that is stored where a block was begun, and not to its end, survives a loss of power.
func TestABlockThatWasNotBegunToItsEndLosesNothing(t *testing.T) {
	for _, fault := range []vfs.Fault{
		{Match: of("syncdir")}, {Match: of("sync")}, {Match: of("write")}, {Match: of("write"), Short: true},
	} {
		for _, kill := range []bool{false, true} {
			mem := vfs.NewMem()
			fail := vfs.NewFail(mem)
			opt := Options{Sync: SyncAlways, asked: true}
			st, err := Open(fail, opt)
			fatal(t, err)
			s, err := st.Create(t.Context(), store.Config{Name: "S"})
			fatal(t, err)
			match := fault.Match
			fault.Match = func(call, name string) bool { return match(call, name) && strings.HasPrefix(name, streamDir(1)) }
			fault.At, fault.Err = 1, syscall.EIO
			fail.Set(fault)
			if _, err := s.Append(t.Context(), store.Entry{Subject: "x"}); !errors.Is(err, syscall.EIO) {
				t.Fatalf("the first message: %v, want %v", err, syscall.EIO)
			}
			fail.Set(vfs.Fault{})
			what := fmt.Sprintf("after %v failed, short %v, killed %v", fail.Failed(), fault.Short, kill)
			if kill {
				mem = mem.Kill()
			}
			_ = st.Close()
			st, err = Open(mem, opt)
			fatal(t, err)
			s, err = st.Stream(t.Context(), "S")
			fatal(t, err)
			seq, err := s.Append(t.Context(), store.Entry{Subject: "x", Data: []byte("again")})
			fatal(t, err)
			crashed, err := Open(mem.Crash(rand.New(rand.NewPCG(0, 0)), 0), opt)
			fatal(t, err)
			s, err = crashed.Stream(t.Context(), "S")
			fatal(t, err)
			if m, err := s.Load(t.Context(), seq, nil); err != nil || string(m.Data) != "again" {
				t.Errorf("%s: message %d: %q, %v", what, seq, m.Data, err)
			}
			if damage, err := s.Damage(t.Context()); err != nil || len(damage) > 0 {
				t.Errorf("%s: damage %+v, %v", what, damage, err)
			}
			_, _ = st.Close(), crashed.Close()
		}
	}
}
