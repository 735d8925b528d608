package blockstore_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

// either demands that each draft that was to become a message is one of the two: names has the drafts by content.
func (js *jstream) either(st store.Stream, names map[string]string) error {
	for _, d := range js.drafts {
		m := js.msgs[d.becomes]
		if m == nil {
			continue
		}
		msg, err := st.Load(bg, d.becomes, nil)
		live := err == nil && string(msg.Data) == d.content // it may be another one's, if the draft did not become a message
		switch name, there := names[d.content]; {
		case there && live:
			return fmt.Errorf("draft %s is there, and so is message %d that it became", name, d.becomes)
		case !there && m.touched == 0 && !d.dropped && !live:
			return fmt.Errorf("a draft is gone, and message %d that it was to become is not there: %.40q", d.becomes, d.content)
		}
	}
	return nil
}

// pubOf is what one publishing is about.
type pubOf struct {
	name   string
	draft  string // its name
	sync   blockstore.Sync
	secret bool
	full   bool // the disk is full when the message is written, and then no more
	twice  bool // another draft of that name is published right after
	large  bool // its message does not get a block of its own
	killed bool // the process was killed and the store opened again before
}

var pubs = []pubOf{
	{name: "always", draft: ".d", sync: blockstore.SyncAlways},
	{name: "interval", draft: ".d", sync: blockstore.SyncInterval},
	{name: "never", draft: ".d", sync: blockstore.SyncNever},
	{name: "encrypted", draft: ".d", sync: blockstore.SyncAlways, secret: true},
	{name: "a long name", draft: strings.Repeat("\x01", 200), sync: blockstore.SyncAlways},
	{name: "an encrypted long name", draft: strings.Repeat("x", 240), sync: blockstore.SyncInterval, secret: true},
	{name: "a full disk", draft: ".d", sync: blockstore.SyncAlways, full: true},
	{name: "a full disk and a long name", draft: strings.Repeat("x", 240), sync: blockstore.SyncInterval, full: true},
	{name: "two of a name", draft: ".d", sync: blockstore.SyncInterval, twice: true},
	{name: "in one block", draft: ".d", sync: blockstore.SyncInterval, large: true},
	{name: "in one block encrypted", draft: ".d", sync: blockstore.SyncNever, large: true, secret: true},
	{name: "after a kill", draft: ".d", sync: blockstore.SyncInterval, killed: true},
	{name: "after a kill always", draft: ".d", sync: blockstore.SyncAlways, killed: true},
}

// TestTrialADraftIsPublishedOnce cuts the power and kills the process before every change that publishing makes, also that of
// opening the store after that: then there is the draft or the message, and once it was acknowledged and is durable the message. And
// each sync of the directory of drafts is missed: the trial must show that.
func TestTrialADraftIsPublishedOnce(t *testing.T) {
	t.Parallel()
	for _, p := range pubs {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			for seed := range rounds(3, 300) {
				if err := p.try(seed, 0); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
			}
			if *trials == "quick" {
				return // under the race detector a run takes so long that syncs in the background come in between
			}
			mem := vfs.NewMem()
			f := vfs.NewFail(mem)
			r := &pubRun{pubOf: p, mem: mem, f: f}
			if r.publish(); r.err != nil {
				t.Fatal(r.err)
			}
			for n, sync := range r.f.Syncs() {
				if n < r.before || n == r.spare || !strings.HasPrefix(sync, "syncdir") || !strings.HasSuffix(sync, "/drafts") {
					continue
				}
				found := false
				for seed := 0; seed < 40 && !found; seed++ {
					found = p.try(seed, n+1) != nil
				}
				if !found {
					t.Errorf("%s (%d) was taken out, and never missed", sync, n+1)
				}
			}
		})
	}
}

// pubRun is one run of a publishing.
type pubRun struct {
	pubOf
	mem    *vfs.Mem
	f      *vfs.Fail
	before int // how many syncs there were before it
	skip   int // the sync that does not happen
	spare  int // the one that made a draft durable
	begun  bool

	// mu guards all below and what each stop takes: what is synced in the background is a change, too.
	mu     sync.Mutex
	acked  int // how many drafts were published, as far as the caller knows
	synced int // … and are durable
	err    error
}

