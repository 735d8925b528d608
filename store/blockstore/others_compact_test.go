package blockstore_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

// othersCompact are faults of giving space back.
var othersCompact = []othersFault{
	{"inline compaction that ignored sync always", func(t *testing.T) {
		for _, v := range variants[:2] {
			k := newStock(t, v, blockstore.SyncAlways, 100)
			must(t, k.s.Close())
			k.opt.KeepDeleted = -1
			k.open(t, k.mem)
			acked, reclaiming := store.Seq(100), ""
			var gone []store.Seq
			stops := 0
			k.mem.Hook = func(op string) {
				if reclaiming != "" {
					stops++
					wantOpened(t, k, reclaiming+", power lost before "+op, acked, gone, k.mem.Crash(seeded(stops), 0), k.mem.Crash(seeded(stops), 100))
				}
			}
			for round := range 4 {
				for seq := store.Seq(1); seq <= acked; seq++ { //nolint:gosec // small
					if int(seq)%5 == round && !slices.Contains(gone, seq) {
						_, err := k.st.Remove(bg, seq)
						must(t, err)
						gone = append(gone, seq)
					}
				}
				must(t, k.st.Sync(bg))
				reclaiming = fmt.Sprintf("%s, round %d", v.name, round)
				must(t, k.s.Reclaim(bg))
				k.fill(t, 1)
				reclaiming = ""
				acked++
			}
			k.mem.Hook = nil
			if must(t, k.s.Close()); stops < 20 {
				t.Errorf("%s: only %d stops", v.name, stops)
			}
		}
	}},
	{"tombstones lost in compaction", func(t *testing.T) {
		for _, v := range variants[:4] {
			k := newStock(t, v, blockstore.SyncNever, 200)
			var gone []store.Seq
			for seq := store.Seq(3); seq < 100; seq += 9 { // they are kept, so that their blocks stay as they are
				_, err := k.st.Remove(bg, seq)
				must(t, err)
				gone = append(gone, seq)
				for range 20 { // the removals stand between messages that a limit drops for good
					_, err := k.st.Append(bg, store.Entry{Subject: "x", Data: []byte(stockData(1))})
					must(t, err)
				}
			}
			last := k.state(t).Last
			must(t, k.s.Update(bg, store.Config{Name: "S", MaxMsgsPerSubject: 70}))
			for seq := last - 69; seq <= last; seq++ {
				_, err := k.st.Remove(bg, seq)
				must(t, err)
			}
			gone = append(gone, seqs(201, last)...)
			must(t, k.st.Sync(bg))
			before, stops := bytesIn(k.mem), 0
			k.mem.Hook = func(op string) {
				stops++
				wantOpened(t, k, v.name+", stopped before "+op, last, gone, k.mem.Crash(seeded(stops), 0), k.mem.Crash(seeded(stops), 100), k.mem.Kill())
			}
			must(t, k.s.Reclaim(bg))
			k.mem.Hook = nil
			if after := bytesIn(k.mem); after >= before || stops < 5 {
				t.Errorf("%s: %d bytes before, %d after, %d stops: nothing was given back", v.name, before, after, stops)
			}
			wantOpened(t, k, v.name+", afterwards", last, gone, k.mem.Kill())
			must(t, k.st.Undelete(bg, 3))
			must(t, k.s.Reclaim(bg))
			wantOpened(t, k, v.name+", with 3 back", last, gone[1:], k.mem.Kill())
			must(t, k.s.Close())
		}
	}},
	{"compaction racing store, removal and reading", func(t *testing.T) {
		k := newStock(t, variants[3], blockstore.SyncNever, 1)
		must(t, k.s.Close())
		k.opt.KeepDeleted = -1
		k.open(t, k.mem)
		done, removed, rng := make(chan struct{}), map[store.Seq]bool{}, seeded(9)
		var wg sync.WaitGroup
		for _, each := range []func() error{
			func() error { return k.s.Reclaim(bg) },
			func() error {
				last := k.state(t).Last
				seq := 1 + last - min(last, store.Seq(1+rng.IntN(400))) //nolint:gosec // small
				if seq%4 == 0 {
					return nil
				}
				if _, err := k.st.Remove(bg, seq); err != nil && !errors.Is(err, store.ErrNotFound) {
					return err
				}
				removed[seq] = true
				return nil
			},
			func() error {
				for m, err := range k.st.Scan(bg, store.Query{}) {
					if err != nil {
						return err
					}
					got, err := k.st.Load(bg, m.Seq, nil)
					if err == nil && string(got.Data) != stockData(m.Seq) || err != nil && !errors.Is(err, store.ErrNotFound) {
						return fmt.Errorf("message %d: %q, %w", m.Seq, got.Data, err)
					}
				}
				return nil
			},
		} {
			wg.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
					}
					if err := each(); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		k.fill(t, 3000)
		close(done)
		wg.Wait()
		must(t, k.s.Reclaim(bg))
		var live []store.Seq
		for m, err := range k.st.Scan(bg, store.Query{}) {
			must(t, err)
			live = append(live, m.Seq)
		}
		if want := slices.DeleteFunc(seqs(1, 3001), func(seq store.Seq) bool { return removed[seq] }); !slices.Equal(live, want) {
			t.Errorf("%d messages are live, %d were not removed", len(live), len(want))
		}
		wantOpened(t, k, "afterwards", 3001, slices.Collect(maps.Keys(removed)), k.mem.Kill())
		must(t, k.s.Close())
	}},
	{"changes that came while compaction ran", func(t *testing.T) {
		for _, v := range variants[:4] {
			changes := 1
			for at := 1; at <= changes; at++ {
				changes = changeWhileReclaiming(t, v, at)
				changeWhileReclaiming(t, v, at, 10, 50, 80)
			}
			if changes < 5 {
				t.Errorf("%s: giving space back made %d changes", v.name, changes)
			}
		}
	}},
	{"a full disk that compaction needs room on", func(t *testing.T) {
		for _, v := range variants[:3] {
			k := newStock(t, v, blockstore.SyncAlways, 10)
			k.mem.SetLimit(2 << 20)
			last, full := store.Seq(10), error(nil)
			for full == nil {
				last++
				_, full = k.st.Append(bg, store.Entry{Subject: fmt.Sprintf("s.%d", last%3), Data: []byte(stockData(last))})
			}
			if last--; !errors.Is(full, store.ErrNoSpace) || last < 200 {
				t.Fatalf("%s: %d messages, then %v", v.name, last, full)
			}
			gone := seqs(20, last/2)
			for _, seq := range gone {
				_, err := k.st.Remove(bg, seq)
				must(t, err)
			}
			k.fill(t, len(gone)/2)
			last += store.Seq(len(gone) / 2) //nolint:gosec // small
			wantOpened(t, k, v.name, last, gone, k.mem.Kill(), k.mem.Crash(seeded(1), 0))
			must(t, k.s.Close())
		}
	}},
	{"erased bytes that compaction brings back", func(t *testing.T) {
		for at := 1; eraseWhileReclaiming(t, at); at++ {
			if t.Failed() {
				t.Fatalf("erased at change %d", at)
			}
		}
	}},
	{"an old file that a crash brings back with what was erased since", func(t *testing.T) {
		mem := vfs.NewMem()
		f := vfs.NewFail(mem)
		s, st := erasable(t, f, trialOptions(blockstore.SyncAlways))
		for seq := store.Seq(2); seq < 40; seq += 2 {
			_, err := st.Remove(bg, seq)
			must(t, err)
		}
		must(t, s.Close())
		opt := trialOptions(blockstore.SyncAlways)
		opt.KeepDeleted = -1
		s2, err := openTrial(f, opt)
		must(t, err)
		st, err = s2.Stream(bg, "S")
		must(t, err)
		f.Set(vfs.Fault{At: 1, Match: func(call, name string) bool { return call == "syncdir" && strings.HasPrefix(name, "streams/") }})
		if err := s2.Reclaim(bg); err == nil {
			t.Fatal("the directory can't be synced, and nobody is told")
		}
		f.Set(vfs.Fault{})
		erased := []store.Seq{1, 3, 5}
		for _, seq := range erased {
			_, err := st.Erase(bg, seq)
			for keep := 0; err == nil && keep <= 100; keep += 50 {
				if err := inFiles(t, mem.Crash(seeded(keep), keep), seq); err != nil {
					t.Errorf("after a loss of power that kept %d %%: %v", keep, err)
				}
			}
		}
		must(t, s2.Close())
		s2, err = openTrial(f, opt)
		must(t, err)
		st, err = s2.Stream(bg, "S")
		must(t, err)
		for _, seq := range erased {
			_, err := st.Erase(bg, seq)
			must(t, err)
			must(t, inFiles(t, mem.Crash(seeded(1), 0), seq))
		}
		must(t, s2.Close())
	}},
}

