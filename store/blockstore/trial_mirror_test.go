package blockstore_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
	"jsfs/store/replicate"
)

// followers is a store in which streams follow each other: O is mirrored by M, M by N; S has O and M as
// sources.
type followers struct {
	s   store.Store
	rng *rand.Rand

	reclaims bool // what is removed in S is given back now and then

	mu      sync.Mutex // guards the rest
	removed map[store.Seq]bool
	dropped map[string]store.Seq // the messages of sources that were removed in S, as in taken: their sequences in S
}

func newFollowers(seed int) *followers {
	return &followers{rng: seeded(seed), removed: map[store.Seq]bool{}, dropped: map[string]store.Seq{}}
}

// stopped is what a stop left. A message of O that was removed before can be back: the followers may have passed it.
type stopped struct {
	fs      *vfs.Mem
	how     string
	killed  bool // the power was not lost
	removed map[store.Seq]bool
	dropped map[string]store.Seq
	// full says that the disk was full, or that space was given back: what was removed in S, which all else could give back, may be gone for good.
	full bool
}

// stoppedAs returns what is known of f for what a stop left.
func (f *followers) stoppedAs(fs *vfs.Mem, how string, killed bool) stopped {
	f.mu.Lock()
	defer f.mu.Unlock()
	return stopped{fs: fs, how: how, killed: killed, removed: maps.Clone(f.removed), dropped: maps.Clone(f.dropped)}
}

func originPayload(seq store.Seq) string { return fmt.Sprintf("message %d of the origin\n", seq) }

// TestTrialFollowersStopped cuts the power, and kills the process, while streams follow each other: afterwards
// they have every message of their origins, none twice, each under its number. Positions may be lost with it, too.
func TestTrialFollowersStopped(t *testing.T) {
	t.Parallel()
	points := 0
	for seed := 0; points < rounds(600, 20_000) && !t.Failed(); seed++ {
		policy := policies[seed%3]
		images, err := newFollowers(seed).stops(seed, policy)
		must(t, err)
		for i, image := range images {
			points++
			if err := image.verify(policy, i%4 == 3); err != nil {
				t.Errorf("seed %d, %v, %s: %v", seed, policy, image.how, err)
				break
			}
		}
	}
	t.Logf("%d stops", points)
}

// stops runs the followers, and returns what stops in the middle of it have left.
func (f *followers) stops(seed int, policy blockstore.Sync) (images []stopped, err error) {
	mem, rng := vfs.NewMem(), seeded(-seed)
	var mu sync.Mutex // guards images: links call the hook, too
	mem.Hook = func(op string) {
		mu.Lock()
		defer mu.Unlock()
		if rng.IntN(40) > 0 || len(images) >= 12 {
			return
		}
		kinds := []func() *vfs.Mem{
			mem.Kill,
			func() *vfs.Mem { return mem.Crash(rng, 0) },
			func() *vfs.Mem { return mem.Crash(rng, 50) },
			func() *vfs.Mem { return mem.Crash(rng, 100) },
		}
		k := rng.IntN(len(kinds))
		images = append(images, f.stoppedAs(kinds[k](), fmt.Sprintf("stop of kind %d before %q", k, op), k == 0))
	}
	err = f.run(mem, policy)
	mem.Hook = nil
	return images, err
}

// TestTrialFollowersWithFaults lets a call of the file system fail while streams follow each other. What is
// left when the process ends is as after any other stop.
func TestTrialFollowersWithFaults(t *testing.T) {
	t.Parallel()
	faults := []vfs.Fault{
		{Err: syscall.EIO}, {Err: syscall.EIO, ForGood: true}, {Err: syscall.EIO, Short: true}, {Err: syscall.ENOSPC}, {Err: syscall.EROFS, ForGood: true},
	}
	failed := 0
	for seed := range rounds(300, 5000) {
		rng, mem, fault := seeded(-seed), vfs.NewMem(), faults[seed%len(faults)]
		fault.At = 1 + rng.IntN(900)
		fs := vfs.NewFail(mem)
		fs.Set(fault)
		f := newFollowers(seed)
		policy := policies[rng.IntN(3)]
		if err := f.run(fs, policy); err != nil && f.s != nil {
			_ = f.s.Close()
		}
		failed += min(1, len(fs.Failed()))
		for _, image := range []stopped{f.stoppedAs(mem.Kill(), "killed", true), f.stoppedAs(mem.Crash(rng, 0), "power lost", false)} {
			image.full = errors.Is(fault.Err, syscall.ENOSPC)
			if err := image.verify(policy, false); err != nil {
				t.Errorf("seed %d, %v, call %d gives %v, then %s: %v", seed, policy, fault.At, fault.Err, image.how, err)
			}
		}
	}
	if failed == 0 {
		t.Error("no call failed: the trial shows nothing")
	}
	t.Logf("%d failures", failed)
}