// try publishes and stops before every change, the n-th sync of all not happening.
func (p pubOf) try(seed, n int) error {
	r := &pubRun{pubOf: p, mem: vfs.NewMem(), skip: n}
	r.f = vfs.NewFail(r.mem)
	if !p.killed {
		r.f.SkipSync(n)
	}
	rng := seeded(seed)
	r.mem.Hook = func(op string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if !r.begun || r.err != nil {
			return
		}
		for _, image := range []*vfs.Mem{r.mem.Crash(rng, 0), r.mem.Crash(rng, 50), r.mem.Crash(rng, 100), r.mem.Kill()} {
			var err error
			if rng.IntN(6) == 0 {
				image.Hook = func(second string) {
					if err != nil {
						return
					}
					if err = r.check(image.Crash(rng, []int{0, 50}[rng.IntN(2)]), r.synced); err != nil {
						err = fmt.Errorf("and again before %q: %w", second, err)
					}
				}
			}
			if cerr := r.check(image, r.synced); err == nil {
				err = cerr
			}
			if err != nil {
				r.err = fmt.Errorf("before %q, %d acknowledged: %w", op, r.acked, err)
				return
			}
		}
		if err := r.check(r.mem.Kill(), r.acked); err != nil {
			r.err = fmt.Errorf("killed before %q, %d acknowledged: %w", op, r.acked, err)
		}
	}
	r.publish()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = r.check(r.mem.Crash(rng, 0), r.drafts())
	}
	return r.err
}

func (p *pubOf) drafts() int {
	if p.twice {
		return 2
	}
	return 1
}

func pubContent(i int) string { return fmt.Sprintf("draft %d %s", i, strings.Repeat("x", 5000)) }

// publish makes a store with a draft and publishes it.
func (r *pubRun) publish() {
	err := r.publishing()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = errors.Join(r.err, err)
}

func (r *pubRun) publishing() error {
	s, st, err := r.prepared(r.options(trialOptions(r.sync)))
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.before, r.begun = len(r.f.Syncs()), true
	r.mu.Unlock()
	for i := range r.drafts() {
		if i > 0 {
			if err := writeDraft(st, r.draft, pubContent(i)); err != nil {
				return err
			}
			r.spare = len(r.f.Syncs()) - 1
		}
		e := store.Entry{Subject: "published", Data: []byte(pubContent(i))}
		if r.full {
			r.f.Set(vfs.Fault{At: 1, Err: syscall.ENOSPC, Match: func(call, name string) bool { return call == "write" && strings.HasSuffix(name, ".blk") }})
			_, err := st.PublishDraft(bg, r.draft, e)
			r.f.Set(vfs.Fault{})
			if !errors.Is(err, store.ErrNoSpace) {
				return fmt.Errorf("publishing on a full disk: got %w, want %w", err, store.ErrNoSpace)
			}
			if _, err := st.Append(bg, store.Entry{Subject: "other"}); err != nil { // it gets the sequence
				return err
			}
			if err := st.Sync(bg); err != nil {
				return err
			}
		}
		if _, err := st.PublishDraft(bg, r.draft, e); err != nil {
			return err
		}
		r.mu.Lock()
		if r.acked++; r.sync == blockstore.SyncAlways {
			r.synced = r.acked
		}
		r.mu.Unlock()
	}
	if _, err := st.Append(bg, store.Entry{Subject: "other"}); err != nil {
		return err
	}
	if err := st.Sync(bg); err != nil {
		return err
	}
	r.mu.Lock()
	r.synced = r.acked
	r.mu.Unlock()
	return s.Close()
}

