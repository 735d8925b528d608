package blockstore

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// What takes a stream's place, or is made, and fails is there whole or not at all after a loss of power.
func TestAStreamThatIsUnmadeIsWholeOrGone(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // no secret
	for what, do := range map[string]func(st *Store) error{
		"truncate": func(st *Store) error { _, err := st.Truncate(t.Context(), "S", 1); return err },
		"create":   func(st *Store) error { _, err := st.Create(t.Context(), store.Config{Name: "T"}); return err },
	} {
		for _, forGood := range []bool{false, true} {
			for at := 1; ; at++ {
				mem := vfs.NewMem()
				fail := vfs.NewFail(mem)
				st, err := Open(fail, Options{Sync: SyncAlways, asked: true})
				fatal(t, err)
				s, err := st.Create(t.Context(), store.Config{Name: "S"})
				fatal(t, err)
				for range 3 {
					_, err := s.Append(t.Context(), store.Entry{Subject: "x"})
					fatal(t, err)
				}
				fail.Set(vfs.Fault{At: at, ForGood: forGood, Err: syscall.EIO, Match: of("syncdir", "open", "list")})
				_ = do(st)
				failed := len(fail.Failed())
				fail.Set(vfs.Fault{})
				for i := range 40 {
					disk, how := mem.Crash(rng, 50), "a loss of power"
					if i%2 == 1 {
						disk, how = mem.Kill(), "a kill"
					}
					if err := wholeAfter(t, disk, rng, i%2 == 1); err != nil {
						t.Errorf("%s, call %d, for good %v, then %s: %v", what, at, forGood, how, err)
						break
					}
				}
				_ = st.Close()
				if failed == 0 {
					break
				}
			}
		}
	}
}

// wholeAfter opens the store on disk, perhaps once more after a loss of power, and demands that S has its three messages, or the one that
// truncating it leaves, T none, and nothing is damaged.
func wholeAfter(t *testing.T, disk *vfs.Mem, rng *rand.Rand, again bool) error {
	opt := Options{Sync: SyncAlways, asked: true}
	st, err := Open(disk, opt)
	if err == nil && again {
		disk = disk.Crash(rng, 50)
		_ = st.Close()
		st, err = Open(disk, opt)
	}
	if err != nil {
		return err
	}
	defer st.Close()
	if len(st.found) > 0 {
		return fmt.Errorf("damage: %+v", st.found)
	}
	for name, most := range map[string]int64{"S": 3, "T": 0} {
		s, err := st.Stream(t.Context(), name)
		if name == "T" && errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		state, err := s.State(t.Context())
		if n := state.Live.Messages; err != nil || n != most && n != 1 || n != int64(state.Last) || state.Lost > 0 {
			return fmt.Errorf("%s: %+v, %w", name, state, err)
		}
		if damage, err := s.Damage(t.Context()); err != nil || len(damage) > 0 {
			return fmt.Errorf("%s: damage %+v, %w", name, damage, err)
		}
	}
	return nil
}
