package blockstore_test

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

// restoring is a stream to which a consumer comes twice, as it was at different times. Its fields are guarded by mu.
type restoring struct {
	states [2]store.ConsumerState

	mu            sync.Mutex
	acked, trying int // which of the states, from 1
}

func newRestoring() *restoring {
	r := &restoring{}
	for i := range r.states {
		s := &r.states[i]
		s.Config = store.ConsumerConfig{Name: "c", AckWait: time.Hour, Description: fmt.Sprint("state ", i)}.WithDefaults()
		s.Created = 12345
		s.Delivered = store.Position{Consumer: uint64(i) + 5, Stream: store.Seq(i) + 4}                         //nolint:gosec // small
		s.Pending = []store.PendingDelivery{{Seq: 3, Consumer: 3, Time: 1, Due: 2 << 60, Count: uint64(i) + 1}} //nolint:gosec // small
	}
	return r
}

func (r *restoring) run(f vfs.FS, v variant) error {
	s, err := blockstore.Open(f, v.of(trialOptions(blockstore.SyncAlways)))
	if err != nil {
		return err
	}
	return errors.Join(r.steps(s), s.Close())
}

func (r *restoring) steps(s store.Store) error {
	st, err := s.Create(bg, store.Config{Name: "S"})
	for i := 0; i < 6 && err == nil; i++ {
		_, err = st.Append(bg, store.Entry{Subject: "s"})
	}
	for i := 0; i < 2 && err == nil; i++ {
		r.mu.Lock()
		r.trying = i + 1
		r.mu.Unlock()
		if _, err = st.RestoreConsumer(bg, r.states[i]); err == nil {
			r.mu.Lock()
			r.acked = i + 1
			r.mu.Unlock()
		}
	}
	return err
}

// verify opens what a stop left: the consumer is as it was restored last, or as it was about to be.
func (r *restoring) verify(f vfs.FS, v variant) (err error) {
	s, err := blockstore.Open(f, v.of(trialOptions(blockstore.SyncAlways)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	st, err := s.Stream(bg, "S")
	if errors.Is(err, store.ErrNotFound) && r.trying == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	c, err := st.Consumer(bg, "c")
	if errors.Is(err, store.ErrNotFound) && r.acked == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	got, err := c.State(bg)
	if err != nil {
		return err
	}
	for i := max(r.acked, 1); i <= r.trying; i++ {
		if cmp.Equal(got, r.states[i-1]) {
			return nil
		}
	}
	return fmt.Errorf("state %d was restored, %d about to be; the consumer is %+v", r.acked, r.trying, got)
}

func TestTrialARestoredConsumerSurvivesACrash(t *testing.T) {
	t.Parallel()
	for i, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			mem, rng, r, points := vfs.NewMem(), seeded(i), newRestoring(), 0
			mem.Hook = func(op string) {
				r.mu.Lock()
				defer r.mu.Unlock()
				for _, keep := range []int{0, 50, 100} {
					if err := r.verify(mem.Crash(rng, keep), v); err != nil {
						t.Errorf("power lost before %q, keeping %d %%: %v", op, keep, err)
					}
				}
				if err := r.verify(mem.Kill(), v); err != nil {
					t.Errorf("killed before %q: %v", op, err)
				}
				points += 4
			}
			must(t, r.run(mem, v))
			if points < 40 {
				t.Errorf("there were %d stops only", points)
			}
		})
	}
}

func TestTrialRestoringAConsumerAndEveryCallFails(t *testing.T) {
	t.Parallel()
	for _, fault := range []vfs.Fault{{Err: syscall.EIO}, {Err: syscall.EIO, ForGood: true}, {Err: syscall.ENOSPC}} {
		for fault.At = 1; ; fault.At++ {
			mem, r := vfs.NewMem(), newRestoring()
			f := vfs.NewFail(mem)
			f.Set(fault)
			_ = r.run(f, variants[0])
			if len(f.Failed()) == 0 {
				break
			}
			if err := r.verify(mem.Kill(), variants[0]); err != nil {
				t.Errorf("call %d, %v: %s failed: %v", fault.At, fault.Err, f.Failed()[0], err)
			}
		}
	}
}