// prepared returns a stream with a draft.
func (r *pubRun) prepared(opt blockstore.Options) (store.Store, store.Stream, error) {
	s, err := blockstore.Open(r.f, opt)
	if err != nil {
		return nil, nil, err
	}
	st, err := s.Create(bg, store.Config{Name: "S"})
	if err == nil {
		_, err = st.Append(bg, store.Entry{Subject: "other"})
	}
	if err == nil {
		err = writeDraft(st, r.draft, pubContent(0))
	}
	if err != nil || !r.killed {
		return s, st, err
	}
	hook := r.mem.Hook
	r.mem = r.mem.Kill()
	r.mem.Hook = hook
	r.f = vfs.NewFail(r.mem)
	r.f.SkipSync(r.skip)
	if s, err = blockstore.Open(r.f, opt); err == nil {
		st, err = s.Stream(bg, "S")
	}
	return s, st, err
}

// writeDraft makes a draft, durably.
func writeDraft(st store.Stream, name, content string) error {
	d, err := st.CreateDraft(bg, name)
	if err != nil {
		return err
	}
	_, err = d.WriteAt([]byte(content), 0)
	return errors.Join(err, d.Sync(), d.Close())
}

// check opens what a stop has left, first without changing it, goes on and looks again: of the drafts the first sure ones must
// be messages.
func (r *pubRun) check(image *vfs.Mem, sure int) error {
	var before string
	for i, opt := range []blockstore.Options{{ReadOnly: true}, trialOptions(r.sync), {ReadOnly: true}} {
		s, err := blockstore.Open(image, r.options(opt))
		if err != nil {
			return err
		}
		found, err := r.look(s, sure)
		if err == nil && i > 0 && found != before {
			err = fmt.Errorf("was %q, is %q when it is opened again", before, found)
		}
		if before = found; err == nil && i == 1 {
			err = r.goOn(s, image, found)
		}
		if err = errors.Join(err, s.Close()); err != nil {
			return err
		}
	}
	return nil
}

// goOn syncs, which makes durable what was found, and stores a message, durably.
func (r *pubRun) goOn(s store.Store, image *vfs.Mem, found string) error {
	st, err := s.Stream(bg, "S")
	if err == nil {
		err = st.Sync(bg)
	}
	if err != nil {
		return err
	}
	synced, err := blockstore.Open(image.Crash(seeded(1), 0), r.options(blockstore.Options{ReadOnly: true}))
	if err != nil {
		return err
	}
	now, err := r.look(synced, 0)
	if err = errors.Join(err, synced.Close()); err == nil && (strings.Count(now, "message") != strings.Count(found, "message") || !strings.HasPrefix(found, now)) {
		err = fmt.Errorf("a sync was to make durable: %q; it was %q after a loss of power", found, now)
	}
	if err == nil {
		_, err = st.Append(bg, store.Entry{Subject: "other"})
	}
	if err == nil {
		err = st.Sync(bg)
	}
	return err
}

// options is opt for the store.
func (r *pubRun) options(opt blockstore.Options) blockstore.Options {
	if r.secret {
		opt.Secret = trialSecret
	}
	if r.large {
		opt.BlockSize = 8 * trialBlock
	}
	return opt
}

// look says which drafts and messages there are of those that were published or to be.
func (r *pubRun) look(s store.Store, sure int) (found string, err error) {
	st, err := s.Stream(bg, "S")
	if err != nil {
		return "", err
	}
	is := map[string]string{} // by content
	list, err := st.ListDrafts(bg)
	if err != nil {
		return "", err
	}
	for _, info := range list {
		d, err := st.OpenDraft(bg, info.Name)
		if err != nil {
			return "", err
		}
		b := make([]byte, info.Size)
		if _, err := d.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
			b = nil // it was being made
		}
		is[string(b)] += "draft "
		if err := d.Close(); err != nil {
			return "", err
		}
	}
	for m, err := range st.Scan(bg, store.Query{Subject: "published"}) {
		if err != nil {
			return "", err
		}
		msg, err := st.Load(bg, m.Seq, nil)
		if err != nil {
			return "", err
		}
		is[string(msg.Data)] += "message "
	}
	for i := range r.acked + 1 {
		what := is[pubContent(i)]
		if i == r.drafts() || i > 0 && what == "" && i == r.acked {
			break // it may not have been made
		}
		if what != "draft " && what != "message " || i < sure && what != "message " {
			return "", fmt.Errorf("draft %d is now: %q", i, what)
		}
		found += what
	}
	return found, nil
}