// seqs are the sequences from first to last.
func seqs(first, last store.Seq) (out []store.Seq) {
	for seq := first; seq <= last; seq++ {
		out = append(out, seq)
	}
	return out
}

// wantOpened demands that in each image the messages up to last are what they were but for gone, and nothing is damaged.
func wantOpened(t *testing.T, k *stock, at string, last store.Seq, gone []store.Seq, images ...*vfs.Mem) {
	t.Helper()
	for i, image := range images {
		c := &stock{mem: image, opt: k.opt}
		c.open(t, image)
		if lost := c.lost(t, last, gone...); len(lost) > 0 || t.Failed() {
			t.Fatalf("%s, image %d: %v are lost", at, i, lost)
		}
		if d, err := c.st.Damage(bg); err != nil || len(d) > 0 {
			t.Fatalf("%s, image %d: damage %+v, %v", at, i, d, err)
		}
		must(t, c.s.Close())
	}
}

// changeWhileReclaiming removes messages and brings others back when giving space back changes new blocks for the time number at, and
// returns how often it did.
func changeWhileReclaiming(t *testing.T, v variant, at int, back ...store.Seq) int {
	t.Helper()
	k := newStock(t, v, blockstore.SyncNever, 100)
	gone := map[store.Seq]bool{}
	for seq := store.Seq(2); seq < 90; seq += 2 {
		_, err := k.st.Remove(bg, seq)
		must(t, err)
		gone[seq] = true
	}
	must(t, k.s.Close())
	k.opt.KeepDeleted = -1
	k.open(t, k.mem)
	changes, inside := 0, false
	k.mem.Hook = func(op string) {
		if inside || !strings.Contains(op, ".blk.new") || strings.HasPrefix(op, "rename") {
			return // others are made while nothing else can change the stream
		}
		if changes++; changes != at {
			return
		}
		inside = true
		for _, seq := range []store.Seq{9, 31, 77} {
			_, err := k.st.Remove(bg, seq)
			must(t, err)
			gone[seq] = true
		}
		for _, seq := range back {
			if err := k.st.Undelete(bg, seq); err == nil {
				delete(gone, seq)
			} else if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("bring back message %d: %v", seq, err)
			}
		}
		inside = false
	}
	must(t, k.s.Reclaim(bg))
	k.mem.Hook = nil
	for range 2 {
		left := slices.Collect(maps.Keys(gone))
		if lost := k.lost(t, 100, left...); len(lost) > 0 || t.Failed() {
			t.Fatalf("%s, changed at %d: %v are lost", v.name, at, lost)
		}
		wantOpened(t, k, fmt.Sprintf("%s, changed at %d", v.name, at), 100, left, k.mem.Kill())
		must(t, k.s.Reclaim(bg))
	}
	must(t, k.s.Close())
	return changes
}

