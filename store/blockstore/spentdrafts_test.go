package blockstore_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

const spentDir = "streams/0000000000000001"

// spentRun publishes drafts with a policy that does not sync, and looks at what a loss of power leaves.
type spentRun struct {
	t   *testing.T
	mem *vfs.Mem
	s   store.Store
	st  store.Stream
}

func newSpentRun(t *testing.T, secret bool) *spentRun {
	r := &spentRun{t: t, mem: vfs.NewMem()}
	opt := r.options(secret)
	var err error
	r.s, err = blockstore.Open(r.mem, opt)
	must(t, err)
	t.Cleanup(func() { must(t, r.s.Close()) })
	r.st, err = r.s.Create(t.Context(), store.Config{Name: "S"})
	must(t, err)
	return r
}

// options are such that nothing is synced in the background: time, in these tests, passes only where all wait.
func (*spentRun) options(secret bool) blockstore.Options {
	opt := blockstore.Options{Sync: blockstore.SyncInterval, Interval: time.Second}
	if secret {
		opt.Secret = trialSecret
	}
	return opt
}

// publish makes message n of draft n.
func (r *spentRun) publish(n int) {
	r.t.Helper()
	name := fmt.Sprintf(".d%d", n)
	seq, err := r.st.PublishDraft(r.t.Context(), name, store.Entry{Subject: "published", Data: []byte(pubContent(n))})
	must(r.t, err)
	if seq != store.Seq(n) {
		r.t.Fatalf("got sequence %d, want %d", seq, n)
	}
}

// written makes the tail durable, as a kernel may do by itself.
func (r *spentRun) written() {
	r.t.Helper()
	f, err := r.mem.Open(spentDir + "/00000001.blk")
	must(r.t, err)
	must(r.t, f.Sync())
	must(r.t, f.Close())
}

// marked is how many files of drafts that became messages there are.
func (r *spentRun) marked() (n int) {
	r.t.Helper()
	files, err := r.mem.List(spentDir + "/drafts")
	must(r.t, err)
	for _, file := range files {
		if strings.HasPrefix(file, "p") {
			n++
		}
	}
	return n
}

// wantAfterCrash demands of what a loss of power leaves the first messages, and as many drafts, also when the next one is stored and
// power is lost again.
func (r *spentRun) wantAfterCrash(secret bool, messages, drafts int) {
	r.t.Helper()
	image := r.mem.Crash(seeded(1), 0)
	for round := range 3 {
		s, err := blockstore.Open(image, r.options(secret))
		must(r.t, err)
		st, err := s.Stream(r.t.Context(), "S")
		must(r.t, err)
		list, err := st.ListDrafts(r.t.Context())
		must(r.t, err)
		if len(list) != drafts {
			r.t.Errorf("round %d: got %d drafts, want %d", round, len(list), drafts)
		}
		n := 0
		for m, err := range st.Scan(r.t.Context(), store.Query{Subject: "published"}) {
			must(r.t, err)
			if n++; m.Seq != store.Seq(n) {
				r.t.Errorf("round %d: got message %d, want %d", round, m.Seq, n)
			}
		}
		if n != messages {
			r.t.Errorf("round %d: got %d messages, want %d", round, n, messages)
		}
		if state, err := st.State(r.t.Context()); err != nil || round == 0 && messages == 3 && state.Lost > 0 {
			r.t.Errorf("got %d lost, %v", state.Lost, err)
		}
		if round == 1 {
			_, err = st.Append(r.t.Context(), store.Entry{Subject: "other"})
			must(r.t, err)
			must(r.t, st.Sync(r.t.Context()))
		}
		next := image.Crash(seeded(2), 0)
		must(r.t, s.Close())
		image = next
	}
}

// TestADraftThatWasPublishedIsOneOfTheTwo writes what publishing leaves to the disk in any order, and loses power.
func TestADraftThatWasPublishedIsOneOfTheTwo(t *testing.T) {
	for _, secret := range []bool{false, true} {
		for name, c := range map[string]struct {
			reach    func(r *spentRun)
			messages int
			drafts   int
		}{
			"nothing":      {func(*spentRun) {}, 1, 2},
			"the messages": {func(r *spentRun) { r.written() }, 1, 2},
			"the names":    {func(r *spentRun) { must(r.t, r.mem.SyncDir(spentDir+"/drafts")) }, 1, 2},
			"both": {func(r *spentRun) {
				must(r.t, r.mem.SyncDir(spentDir+"/drafts"))
				r.written()
			}, 3, 0},
			"all that a sync asks for": {func(r *spentRun) { must(r.t, r.st.Sync(bg)) }, 3, 0},
			"all, and the files' removal": {func(r *spentRun) {
				must(r.t, r.st.Sync(bg))
				must(r.t, r.mem.SyncDir(spentDir+"/drafts"))
			}, 3, 0},
		} {
			t.Run(fmt.Sprintf("%s, encrypted %v", name, secret), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newSpentRun(t, secret)
					for n := range 3 {
						must(t, writeDraft(r.st, fmt.Sprintf(".d%d", n+1), pubContent(n+1)))
					}
					r.publish(1)
					must(t, r.st.Sync(t.Context()))
					if n := r.marked(); n != 0 {
						t.Errorf("%d files of drafts are left after a sync", n)
					}
					must(t, r.mem.SyncDir(spentDir+"/drafts"))
					r.publish(2)
					r.publish(3)
					c.reach(r)
					r.wantAfterCrash(secret, c.messages, c.drafts)
				})
			})
		}
	}
}

// TestPublishingWithoutSyncSyncsNothing counts: with the policies that do not sync a draft becomes a message without one.
func TestPublishingWithoutSyncSyncsNothing(t *testing.T) {
	for _, policy := range []blockstore.Sync{blockstore.SyncInterval, blockstore.SyncNever} {
		synctest.Test(t, func(t *testing.T) {
			mem := vfs.NewMem()
			f := vfs.NewFail(mem)
			s, err := blockstore.Open(f, blockstore.Options{Sync: policy, Interval: time.Second})
			must(t, err)
			st, err := s.Create(t.Context(), store.Config{Name: "S"})
			must(t, err)
			_, err = st.Append(t.Context(), store.Entry{Subject: "first"})
			must(t, err)
			for i := range 3 {
				d, err := st.CreateDraft(t.Context(), fmt.Sprintf(".d%d", i))
				must(t, err)
				must(t, d.Close())
			}
			before := len(f.Syncs())
			for i := range 3 {
				_, err := st.PublishDraft(t.Context(), fmt.Sprintf(".d%d", i), store.Entry{Subject: "x"})
				must(t, err)
			}
			if syncs := f.Syncs()[before:]; len(syncs) > 0 {
				t.Errorf("%v: publishing synced %q", policy, syncs)
			}
			must(t, s.Close())
		})
	}
}