func (f *followers) open(fs vfs.FS, policy blockstore.Sync) error {
	opt := trialOptions(policy)
	if f.reclaims {
		opt.KeepDeleted = -1
	}
	s, err := blockstore.Open(fs, opt)
	f.s = s
	if err != nil {
		f.s = nil
	}
	return err
}

// run makes the streams, and changes them for a while.
func (f *followers) run(fs vfs.FS, policy blockstore.Sync) error {
	if err := f.open(fs, policy); err != nil {
		return err
	}
	for _, cfg := range []store.Config{
		{Name: "N", Mirror: &store.Source{Name: "M"}},
		{Name: "M", Mirror: &store.Source{Name: "O"}},
		{Name: "S", Subjects: []string{"own"}, Sources: []store.Source{{Name: "O"}, {Name: "M", FilterSubject: "x.1"}}},
		{Name: "O", Subjects: []string{"x.*"}},
	} {
		if _, err := f.s.Create(bg, cfg); err != nil {
			return err
		}
	}
	for range 60 {
		if f.rng.IntN(12) == 0 { // positions are remembered, and recalled
			if err := f.s.Close(); err != nil {
				return err
			}
			if err := f.open(fs, policy); err != nil {
				return err
			}
		}
		if err := f.step(); err != nil {
			return err
		}
	}
	return f.s.Close()
}

func (f *followers) step() error {
	o, err := f.s.Stream(bg, "O")
	if err != nil {
		return err
	}
	s, err := f.s.Stream(bg, "S")
	if err != nil {
		return err
	}
	state, err := o.State(bg)
	if err != nil {
		return err
	}
	switch p := f.rng.IntN(10); {
	case p < 6:
		es := make([]store.Entry, 1+f.rng.IntN(6))
		for i := range es {
			seq := state.Last + store.Seq(i) + 1 //nolint:gosec // small
			es[i] = store.Entry{Subject: fmt.Sprintf("x.%d", seq%3), Data: []byte(originPayload(seq))}
		}
		_, err = o.AppendAll(bg, es)
	case f.reclaims && p == 9:
		err = f.reclaim(s)
	case p < 7:
		_, err = s.Append(bg, store.Entry{Subject: "own", Data: []byte("own")})
	case p < 8:
		err = f.removeAny(o)
	case p < 9:
		err = f.removeAny(s)
	default:
		time.Sleep(time.Duration(f.rng.IntN(3)) * time.Millisecond) // followers come closer
	}
	return err
}

// removeAny removes a message, if the stream has got any.
func (f *followers) removeAny(s store.Stream) error {
	state, err := s.State(bg)
	if err != nil || state.Last == 0 {
		return err
	}
	seq := 1 + store.Seq(f.rng.Int64N(int64(state.Last))) //nolint:gosec // small
	if err := f.note(s, seq); err != nil {
		return err
	}
	_, err = s.Remove(bg, seq)
	return err
}

// note notes what is about to be removed.
func (f *followers) note(s store.Stream, seq store.Seq) error {
	if s.Config().Name == "O" {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.removed[seq] = true
		return nil
	}
	m, err := s.Load(bg, seq, nil)
	if errors.Is(err, store.ErrNotFound) {
		return nil // it was removed before
	}
	if err != nil {
		return err
	}
	key, err := taken(m)
	if err == nil && key != "" {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.dropped[key] = seq
	}
	return err
}

// taken says which message of a source a message of S was: the source, and its sequence there; "" if it is S's own.
func taken(m store.Msg) (key string, err error) {
	_, rest, ok := strings.Cut(string(m.Header), store.HeaderSource+": ")
	if !ok {
		return "", nil
	}
	var name string
	var seq store.Seq
	if _, err := fmt.Sscan(rest, &name, &seq); err != nil {
		return "", err
	}
	return fmt.Sprint(name, " ", seq), nil
}

