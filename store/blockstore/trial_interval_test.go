package blockstore_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

// TestTrialIntervalBoundsTheLoss cuts the power at random times under SyncInterval (P3): only what
// is younger than the interval may be gone, and what is left is a prefix. Time is not real: a sync takes none.
func TestTrialIntervalBoundsTheLoss(t *testing.T) {
	lost := 0
	for seed := range rounds(100, 1000) {
		synctest.Test(t, func(t *testing.T) {
			lost += loseInterval(t, seed)
		})
		if t.Failed() {
			return
		}
	}
	if lost == 0 {
		t.Error("nothing was ever lost: the trial shows nothing")
	}
}

// loseInterval writes for a while, cuts the power, and returns how many messages that cost.
func loseInterval(t *testing.T, seed int) (lost int) {
	rng := seeded(seed)
	interval := []time.Duration{20 * time.Millisecond, 200 * time.Millisecond, time.Second}[seed%3]
	mem := vfs.NewMem()
	st, err := openTrial(mem, blockstore.Options{Sync: blockstore.SyncInterval, Interval: interval, BlockSize: trialBlock})
	must(t, err)
	s, err := st.Create(t.Context(), store.Config{Name: "S"})
	must(t, err)
	type change struct {
		seq     store.Seq
		removal bool
		at      time.Time
	}
	var changes []change
	last := store.Seq(0)
	for range 20 + rng.IntN(100) {
		var seq store.Seq
		removal := last > 0 && rng.IntN(5) == 0
		if removal {
			seq = 1 + store.Seq(rng.Int64N(int64(last)))
			_, err = s.Remove(t.Context(), seq)
		} else {
			last, err = s.Append(t.Context(), store.Entry{Subject: "x", Data: make([]byte, rng.IntN(600))})
			seq = last
		}
		must(t, err)
		changes = append(changes, change{seq, removal, time.Now()})
		time.Sleep(time.Duration(rng.Int64N(int64(interval) / 4)))
	}
	synctest.Wait()
	cut, crashed := time.Now(), mem.Crash(rng, []int{0, 0, 50}[rng.IntN(3)])
	must(t, st.Close())

	after, err := openTrial(crashed, blockstore.Options{Sync: blockstore.SyncInterval, BlockSize: trialBlock})
	must(t, err)
	defer func() { must(t, after.Close()) }()
	got, err := after.Stream(t.Context(), "S")
	must(t, err)
	left := map[store.Seq]bool{}
	for m, err := range got.Scan(t.Context(), store.Query{}) {
		must(t, err)
		left[m.Seq] = true
	}
	removed := map[store.Seq]bool{} // whether that must have lasted
	for _, c := range changes {
		if c.removal {
			removed[c.seq] = removed[c.seq] || cut.Sub(c.at) > interval
		}
	}
	where := fmt.Sprintf("seed %d, interval %v, power lost", seed, interval)
	gone := false
	for _, c := range changes {
		must, isRemoved := removed[c.seq]
		switch age := cut.Sub(c.at); {
		case c.removal && must && left[c.seq]:
			t.Errorf("%s %v after message %d was removed: it is back", where, age, c.seq)
		case c.removal || isRemoved:
		case !left[c.seq] && age > interval:
			t.Errorf("%s %v after message %d was stored: it is gone", where, age, c.seq)
		case left[c.seq] && gone:
			t.Errorf("%s: message %d is there, and one before it is not", where, c.seq)
		case !left[c.seq]:
			gone = true
			lost++
		}
	}
	return lost
}
