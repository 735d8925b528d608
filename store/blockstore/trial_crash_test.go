package blockstore_test

import (
	"errors"
	"fmt"
	"testing"

	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

// policies are the sync policies that trials run over.
var policies = []blockstore.Sync{blockstore.SyncAlways, blockstore.SyncInterval, blockstore.SyncNever}

// TestTrialCrashBeforeEveryChange cuts the power, and kills the process, before every
// change of the file system that a workload makes (P1, P2, P3 and P4 at the level of the store).
func TestTrialCrashBeforeEveryChange(t *testing.T) {
	t.Parallel()
	points := 0
	for seed := 0; points < rounds(20_000, 1_000_000); seed++ {
		policy := policies[0]
		if seed%4 == 3 {
			policy = policies[1+seed/4%2]
		}
		n, err := crashEverywhere(seed, policy, 40)
		if err != nil {
			t.Fatalf("seed %d, %v: %v", seed, policy, err)
		}
		points += n
	}
	t.Logf("%d stops", points)
}

// crashEverywhere runs one workload and returns how many stops were tried.
func crashEverywhere(seed int, policy blockstore.Sync, ops int) (points int, err error) {
	mem, rng := vfs.NewMem(), seeded(-seed)
	w := newWorkload(mem, policy, seed)
	mem.Hook = func(op string) {
		if err != nil {
			return
		}
		w.j.do(func() {
			verify := w.j.verify
			if points%12 == 0 { // every third time
				verify = w.j.verifyTwice
			}
			for _, keep := range []int{0, 50, 100} {
				if verr := verify(mem.Crash(rng, keep), afterCrash); verr != nil {
					err = fmt.Errorf("power lost before %q, keeping %d %% (operation %d): %w", op, keep, w.n, verr)
					return
				}
			}
			if verr := verify(mem.Kill(), afterKill); verr != nil {
				err = fmt.Errorf("killed before %q (operation %d): %w", op, w.n, verr)
			}
			points += 4
		})
	}
	w.run(ops)
	if err == nil {
		err = errors.Join(w.errs...)
	}
	return points, err
}
