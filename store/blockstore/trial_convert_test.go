package blockstore_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
	"jsfs/store/legacy"
)

// oldStore is a directory of the first generation, and what is to become of it.
type oldStore struct {
	fs   *vfs.Mem // each trial takes a copy
	file map[string]string
	want map[string][]store.Msg
	bad  string // what is kept aside, all of it from one stream
}

// newOldStore has a stream with bad lines, one of several blocks and one with encrypted payloads.
func newOldStore(tb testing.TB) *oldStore {
	tb.Helper()
	o := &oldStore{file: map[string]string{}, want: map[string][]store.Msg{}}
	o.file["A"], o.bad, o.want["A"] = badFile()
	for seq := 2; seq < 110; seq += 1 + seq%3 {
		o.want["LONG"] = append(o.want["LONG"], legacyMsg("LONG", seq))
	}
	o.file["LONG"] = legacyFile(o.want["LONG"]...)
	var sealed []store.Msg
	for i, b := range sealedPayloads(tb, "a secret payload") {
		m := legacyMsg("SEALED", i+1)
		m.Data = []byte("a secret payload")
		o.want["SEALED"] = append(o.want["SEALED"], m)
		m.Data = []byte(b)
		sealed = append(sealed, m)
	}
	o.file["SEALED"] = legacyFile(sealed...)
	content := map[string]string{}
	for name, file := range o.file {
		content[name+"/messages.jsonl"] = file
	}
	o.fs = newLegacy(tb, content)
	o.fs.SetLimit(8 << 20) // so that the reserve is small
	return o
}

func (o *oldStore) options() blockstore.Options {
	opt := trialOptions(blockstore.SyncAlways)
	opt.LegacyKeys = []legacy.Key{legacyKey}
	return opt
}

// open opens the store, which converts what is not converted yet, and closes it.
func (o *oldStore) open(f vfs.FS, check bool) error {
	s, err := blockstore.Open(f, o.options())
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	var errs []error
	for name, want := range o.want {
		if check {
			errs = append(errs, checkStream(s, name, want))
		}
	}
	return errors.Join(append(errs, s.Close())...)
}

// verify demands that nothing is lost in what a stop left, and that opening it finishes the work.
func (o *oldStore) verify(f *vfs.Mem) error {
	for name, want := range o.file {
		if got, err := o.oldFile(f, name); err != nil || got != want {
			return fmt.Errorf("the file of %s is lost: %d bytes, want %d, %w", name, len(got), len(want), err)
		}
	}
	for range 2 {
		if err := o.open(f, true); err != nil {
			return err
		}
	}
	for name, want := range o.file {
		got, err := content(f, name+"/messages.jsonl.migrated")
		if err != nil || got != want {
			return fmt.Errorf("the file of %s set aside: %d bytes, want %d, %w", name, len(got), len(want), err)
		}
		if names, err := f.List(name); err != nil || len(names) != 1 {
			return fmt.Errorf("in the old directory of %s: %q, %w", name, names, err)
		}
	}
	report, err := blockstore.CheckFS(bg, f, nil)
	if err != nil || len(report.Damage) > 0 || len(report.Streams) != len(o.want) {
		return fmt.Errorf("check: %+v, %w", report, err)
	}
	var kept, why bool
	for _, name := range report.Quarantine {
		got, err := content(f, "quarantine/"+name)
		kept = kept || err == nil && got == o.bad
		why = why || err == nil && strings.Count(got, "A/messages.jsonl:") == 5 && strings.Count(got, "\n") == 5
	}
	if !kept || !why {
		return fmt.Errorf("what was to be kept aside is in %q: %v, and why: %v", report.Quarantine, kept, why)
	}
	return nil
}

// oldFile returns the file of a stream under the name that it has.
func (o *oldStore) oldFile(f vfs.FS, name string) (string, error) {
	got, err := content(f, name+"/messages.jsonl")
	if errors.Is(err, fs.ErrNotExist) {
		got, err = content(f, name+"/messages.jsonl.migrated")
	}
	return got, err
}

// content returns a file's content.
func content(f vfs.FS, name string) (string, error) {
	file, err := f.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	size, err := file.Size()
	if err != nil {
		return "", err
	}
	b := make([]byte, size)
	_, err = file.ReadAt(b, 0)
	return string(b), err
}

// everyStop converts and calls try with what a stop before each change leaves, until it gives an error.
func (o *oldStore) everyStop(f func(*vfs.Mem) vfs.FS, rng *rand.Rand, try func(stop string, image func() *vfs.Mem) error) (changes int, err error) {
	mem := o.fs.Kill()
	busy := false
	mem.Hook = func(change string) {
		if busy || err != nil {
			return
		}
		busy = true
		defer func() { busy = false }()
		changes++
		for _, keep := range []int{0, 50, 100} {
			if err == nil {
				err = try(fmt.Sprintf("power lost before %q, keeping %d %%", change, keep), func() *vfs.Mem { return mem.Crash(rng, keep) })
			}
		}
		if err == nil {
			err = try(fmt.Sprintf("killed before %q", change), mem.Kill)
		}
	}
	if oerr := o.open(f(mem), false); err == nil {
		err = oerr
	}
	return changes, err
}

func plainFS(mem *vfs.Mem) vfs.FS { return mem }

