package blockstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

// specimen is a store that is to be damaged, and what is in it. It has several sealed blocks, and a
// tail, removed messages, some that were brought back, and gaps.
type specimen struct {
	opt    blockstore.Options
	fs     *vfs.Mem // closed cleanly; each trial damages a copy
	blocks []string
	others []string // every other file but the lock
	size   map[string]int64
	msgs   []*kept
	last   map[string]store.Seq
	// reclaimed says that space was given back: messages that were removed may be in no block.
	reclaimed bool
	// earlier are the files as they were when half of the messages were stored.
	earlier map[string]string
}

// kept is a message of a specimen.
type kept struct {
	stream     string
	seq        store.Seq
	e          store.Entry
	live       bool
	touched    bool // it was removed once, so its fate is written elsewhere, too
	file       string
	start, end int64 // of its record in the block
}

func newSpecimen(tb testing.TB, seed int) *specimen {
	tb.Helper()
	sp := &specimen{}
	sp.make(tb, seed)
	return sp
}

// newReclaimedSpecimen is newSpecimen for a store that gave the space back of what was removed in its first half, and
// keeps the rest.
func newReclaimedSpecimen(tb testing.TB, seed int) *specimen {
	tb.Helper()
	sp := &specimen{reclaimed: true}
	sp.make(tb, seed)
	return sp
}

func (sp *specimen) make(tb testing.TB, seed int) {
	tb.Helper()
	sp.fs, sp.size, sp.last = vfs.NewMem(), map[string]int64{}, map[string]store.Seq{}
	opt := variantOf(seed).of(trialOptions(blockstore.SyncNever))
	days := int64(0)
	if sp.reclaimed {
		opt.Now = func() int64 { return 1.7e18 + days*24*3600e9 }
	}
	sp.opt = opt
	s, err := openTrial(sp.fs, opt)
	must(tb, err)
	rng, incs := seeded(seed), map[uint64]string{}
	for _, name := range []string{"S", "T"} {
		st, err := s.Create(bg, store.Config{Name: name})
		must(tb, err)
		incs[st.Incarnation()] = name
		for i := range map[string]int{"S": 240, "T": 15}[name] {
			k := &kept{stream: name, e: entry(rng, seed*10_000+len(sp.msgs), 20+rng.IntN(150)), live: true}
			if name == "S" && i == 120 {
				sp.earlier, days = files(tb, sp.fs, "."), 2
			}
			if i%50 == 49 {
				k.seq = sp.last[name] + 1 + store.Seq(rng.IntN(2000)) //nolint:gosec // small
				must(tb, st.Restore(bg, store.Msg{Meta: store.Meta{Seq: k.seq}, Subject: k.e.Subject, Header: k.e.Header, Data: k.e.Data}))
			} else {
				k.seq, err = st.Append(bg, k.e)
				must(tb, err)
			}
			sp.msgs, sp.last[name] = append(sp.msgs, k), k.seq
			if victim := sp.msgs[rng.IntN(len(sp.msgs))]; i%7 == 3 && victim.live && victim.stream == name {
				_, err := st.Remove(bg, victim.seq)
				must(tb, err)
				victim.touched = true
				if victim.live = i%3 == 0; victim.live {
					must(tb, st.Undelete(bg, victim.seq))
				}
			}
		}
		d, err := st.CreateDraft(bg, ".draft")
		must(tb, err)
		_, err = d.WriteAt([]byte("a draft"), 0)
		must(tb, errors.Join(err, d.Sync(), d.Close()))
	}
	if sp.reclaimed {
		must(tb, s.Reclaim(bg))
	}
	must(tb, s.Close())
	sp.locate(tb, incs)
}

// locate finds where each message stands. incs are the streams by their incarnations.
func (sp *specimen) locate(tb testing.TB, incs map[uint64]string) {
	tb.Helper()
	for name, content := range files(tb, sp.fs, ".") {
		sp.size[name] = int64(len(content))
		if !strings.HasSuffix(name, ".blk") {
			if name != "lock" && len(content) > 0 {
				sp.others = append(sp.others, name)
			}
			continue
		}
		sp.blocks = append(sp.blocks, name)
		inc, places := placesIn(tb, content)
		for _, p := range places {
			for _, k := range sp.msgs {
				if k.stream == incs[inc] && uint64(k.seq) == p.seq {
					k.file, k.start, k.end = name, p.start, p.end
				}
			}
		}
	}
	for _, k := range sp.msgs {
		if k.file == "" && (k.live || !sp.reclaimed) {
			tb.Fatalf("message %d of %s is in no block", k.seq, k.stream)
		}
	}
	slices.Sort(sp.blocks)
	slices.Sort(sp.others)
	if len(sp.blocks) < 5 {
		tb.Fatalf("only %d blocks", len(sp.blocks))
	}
}

// hit returns the messages whose records may overlap [off, off+n) of a file.
func (sp *specimen) hit(file string, off, n int64) map[*kept]bool {
	out := map[*kept]bool{}
	for _, k := range sp.msgs {
		if k.file == file && off < k.end && k.start < off+n {
			out[k] = true
		}
	}
	return out
}

// finding is what reading a damaged store showed.
type finding struct {
	lost    []*kept // live messages that can't be read
	revived []*kept // removed messages that are live again
	// vanished are messages that were brought back, and are removed again.
	vanished []*kept
}

