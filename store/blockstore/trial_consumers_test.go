package blockstore_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

// consuming is a stream with consumers at work, and what they were told. Its fields are guarded by mu: syncs and saves in the
// background call the hook, too.
type consuming struct {
	retention store.Retention
	policy    blockstore.Sync
	names     []string

	mu       sync.Mutex
	made     map[string]bool // consumers that were acknowledged
	appended store.Seq       // the last message that was acknowledged
	safe     store.Seq       // likewise, before the last sync
	acked    map[ack]bool    // what was acknowledged by consumers
	synced   map[ack]bool    // likewise, before the last sync
	trying   ack             // the ack that is under way
	unwanted map[store.Seq]bool
}

// ack is that of a message by a consumer.
type ack struct {
	consumer string
	seq      store.Seq
}

func newConsuming(r store.Retention, policy blockstore.Sync) *consuming {
	c := &consuming{retention: r, policy: policy, names: []string{"one"}, made: map[string]bool{}, acked: map[ack]bool{}, synced: map[ack]bool{}, unwanted: map[store.Seq]bool{}}
	if r != store.RetentionWorkQueue {
		c.names = append(c.names, "two")
	}
	return c
}

func (c *consuming) do(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

// run makes the stream and n steps with it.
func (c *consuming) run(f vfs.FS, rng *rand.Rand, n int) error {
	s, err := blockstore.Open(f, trialOptions(c.policy))
	if err != nil {
		return err
	}
	err = c.steps(s, rng, n)
	return errors.Join(err, s.Close())
}

func (c *consuming) steps(s store.Store, rng *rand.Rand, n int) error {
	st, err := s.Create(bg, store.Config{Name: "S", Retention: c.retention})
	if err != nil {
		return err
	}
	for _, name := range c.names {
		if _, err := st.CreateConsumer(bg, store.ConsumerConfig{Name: name, FilterSubject: "s", AckWait: time.Hour}); err != nil {
			return err
		}
		c.do(func() { c.made[name] = true })
	}
	for i := range n {
		if err := c.step(st, rng, i); err != nil {
			return err
		}
	}
	return nil
}

func (c *consuming) step(st store.Stream, rng *rand.Rand, i int) error {
	e := store.Entry{Subject: "s", Data: fmt.Appendf(nil, "%0200d", i)}
	unwanted := c.retention == store.RetentionInterest && i%4 == 3
	if unwanted {
		e.Subject = "u"
	}
	seq, err := st.Append(bg, e)
	if err != nil {
		return err
	}
	c.do(func() { c.appended, c.unwanted[seq] = seq, unwanted })
	name := c.names[rng.IntN(len(c.names))]
	consumer, err := st.Consumer(bg, name)
	if err != nil {
		return err
	}
	if info, err := consumer.Info(bg); err != nil || info.NumPending > 0 && rng.IntN(4) > 0 {
		if err == nil {
			_, err = consumer.Next(bg, nil)
		}
		if err != nil {
			return err
		}
	}
	if open, err := consumer.Pending(bg); err != nil || len(open) > 0 && rng.IntN(4) > 0 {
		if err != nil {
			return err
		}
		a := ack{name, open[rng.IntN(len(open))].Seq}
		c.do(func() { c.trying = a })
		if err := consumer.Ack(bg, a.seq); err != nil {
			return err
		}
		c.do(func() { c.acked[a], c.trying = true, ack{} })
	}
	switch {
	case i%7 == 6:
		var acked map[ack]bool
		c.do(func() { acked = maps.Clone(c.acked) })
		if err = st.Sync(bg); err == nil {
			c.do(func() { c.synced, c.safe = acked, c.appended })
		}
	case i%5 == 4:
		cfg := consumer.Config()
		cfg.Description = fmt.Sprint("step ", i)
		err = st.UpdateConsumer(bg, cfg)
	}
	return err
}

// verify opens what a stop left. Whatever was not acknowledged must be delivered, or be open; what was acknowledged
// before a sync, or with killed at all as far as the stream is concerned, must be neither; and in a stream that drops what is acknowledged
// there must be no message that nobody gets.
func (c *consuming) verify(f vfs.FS, killed bool) (err error) {
	s, err := blockstore.Open(f, trialOptions(c.policy))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	st, err := s.Stream(bg, "S")
	if err != nil {
		if errors.Is(err, store.ErrNotFound) && len(c.made) == 0 {
			return nil
		}
		return err
	}
	live := map[store.Seq]bool{}
	for m, err := range st.Scan(bg, store.Query{}) {
		if err != nil {
			return err
		}
		live[m.Seq] = true
	}
	got := map[ack]bool{}
	for _, name := range c.names {
		if err := c.collect(st, name, got); err != nil {
			return err
		}
	}
	kept := c.appended
	if c.policy != blockstore.SyncAlways && !killed {
		kept = c.safe
	}
	for _, name := range c.names {
		for seq := store.Seq(1); seq <= kept; seq++ {
			switch a := (ack{name, seq}); {
			case c.unwanted[seq]:
			case !c.acked[a] && a != c.trying && !got[a]:
				return fmt.Errorf("message %d was not acknowledged by %s, and is not delivered", seq, name)
			case c.synced[a] && got[a]:
				return fmt.Errorf("message %d was acknowledged by %s before a sync, and is delivered again", seq, name)
			case c.acked[a] && killed && c.retention == store.RetentionWorkQueue && live[seq]:
				return fmt.Errorf("message %d was acknowledged, and is there after a kill", seq)
			}
		}
	}
	if c.retention == store.RetentionLimits {
		return nil
	}
	for seq := range live {
		if len(c.made) == len(c.names) && !slices.ContainsFunc(c.names, func(name string) bool { return got[ack{name, seq}] }) {
			return fmt.Errorf("message %d is there, and nobody gets it", seq)
		}
	}
	return nil
}

// collect puts what a consumer has open, or delivers, into got.
func (c *consuming) collect(st store.Stream, name string, got map[ack]bool) error {
	consumer, err := st.Consumer(bg, name)
	if errors.Is(err, store.ErrNotFound) && !c.made[name] {
		return nil
	}
	if err != nil {
		return err
	}
	open, err := consumer.Pending(bg)
	if err != nil {
		return err
	}
	for _, p := range open {
		got[ack{name, p.Seq}] = true
	}
	for {
		info, err := consumer.Info(bg)
		if err != nil || info.NumPending == 0 {
			return err
		}
		d, err := consumer.Next(bg, nil)
		if err != nil {
			return err
		}
		if got[ack{name, d.Seq}] {
			return fmt.Errorf("message %d is open at %s, and delivered for the first time", d.Seq, name)
		}
		got[ack{name, d.Seq}] = true
	}
}

var retentions = []store.Retention{store.RetentionWorkQueue, store.RetentionInterest, store.RetentionLimits}

// crashWhileConsuming cuts the power, and kills the process, before every change that consumers make.
func crashWhileConsuming(r store.Retention, policy blockstore.Sync, seed, steps int) (points int, err error) {
	mem, rng, c := vfs.NewMem(), seeded(seed), newConsuming(r, policy)
	mem.Hook = func(op string) {
		c.do(func() {
			if err != nil {
				return
			}
			for _, keep := range []int{0, 50, 100} {
				if verr := c.verify(mem.Crash(rng, keep), false); verr != nil {
					err = fmt.Errorf("power lost before %q, keeping %d %%, after %d messages: %w", op, keep, c.appended, verr)
					return
				}
			}
			if verr := c.verify(mem.Kill(), true); verr != nil {
				err = fmt.Errorf("killed before %q, after %d messages: %w", op, c.appended, verr)
			}
			points += 4
		})
	}
	rerr := c.run(mem, seeded(-seed), steps)
	c.mu.Lock()
	defer c.mu.Unlock()
	return points, errors.Join(err, rerr)
}

func TestTrialConsumersSurviveACrash(t *testing.T) {
	t.Parallel()
	for _, r := range retentions {
		for _, policy := range []blockstore.Sync{blockstore.SyncAlways, blockstore.SyncNever} {
			t.Run(fmt.Sprint(r, " ", policy), func(t *testing.T) {
				points := 0
				for seed := range rounds(2, 100) {
					n, err := crashWhileConsuming(r, policy, seed, 30)
					if err != nil {
						t.Fatalf("seed %d: %v", seed, err)
					}
					points += n
				}
				t.Logf("%d stops", points)
			})
		}
	}
}

// TestTrialConsumersAndEveryCallFails lets each call of the file system fail in turn while consumers are at work. A call that
// fails is told, or made up for; and nothing that was not acknowledged is passed over.
func TestTrialConsumersAndEveryCallFails(t *testing.T) {
	t.Parallel()
	for _, r := range retentions[:2] {
		t.Run(string(r), func(t *testing.T) {
			for _, fault := range []vfs.Fault{{Err: syscall.EIO}, {Err: syscall.EIO, ForGood: true}, {Err: syscall.ENOSPC}} {
				for fault.At = 1; ; fault.At += stride(3) {
					mem, c := vfs.NewMem(), newConsuming(r, blockstore.SyncAlways)
					f := vfs.NewFail(mem)
					f.Set(fault)
					err := c.run(f, seeded(1), 20)
					if len(f.Failed()) == 0 {
						break
					}
					if err == nil && !quiet(fault, f.Failed()) && !madeUpFor(f.Failed()) {
						t.Errorf("call %d, %v: %s failed, and nobody was told", fault.At, fault.Err, f.Failed()[0])
					}
					if err := c.verify(mem.Kill(), true); err != nil {
						t.Errorf("call %d, %v: %s failed: %v", fault.At, fault.Err, f.Failed()[0], err)
					}
				}
			}
		})
	}
}

// madeUpFor says whether what failed was to keep a consumer, which is tried again as a whole.
func madeUpFor(failed []string) bool {
	return len(failed) == 1 && (strings.Contains(failed[0], "/consumer-") || strings.HasPrefix(failed[0], "syncdir streams/"))
}

// TestTrialConsumersWithoutSyncs has a disk that syncs nothing and says that it did: the trial must see it, or it would not see
// anything.
func TestTrialConsumersWithoutSyncs(t *testing.T) {
	t.Parallel()
	found := 0
	for seed := 0; seed < 40 && found == 0; seed++ {
		mem, rng, c := vfs.NewMem(), seeded(seed), newConsuming(store.RetentionWorkQueue, blockstore.SyncNever)
		f := vfs.NewFail(mem)
		mem.Hook = func(string) {
			c.do(func() {
				if c.verify(mem.Crash(rng, 50), false) != nil {
					found++
				}
			})
		}
		f.SetLying(true)
		_ = c.run(f, seeded(-seed), 30)
	}
	if found == 0 {
		t.Error("a disk that lies about syncs was not noticed")
	}
}