// TestTrialConversionStopsAnywhere cuts the power, and kills the process, before every change that converting
// a directory of the first generation makes: each message is in the old file or in the store, and opening again
// ends with all of them in the store, once.
func TestTrialConversionStopsAnywhere(t *testing.T) {
	t.Parallel()
	for seed := range rounds(4, 500) {
		o := newOldStore(t)
		n, err := o.everyStop(plainFS, seeded(seed), func(stop string, image func() *vfs.Mem) error {
			if err := o.verify(image()); err != nil {
				return fmt.Errorf("%s: %w", stop, err)
			}
			return nil
		})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if n < 50 {
			t.Fatalf("only %d changes were made", n)
		}
	}
}

// TestTrialConversionStopsTwice stops a conversion, and again the one that goes on with it.
func TestTrialConversionStopsTwice(t *testing.T) {
	t.Parallel()
	o, rng := newOldStore(t), seeded(7)
	tried := 0
	for tried < rounds(400, 100_000) {
		_, err := o.everyStop(plainFS, rng, func(stop string, image func() *vfs.Mem) error {
			if rng.IntN(40) > 0 {
				return nil
			}
			second := *o
			second.fs = image()
			_, err := second.everyStop(plainFS, rng, func(again string, image func() *vfs.Mem) error {
				if rng.IntN(20) > 0 {
					return nil
				}
				tried++
				if err := o.verify(image()); err != nil {
					return fmt.Errorf("%s, then %s: %w", stop, again, err)
				}
				return nil
			})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// spareConversionSyncs are syncs of a conversion that a loss of power does not miss, and why they are made.
var spareConversionSyncs = map[string]string{
	"sync streams/new-*/state":    "without a state a stream is opened as after an unclean stop",
	"syncdir of an old directory": "a file that has its old name again is compared with the stream, and set aside again",
}

// TestTrialEverySyncOfAConversionIsNeeded takes out one sync after the other, and demands that a crash trial
// misses it.
func TestTrialEverySyncOfAConversionIsNeeded(t *testing.T) {
	t.Parallel()
	o := newOldStore(t)
	counting := vfs.NewFail(o.fs.Kill())
	must(t, o.open(counting, false))
	found := map[string]bool{}
	for i, sync := range counting.Syncs() {
		role := roleOf(sync)
		if dir, ok := strings.CutPrefix(role, "syncdir "); ok && o.file[dir] != "" {
			role = "syncdir of an old directory"
		}
		if !found[role] {
			found[role] = o.missed(i + 1)
		}
	}
	for role, ok := range found {
		if why := spareConversionSyncs[role]; !ok && why == "" {
			t.Errorf("%s was taken out, and never missed", role)
		} else if ok && why != "" {
			t.Errorf("%s was missed, and is said to be spare as %s", role, why)
		}
	}
}

// missed says whether stops behind the n-th sync show that it did not happen.
func (o *oldStore) missed(n int) bool {
	var f *vfs.Fail
	skipping := func(mem *vfs.Mem) vfs.FS {
		f = vfs.NewFail(mem)
		f.SkipSync(n)
		return f
	}
	_, err := o.everyStop(skipping, seeded(n), func(stop string, image func() *vfs.Mem) error {
		syncs := f.Syncs()
		if len(syncs) < n || len(syncs) > n+15 || strings.Contains(stop, "killed") || strings.Contains(stop, "keeping 100") {
			return nil
		}
		return o.verify(image())
	})
	return err != nil
}

// TestTrialEveryCallOfAConversionFails lets each call fail in turn: the error reaches the caller, and
// nothing is lost.
func TestTrialEveryCallOfAConversionFails(t *testing.T) {
	t.Parallel()
	o := newOldStore(t)
	counting := vfs.NewFail(o.fs.Kill())
	must(t, o.open(counting, false))
	faults := []vfs.Fault{{Err: syscall.EIO}, {Err: syscall.EIO, Short: true}, {Err: syscall.ENOSPC, ForGood: true}, {Err: syscall.EINTR}}
	for i, fault := range faults {
		for k := 1 + i; k <= counting.Calls(); k += stride(1 + 2*min(i, 1)) { // EIO at every call
			fault.At = k
			mem := o.fs.Kill()
			f := vfs.NewFail(mem)
			f.Set(fault)
			err := o.open(f, true)
			failed := f.Failed()
			if len(failed) == 0 {
				continue
			}
			if err == nil && !quietInConversion(failed) {
				t.Errorf("call %d, %v: %s failed, and nobody was told", k, fault.Err, failed[0])
			}
			for _, image := range []*vfs.Mem{mem.Kill(), mem.Crash(seeded(k), 0)} {
				if err := o.verify(image); err != nil {
					t.Errorf("call %d, %v: after %s: %v", k, fault.Err, failed[0], err)
				}
			}
		}
	}
}

// quietInConversion says whether a failure need not reach anybody, if the content is right afterwards: it
// concerns the reserve, or what the engine asks for once more, or only makes sure again that removed streams are on disk, of which the log tells.
func quietInConversion(failed []string) bool {
	call, name, _ := strings.Cut(failed[0], " ")
	return call == "usage" || name == "reserve" || call == "list" && name == "removed" || len(failed) == 1 && call == "read" && strings.HasPrefix(name, "streams/")
}
