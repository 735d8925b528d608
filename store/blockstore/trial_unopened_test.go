package blockstore_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
	"jsfs/store/transfer"
)

// TestTrialRescueWithoutAFile copies stores out of which one file or directory can't be opened (P20): that costs what only it has.
func TestTrialRescueWithoutAFile(t *testing.T) {
	t.Parallel()
	for seed, variant := range variants {
		sp := newSpecimen(t, seed)
		for _, file := range append([]string{"lock", "removed", "quarantine"}, append(sp.others, sp.blocks...)...) {
			disk := sp.fs.Kill()
			broken := vfs.NewFail(disk)
			broken.Set(vfs.Fault{At: 1, ForGood: true, Match: func(call, name string) bool {
				return name == file && slices.Contains([]string{"open", "list", "lock"}, call)
			}})
			err := unchanged(disk, func() error { return sp.rescueWithout(broken, file) })
			if file == "jsfs.key" {
				if err == nil {
					t.Errorf("%s: it was rescued without the envelope of its key", variant.name)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %s can't be opened: %v", variant.name, file, err)
			}
			if f := broken.Failed(); len(f) == 0 && file != "quarantine" && file != "reserve" {
				t.Errorf("%s: nobody opened %s", variant.name, file)
			}
		}
	}
}

// rescueWithout copies a store out of which a file can't be opened, and demands that everything is there that is not in that.
func (sp *specimen) rescueWithout(broken vfs.FS, file string) error {
	from, err := blockstore.SalvageFS(broken, sp.opt.Secret)
	if err != nil {
		return err
	}
	defer from.Close()
	opt := sp.opt
	if opt.Secret != nil {
		opt.Secret, opt.Cipher = otherSecret, 0
	}
	to, err := blockstore.Open(vfs.NewMem(), opt)
	if err != nil {
		return err
	}
	defer to.Close()
	r, err := transfer.Rescue(bg, from, to, func(string) transfer.Options { return transfer.Options{Verify: true} })
	if err != nil || len(r.Unreadable) > 0 || len(r.Streams) != len(sp.last) {
		return fmt.Errorf("%d streams are rescued, and %+v can't be: %w", len(r.Streams), r.Unreadable, err)
	}
	told := slices.ContainsFunc(r.Damage, func(d store.Damage) bool { return d.File == file })
	if !told && !slices.Contains([]string{"quarantine", "reserve"}, file) && !strings.Contains(file, "/drafts/") {
		return fmt.Errorf("it is not told: %+v", r.Damage)
	}
	for _, res := range r.Streams {
		name := res.Stream
		if was, ok := map[string]string{"damaged-1": "S", "damaged-2": "T"}[name]; ok && strings.HasSuffix(file, "/config") {
			name = was
		}
		st, err := to.Stream(bg, res.Stream)
		if err != nil {
			return err
		}
		for _, k := range sp.msgs {
			if k.stream != name || !k.live || k.touched {
				continue
			}
			m, err := st.Load(bg, k.seq, nil)
			lost := slices.ContainsFunc(res.Lost, func(l transfer.Lost) bool { return l.First <= k.seq && k.seq <= l.Last })
			switch {
			case k.file == file && errors.Is(err, store.ErrNotFound) && lost:
			case err != nil || lost:
				return fmt.Errorf("message %d of %s, which is in %s: %w, named as lost: %v", k.seq, name, k.file, err, lost)
			case m.Subject != k.e.Subject || string(m.Header) != string(k.e.Header) || string(m.Data) != string(k.e.Data):
				return fmt.Errorf("message %d of %s is another one", k.seq, name)
			}
		}
		drafts, err := st.ListDrafts(bg)
		if err != nil || len(drafts)+len(res.LostDrafts) != 1 {
			return fmt.Errorf("stream %s has the drafts %v, and %v are lost: %w", name, drafts, res.LostDrafts, err)
		}
	}
	return nil
}
