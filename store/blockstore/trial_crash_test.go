package blockstore_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

// policies are the sync policies that trials run over.
var policies = []blockstore.Sync{blockstore.SyncAlways, blockstore.SyncInterval, blockstore.SyncNever}

// TestTrialCrashBeforeEveryChange cuts the power, and kills the process, before every
// change of the file system that a workload makes (P1, P2, P3 and P4 at the level of the store). Losses of power of stores
// that sync always are counted; kills, and the other policies, come besides.
func TestTrialCrashBeforeEveryChange(t *testing.T) {
	t.Parallel()
	points, losses := 0, 0
	for seed := *firstSeed; losses < rounds(20_000, 1_000_000); seed++ {
		policy := policies[0]
		if seed%4 == 3 {
			policy = policies[1+seed/4%2]
		}
		n, err := crashEverywhere(seed, policy, 40)
		if err != nil {
			t.Fatalf("seed %d, %v: %v", seed, policy, err)
		}
		points += n
		if policy == blockstore.SyncAlways {
			losses += n / 4 * 3
		}
	}
	t.Logf("%d stops, %d of them losses of power with %v", points, losses, blockstore.SyncAlways)
}

// TestTrialCrashDuringRecovery cuts the power once, and again before each change that opening and
// writing on makes: what recovery does must not depend on being finished.
func TestTrialCrashDuringRecovery(t *testing.T) {
	t.Parallel()
	points := 0
	for seed := 500 + *firstSeed; points < rounds(5000, 200_000); seed++ {
		policy := policies[seed%3]
		mem, rng := vfs.NewMem(), seeded(-seed)
		w := newWorkload(mem, policy, seed)
		mem.Hook = func(op string) {
			w.j.do(func() {
				if t.Failed() || rng.IntN(8) > 0 {
					return
				}
				n, err := w.j.crashAgain(mem, rng)
				if points += n; err != nil {
					t.Errorf("seed %d, %v: power lost before %q (operation %d): %v", seed, policy, op, w.n, err)
				}
			})
		}
		if w.run(40); t.Failed() {
			return
		}
	}
	t.Logf("%d stops", points)
}

// crashAgain loses power, and again before each change while the store is resumed.
func (j *journal) crashAgain(mem *vfs.Mem, rng *rand.Rand) (points int, err error) {
	for _, js := range j.streams {
		js.resumed = true
		defer func() { js.resumed = false }()
	}
	first := mem.Crash(rng, 50)
	first.Hook = func(op string) {
		if err != nil {
			return
		}
		extras := map[*jstream]map[store.Seq]store.Entry{}
		for _, js := range j.streams {
			extras[js] = js.extra
		}
		for _, keep := range []int{0, 50} {
			points++
			if verr := j.verify(first.Crash(rng, keep), afterCrash); verr != nil {
				err = fmt.Errorf("and again before %q, keeping %d %%: %w", op, keep, verr)
			}
		}
		for js, extra := range extras {
			js.extra = extra
		}
	}
	_, rerr := j.resume(first, afterCrash)
	return points, errors.Join(err, rerr)
}

// crashEverywhere runs one workload and returns how many stops were tried.
func crashEverywhere(seed int, policy blockstore.Sync, ops int) (points int, err error) {
	mem := vfs.NewMem()
	return newWorkload(mem, policy, seed).crashEverywhere(mem, seeded(-seed), ops)
}

// crashEverywhere runs the workload, which has mem, and returns how many stops were tried.
func (w *workload) crashEverywhere(mem *vfs.Mem, rng *rand.Rand, ops int) (points int, err error) {
	mem.Hook = func(op string) {
		w.j.do(func() {
			if err != nil || w.reclaims && rng.IntN(8) > 0 { // more workloads show more there than more stops of one
				return
			}
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
