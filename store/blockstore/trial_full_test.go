package blockstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

// fullDisk is a store on a disk that is full, and what is live in it.
type fullDisk struct {
	*testing.T
	mem  *vfs.Mem
	rng  *rand.Rand
	opt  blockstore.Options
	s    store.Store
	st   store.Stream
	size int // of each payload
	live []store.Seq
}

// removals choose what is removed of a full disk.
var removals = []struct {
	name   string
	choose func(d *fullDisk, i int) bool
}{
	{"every other one", func(_ *fullDisk, i int) bool { return i%2 == 0 }},
	{"every third one", func(_ *fullDisk, i int) bool { return i%3 == 0 }},
	{"any half", func(d *fullDisk, _ int) bool { return d.rng.IntN(2) == 0 }},
	{"any tenth", func(d *fullDisk, _ int) bool { return d.rng.IntN(10) == 0 }},
	{"the older half", func(d *fullDisk, i int) bool { return i < len(d.live)/2 }},
	{"runs", func(_ *fullDisk, i int) bool { return i/20%2 == 0 }},
}

// TestTrialAFullDiskGivesBackWhatWasRemoved removes messages of a full disk, here and there, and fills it again: as much can be written as
// the store said was free, whatever the size of messages and blocks, and nothing else is lost by it.
func TestTrialAFullDiskGivesBackWhatWasRemoved(t *testing.T) {
	t.Parallel()
	seed := 0
	for _, disk := range []int64{6 << 20, 16 << 20} {
		for _, block := range []int64{0, 32 << 10, 4 << 20, 48 << 10, 64 << 10} {
			for _, size := range []int{200, 3000, 50_000, 400_000} {
				for _, how := range removals {
					seed++
					few := size == 3000 && block == 32<<10 && *trials != "quick" // what one removes of a block is no page
					if size == 200 && disk > 6<<20 || seed%stride(5) != 0 && !few || disk/int64(size) < 30 {
						continue
					}
					v := variantOf(seed / 5)
					t.Run(fmt.Sprintf("%d MiB, blocks of %d, payloads of %d, %s, %s", disk>>20, block, size, v.name, how.name), func(t *testing.T) {
						opt := v.of(blockstore.Options{Sync: policies[seed%3], BlockSize: block})
						d := &fullDisk{T: t, mem: vfs.NewMem(), rng: seeded(seed), opt: opt, size: size}
						d.mem.SetLimit(disk)
						d.run(how.choose)
					})
				}
			}
		}
	}
}

// Removals on a full disk make room until a block can be written anew with the reserve again: where they stop as soon as there is any,
// less can be written on this disk than was free. The clock is the test's: what a message takes depends on how long the one before took.
func TestRemovalsOnAFullDiskLeaveRoomForARewriting(t *testing.T) {
	t.Parallel()
	const seed = 1064
	opt := variantOf(seed / 5).of(blockstore.Options{Sync: policies[seed%3], BlockSize: 128 << 10})
	var now atomic.Int64
	now.Store(1_700_000_000_000_000_000)
	opt.Now = func() int64 { return now.Add(int64(time.Microsecond)) }
	d := &fullDisk{T: t, mem: vfs.NewMem(), rng: seeded(seed), opt: opt, size: 120}
	d.mem.SetLimit(2 << 20)
	d.run(removals[3].choose)
}

func (d *fullDisk) run(choose func(d *fullDisk, i int) bool) {
	d.open()
	u, err := d.mem.Usage()
	must(d.T, err)
	each := float64(u.Free) / float64(d.fill()) // what a message takes of the disk
	for round := range 3 {
		gone := d.remove(choose)
		free := float64(d.usage().Free)
		n := d.fill()
		d.Logf("%d removed, %.0f bytes are free, %d appended of %.0f bytes each", gone, free, n, each)
		if got := float64(n) * each; got < 0.95*free-each {
			d.Errorf("round %d: %d removed, %.0f bytes were free, and only %d messages of %.0f bytes could be appended", round, gone, free, n, each)
		}
		if float64(n) < 0.75*float64(gone)-1 && d.size > 1000 {
			d.Errorf("round %d: %d removed, and only %d could be appended", round, gone, n)
		}
	}
	d.verify()
	must(d.T, d.s.Close())
	d.open()
	d.verify()
	must(d.T, d.s.Close())
	if r, err := blockstore.CheckFS(bg, d.mem, d.opt.Secret); err != nil || len(r.Damage) > 0 {
		d.Errorf("check: %+v, %v", r.Damage, err)
	}
}

// remove removes what is chosen, and returns how many messages that was.
func (d *fullDisk) remove(choose func(d *fullDisk, i int) bool) (gone int) {
	d.Helper()
	var stay []store.Seq
	for i, seq := range d.live {
		if !choose(d, i) {
			stay = append(stay, seq)
			continue
		}
		if was, err := d.st.Remove(bg, seq); err != nil || !was {
			d.Fatalf("removing message %d of a full disk: %v, %v", seq, was, err)
		}
		gone++
	}
	d.live = stay
	return gone
}

func (d *fullDisk) open() {
	d.Helper()
	s, err := openTrial(d.mem, d.opt)
	must(d.T, err)
	d.s = s
	d.st, err = s.Stream(bg, "S")
	if errors.Is(err, store.ErrNotFound) {
		d.st, err = s.Create(bg, store.Config{Name: "S"})
	}
	must(d.T, err)
}

func (d *fullDisk) usage() store.Usage {
	d.Helper()
	u, err := d.s.Usage(bg)
	must(d.T, err)
	if u.Used+u.Free != u.Total {
		d.Errorf("usage does not add up: %+v", u)
	}
	return u
}

// data is the payload of message seq, which can't be compressed.
func (d *fullDisk) data(seq store.Seq) []byte {
	b := make([]byte, d.size)
	_, _ = rand.NewChaCha8([32]byte{0: byte(seq), 1: byte(seq >> 8)}).Read(b) //nolint:gosec // no secret
	return b
}

// fill appends until the disk is full, and returns how many messages it took.
func (d *fullDisk) fill() (n int) {
	d.Helper()
	last := store.Seq(0)
	if len(d.live) > 0 {
		last = d.live[len(d.live)-1]
	}
	for {
		st, err := d.st.State(bg)
		must(d.T, err)
		last = max(last, st.Last)
		seq, err := d.st.Append(bg, store.Entry{Subject: "x", Data: d.data(last + 1)})
		if errors.Is(err, store.ErrNoSpace) {
			return n
		}
		if must(d.T, err); seq != last+1 {
			d.Fatalf("message %d got the number %d", last+1, seq)
		}
		d.live = append(d.live, seq)
		n++
	}
}

// verify demands that what is live is what should be.
func (d *fullDisk) verify() {
	d.Helper()
	var got []store.Seq
	for m, err := range d.st.Scan(bg, store.Query{}) {
		must(d.T, err)
		msg, err := d.st.Load(bg, m.Seq, nil)
		if err != nil || !bytes.Equal(msg.Data, d.data(m.Seq)) {
			d.Fatalf("message %d: %v", m.Seq, err)
		}
		got = append(got, m.Seq)
	}
	if !slices.Equal(got, d.live) {
		d.Errorf("%d messages are live, want %d", len(got), len(d.live))
	}
}