// verify opens what a stop left, waits until everything is followed, and checks what every stream has. With forget
// the positions are taken away before, as damage would.
func (x stopped) verify(policy blockstore.Sync, forget bool) error {
	if forget {
		dirs, err := x.fs.List("streams")
		if err != nil && !strings.Contains(err.Error(), "not exist") {
			return err
		}
		for _, dir := range dirs {
			_ = x.fs.Remove("streams/" + dir + "/origins")
		}
	}
	s, err := blockstore.Open(x.fs, trialOptions(policy))
	if err != nil {
		return err
	}
	err = x.check(s, policy)
	return errors.Join(err, s.Close())
}

func (x stopped) check(s store.Store, policy blockstore.Sync) error {
	names, err := s.Streams(bg)
	if err != nil || len(names) < 4 {
		return err // it stopped while they were made
	}
	o, err := s.Stream(bg, "O")
	if err != nil {
		return err
	}
	for range 3 {
		if _, err := o.Append(bg, store.Entry{Subject: "x.1", Data: []byte("after")}); err != nil {
			return err
		}
	}
	want, err := o.State(bg)
	if err != nil {
		return err
	}
	for _, name := range []string{"M", "N"} {
		m, err := s.Stream(bg, name)
		if err == nil {
			err = x.checkMirror(o, m, want.Last)
		}
		if err != nil {
			return fmt.Errorf("mirror %s: %w", name, err)
		}
	}
	st, err := s.Stream(bg, "S")
	if err == nil {
		err = x.checkSources(o, st, want.Last, x.killed || policy == blockstore.SyncAlways)
	}
	return err
}

// await waits until good, and not for ever.
func await(good func() (bool, error), st store.Stream) error {
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if ok, err := good(); ok || err != nil {
			return err
		}
	}
	return fmt.Errorf("its origins were not followed in two minutes: %+v", st.Origins())
}

func (x stopped) checkMirror(o, m store.Stream, last store.Seq) error {
	err := await(func() (bool, error) {
		state, err := m.State(bg)
		return state.Last >= last, err
	}, m)
	if err != nil {
		return err
	}
	for meta, err := range o.Scan(bg, store.Query{}) {
		if err != nil {
			return err
		}
		if _, err := m.Stat(bg, meta.Seq); err != nil && !x.removed[meta.Seq] {
			return fmt.Errorf("message %d of the origin is missed: %w", meta.Seq, err)
		}
	}
	for meta, err := range m.Scan(bg, store.Query{}) {
		if err != nil {
			return err
		}
		msg, err := m.Load(bg, meta.Seq, nil)
		if err != nil {
			return err
		}
		if got := string(msg.Data); got != originPayload(meta.Seq) && got != "after" {
			return fmt.Errorf("message %d has %q", meta.Seq, got)
		}
	}
	return nil
}

// checkSources looks at all that S has on disk, removed or not. With stays, nothing that S stored was lost: what was removed there and
// is gone for good must not be taken again.
func (x stopped) checkSources(o, s store.Stream, last store.Seq, stays bool) error {
	var seen map[string]store.Seq // by source and sequence there: the sequence in S
	err := await(func() (bool, error) {
		seen = map[string]store.Seq{}
		for m, err := range s.(replicate.Target).Kept(bg, 1) {
			if err != nil {
				return false, err
			}
			key, err := taken(m)
			if err != nil {
				return false, err
			}
			if key == "" {
				continue
			}
			if at := seen[key]; at > 0 {
				return false, fmt.Errorf("message %s is in S twice: %d and %d", key, at, m.Seq)
			}
			if at := x.dropped[key]; at > 0 && at != m.Seq && stays {
				return false, fmt.Errorf("message %s, which was removed in S as %d, was taken again, as %d", key, at, m.Seq)
			}
			seen[key] = m.Seq
		}
		return seen[fmt.Sprint("O ", last)] > 0 && seen[fmt.Sprint("M ", last)] > 0, nil
	}, s)
	if err != nil {
		return err
	}
	for meta, err := range o.Scan(bg, store.Query{}) {
		if err != nil {
			return err
		}
		key := fmt.Sprint("O ", meta.Seq)
		if gone := x.full && x.dropped[key] > 0; seen[key] == 0 && !x.removed[meta.Seq] && !gone {
			return fmt.Errorf("message %d of the origin is missed by S", meta.Seq)
		}
	}
	return nil
}
