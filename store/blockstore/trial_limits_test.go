package blockstore_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

// limited is a stream whose limits or rollups take messages away with each store. Its messages are numbered by
// their payload, and have that as their id.
type limited struct {
	name string
	cfg  store.Config
	// keep makes of the live messages before the message k, and k, what is live after it.
	keep func(live []int, k int) []int
}

var limitedStreams = []limited{
	{"max_msgs", store.Config{Name: "S", MaxMsgs: 4}, func(live []int, k int) []int {
		live = append(live, k)
		return live[max(0, len(live)-4):]
	}},
	{"max_bytes", store.Config{Name: "S", MaxBytes: 1100}, func(live []int, k int) []int {
		live = append(live, k) // of 160 to 170 bytes each
		return live[max(0, len(live)-6):]
	}},
	{"max_msgs_per_subject", store.Config{Name: "S", MaxMsgsPerSubject: 2}, func(live []int, k int) []int {
		same := 0
		return reversed(slices.DeleteFunc(reversed(append(live, k)), func(n int) bool {
			if n%3 == k%3 {
				same++
			}
			return n%3 == k%3 && same > 2
		}))
	}},
	{"rollups", store.Config{Name: "S", AllowRollup: true}, func(live []int, k int) []int {
		live = slices.DeleteFunc(live, func(n int) bool { return k%11 == 0 || k%4 == 0 && n%3 == k%3 })
		return append(live, k)
	}},
}

func reversed(n []int) []int {
	n = slices.Clone(n)
	slices.Reverse(n)
	return n
}

// after is what is live when k messages were stored.
func (l *limited) after(k int) (live []int) {
	for i := 1; i <= k; i++ {
		live = l.keep(live, i)
	}
	return live
}

// message is message k.
func (l *limited) message(k int) store.Entry {
	header := fmt.Sprintf("NATS/1.0\r\nNats-Msg-Id: %04d\r\n", k)
	switch {
	case !l.cfg.AllowRollup:
	case k%11 == 0:
		header += "Nats-Rollup: all\r\n"
	case k%4 == 0:
		header += "Nats-Rollup: sub\r\n"
	}
	return store.Entry{Subject: fmt.Sprint("s.", k%3), Header: []byte(header + "\r\n"), Data: fmt.Appendf(nil, "%040d", k)}
}

// run appends n messages, one by one, and tells acked of each.
func (l *limited) run(f vfs.FS, opt blockstore.Options, n int, acked func(k int)) error {
	s, err := blockstore.Open(f, opt)
	if err != nil {
		return err
	}
	st, err := s.Create(bg, l.cfg)
	for k := 1; k <= n && err == nil; k++ {
		if _, err = st.Append(bg, l.message(k)); err == nil {
			acked(k)
		}
	}
	return errors.Join(err, s.Close())
}

// verify opens what a stop has left after acked messages were acknowledged. What is live must be what limits leave of
// the messages up to the last; and who was not answered and sends again must find it stored, once, with all that it does.
func (l *limited) verify(f vfs.FS, opt blockstore.Options, acked int) (err error) {
	s, err := blockstore.Open(f, opt)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	st, err := s.Stream(bg, "S")
	if errors.Is(err, store.ErrNotFound) && acked == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	got, err := numbersOf(st)
	if err != nil {
		return err
	}
	last := 0
	if len(got) > 0 {
		last = got[len(got)-1]
	}
	half := append(l.after(acked), acked+1) // a rollup that nobody was told of
	switch {
	case last < acked || last > acked+1:
		return fmt.Errorf("after %d messages the last one is %d", acked, last)
	case !slices.Equal(got, l.after(last)) && !(l.cfg.AllowRollup && last == acked+1 && slices.Equal(got, half)):
		return fmt.Errorf("after %d messages %v are live, want %v", last, got, l.after(last))
	}
	if _, err = st.Append(bg, l.message(acked+1)); err != nil {
		return fmt.Errorf("message %d is sent again: %w", acked+1, err)
	}
	if got, err = numbersOf(st); err == nil && !slices.Equal(got, l.after(acked+1)) {
		err = fmt.Errorf("message %d was sent again: %v are live, want %v", acked+1, got, l.after(acked+1))
	}
	return err
}

// numbersOf returns the numbers of the live messages.
func numbersOf(st store.Stream) (out []int, err error) {
	for m, err := range st.Scan(bg, store.Query{}) {
		if err != nil {
			return nil, err
		}
		msg, err := st.Load(bg, m.Seq, nil)
		if err != nil {
			return nil, err
		}
		k, err := strconv.Atoi(string(msg.Data))
		if err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	return out, nil
}

// TestTrialLimitsSurviveACrash cuts the power, and kills the process, before every change that a stream with limits
// makes.
func TestTrialLimitsSurviveACrash(t *testing.T) {
	t.Parallel()
	opt := trialOptions(blockstore.SyncAlways)
	for i := range limitedStreams {
		l := &limitedStreams[i]
		t.Run(l.name, func(t *testing.T) {
			var mu sync.Mutex // guards the next two: a sync in the background calls the hook, too
			points, acked := 0, 0
			for seed := range rounds(10, 200) {
				mem, rng := vfs.NewMem(), seeded(seed)
				acked = 0
				mem.Hook = func(op string) {
					mu.Lock()
					defer mu.Unlock()
					if t.Failed() {
						return
					}
					for _, keep := range []int{0, 50, 100} {
						if err := l.verify(mem.Crash(rng, keep), opt, acked); err != nil {
							t.Errorf("seed %d: power lost before %q, keeping %d %%: %v", seed, op, keep, err)
						}
					}
					if err := l.verify(mem.Kill(), opt, acked); err != nil {
						t.Errorf("seed %d: killed before %q: %v", seed, op, err)
					}
					points += 4
				}
				must(t, l.run(mem, opt, 40, func(k int) {
					mu.Lock()
					defer mu.Unlock()
					acked = k
				}))
			}
			t.Logf("%d stops", points)
		})
	}
}

// TestTrialLimitsAndEveryCallFails lets each call of the file system fail in turn while limits are enforced.
func TestTrialLimitsAndEveryCallFails(t *testing.T) {
	t.Parallel()
	opt := trialOptions(blockstore.SyncAlways)
	for i := range limitedStreams {
		l := &limitedStreams[i]
		t.Run(l.name, func(t *testing.T) {
			for _, fault := range []vfs.Fault{{Err: syscall.EIO}, {Err: syscall.EIO, Short: true, ForGood: true}, {Err: syscall.ENOSPC}} {
				for fault.At = 1; ; fault.At += stride(1) {
					mem, acked := vfs.NewMem(), 0
					f := vfs.NewFail(mem)
					f.Set(fault)
					err := l.run(f, opt, 30, func(k int) { acked = k })
					if len(f.Failed()) == 0 {
						break
					}
					if err == nil && !quiet(fault, f.Failed()) {
						t.Errorf("call %d, %v: %s failed, and nobody was told", fault.At, fault.Err, f.Failed()[0])
					}
					if err := l.verify(mem.Kill(), opt, acked); err != nil {
						t.Errorf("call %d, %v: %s failed: %v", fault.At, fault.Err, f.Failed()[0], err)
					}
				}
			}
		})
	}
}