// inspect reads everything in a store. It gives an error for what must never happen:
// wrong bytes, wrong errors, a loss that is not reported.
func (sp *specimen) inspect(s store.Store) (finding, error) {
	var out finding
	damage := map[string][]store.Damage{}
	for name := range sp.last {
		st, err := s.Stream(bg, name)
		if err != nil {
			return out, fmt.Errorf("stream %s: %w", name, err)
		}
		found, err := sp.inspectStream(st)
		if err == nil {
			damage[name], err = st.Damage(bg)
		}
		if err != nil {
			return out, fmt.Errorf("stream %s: %w", name, err)
		}
		out.lost, out.revived = append(out.lost, found.lost...), append(out.revived, found.revived...)
		out.vanished = append(out.vanished, found.vanished...)
	}
	for _, k := range out.lost {
		if !slices.ContainsFunc(damage[k.stream], func(d store.Damage) bool { return d.First <= k.seq && k.seq <= d.Last }) {
			return out, fmt.Errorf("message %d of %s is lost and not reported: %+v", k.seq, k.stream, damage[k.stream])
		}
	}
	return out, nil
}

func (sp *specimen) inspectStream(st store.Stream) (out finding, err error) {
	name := st.Config().Name
	listed := map[store.Seq]bool{}
	last := store.Seq(0)
	for m, err := range st.Scan(bg, store.Query{}) {
		if err != nil || m.Seq <= last {
			return out, fmt.Errorf("scan: %d after %d, %w", m.Seq, last, err)
		}
		last, listed[m.Seq] = m.Seq, true
	}
	some := false
	for _, k := range sp.msgs {
		if k.stream != name {
			continue
		}
		got, err := st.Load(bg, k.seq, nil)
		corrupt := (*store.CorruptError)(nil)
		switch {
		case err == nil && (got.Subject != k.e.Subject || !bytes.Equal(got.Header, k.e.Header) || !bytes.Equal(got.Data, k.e.Data)):
			return out, fmt.Errorf("message %d has wrong bytes: %.60q", k.seq, got.Data)
		case err == nil && !listed[k.seq]:
			return out, fmt.Errorf("message %d can be read and is not listed", k.seq)
		case err == nil && !k.live:
			out.revived = append(out.revived, k)
		case errors.As(err, &corrupt):
			if k.live {
				out.lost = append(out.lost, k)
			}
		case errors.Is(err, store.ErrNotFound) && k.live && k.touched:
			out.vanished = append(out.vanished, k)
		case err != nil && (k.live || !errors.Is(err, store.ErrNotFound)):
			return out, fmt.Errorf("message %d: %w", k.seq, err)
		}
		delete(listed, k.seq)
		some = some || err == nil
	}
	if len(listed) > 0 {
		return out, fmt.Errorf("messages are listed that were never stored: %v", listed)
	}
	return out, inspectSums(st, some)
}

// inspectSums reads what else there is. The newest message is found if any is.
func inspectSums(st store.Stream, some bool) error {
	extents, state, err := st.Extents(bg)
	if err != nil {
		return fmt.Errorf("extents: %w", err)
	}
	var sum store.Totals
	for _, e := range extents {
		sum = sum.Plus(e.Live)
	}
	if sum != state.Live {
		return fmt.Errorf("extents add up to %+v, state says %+v", sum, state.Live)
	}
	var corrupt *store.CorruptError
	if _, err := st.LoadLast(bg, "", nil); err != nil && !errors.As(err, &corrupt) && (some || !errors.Is(err, store.ErrNotFound)) {
		return fmt.Errorf("load last: %w", err)
	}
	return inspectDrafts(st)
}

// inspectDrafts reads the drafts, which have the bytes of the specimen's, or are damaged.
func inspectDrafts(st store.Stream) error {
	list, err := st.ListDrafts(bg)
	if err != nil {
		return fmt.Errorf("list drafts: %w", err)
	}
	for _, info := range list {
		d, err := st.OpenDraft(bg, info.Name)
		if err != nil {
			return fmt.Errorf("draft %s: %w", info.Name, err)
		}
		b := make([]byte, 20)
		n, err := d.ReadAt(b, 0)
		if !errors.As(err, new(*store.CorruptError)) && string(b[:n]) != "a draft" {
			return fmt.Errorf("draft %s has the wrong bytes %q, %w", info.Name, b[:n], err)
		}
		if err := d.Close(); err != nil {
			return err
		}
	}
	return nil
}

// read opens a store for reading, inspects it, and demands that no byte changed.
func (sp *specimen) read(f *vfs.Mem) (found finding, err error) {
	opt := trialOptions(blockstore.SyncAlways)
	opt.ReadOnly = true
	return found, unchanged(f, func() error {
		s, err := openTrial(f, opt)
		if err != nil {
			return fmt.Errorf("open: %w", err)
		}
		found, err = sp.inspect(s)
		return errors.Join(err, s.Close())
	})
}

// unchanged runs f, and demands that it changes nothing of a file system but the lock.
func unchanged(mem *vfs.Mem, f func() error) error {
	var changes []string
	mem.Hook = func(change string) {
		if !strings.HasSuffix(change, " lock") {
			changes = append(changes, change)
		}
	}
	err := f()
	mem.Hook = nil
	if len(changes) > 0 {
		err = errors.Join(err, fmt.Errorf("reading made changes: %q", changes))
	}
	return err
}