// eraseWhileReclaiming erases a message of a block that is being written anew, from another goroutine, when that makes its
// change number at. It says whether there were as many.
func eraseWhileReclaiming(t *testing.T, at int) bool {
	t.Helper()
	const seq = 7
	mem, opt := vfs.NewMem(), trialOptions(blockstore.SyncAlways)
	opt.KeepDeleted = -1
	s, st := erasable(t, mem, opt)
	for seq := store.Seq(2); seq < 40; seq += 2 {
		_, err := st.Remove(bg, seq)
		must(t, err)
	}
	var mu sync.Mutex
	erased, changes := make(chan error, 1), 0
	mem.Hook = func(string) {
		mu.Lock()
		changes++
		now := changes == at
		mu.Unlock()
		if now {
			go func() {
				_, err := st.Erase(bg, seq)
				erased <- err
			}()
			time.Sleep(time.Millisecond) // it waits for who writes the block
		}
	}
	must(t, s.(*blockstore.Store).Reclaim(bg))
	mu.Lock()
	begun := changes >= at
	changes = at
	mu.Unlock()
	if !begun {
		mem.Hook = nil
		must(t, s.Close())
		return false
	}
	must(t, <-erased)
	mem.Hook = nil
	for keep := 0; keep <= 100; keep += 50 {
		must(t, inFiles(t, mem.Crash(seeded(at), keep), seq))
	}
	must(t, inFiles(t, mem, seq))
	must(t, s.(*blockstore.Store).Reclaim(bg))
	gone := []store.Seq{seq}
	for seq := store.Seq(2); seq < 40; seq += 2 {
		gone = append(gone, seq)
	}
	for range 2 {
		must(t, inFiles(t, mem, seq))
		othersAreThere(t, st, gone)
		must(t, s.Close())
		wantNoDamage(t, mem)
		var err error
		s, err = openTrial(mem, opt)
		must(t, err)
		st, err = s.Stream(bg, "S")
		must(t, err)
	}
	must(t, s.Close())
	return true
}

// inFiles gives an error if any file, whatever its name, has bytes of message seq of erasable.
func inFiles(t *testing.T, f vfs.FS, seq store.Seq) error {
	t.Helper()
	e := erasableEntry(int(seq)) //nolint:gosec // small
	all := files(t, f, ".")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, b := range []string{string(e.Data[:20]), string(e.Header[10:]), e.Subject} {
			if e.Subject != "subject.shared" || b != e.Subject {
				if i := strings.Index(all[name], b); i >= 0 {
					return fmt.Errorf("%s has %q of erased message %d at %d", name, b, seq, i)
				}
			}
		}
	}
	return nil
}
