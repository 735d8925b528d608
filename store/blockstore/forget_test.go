package blockstore_test

import (
	"errors"
	"strings"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

// converted is an old store that was converted.
func converted(t *testing.T) (*oldStore, *vfs.Mem) {
	t.Helper()
	o := newOldStore(t)
	mem := o.fs.Kill()
	must(t, o.open(mem, true))
	return o, mem
}

// left returns which of the old files were left, and why.
func left(files []blockstore.MigratedFile) map[string]string {
	out := map[string]string{}
	for _, f := range files {
		if !f.Forgotten {
			out[f.File] = f.Left
		}
	}
	return out
}

func TestOldFilesAreForgottenWhenTheStoreHasAllOfThem(t *testing.T) {
	o, mem := converted(t)
	put(t, mem, "LONG/index.manifest.json", "{}")
	report, err := blockstore.CheckFS(bg, mem, nil)
	if err != nil || len(report.Migrated) != 3 || report.Migrated[0].File != "A/messages.jsonl.migrated" || report.Migrated[0].Bytes != int64(len(o.file["A"])) {
		t.Errorf("check: got %+v, %v", report.Migrated, err)
	}
	got, err := blockstore.ForgetMigratedFS(bg, mem, o.options())
	if err != nil || len(left(got)) > 0 || len(got) != 3 || got[0].Messages != 2 {
		t.Errorf("got %+v, %v", got, err)
	}
	names, err := mem.List(".")
	must(t, err)
	if all := strings.Join(names, " "); strings.Contains(all, "SEALED") || !strings.Contains(all, "LONG") {
		t.Errorf("got %s, want that only directories with something in them stay", all)
	}
	if _, err := content(mem, "LONG/messages.jsonl.migrated"); err == nil {
		t.Error("a file is there still")
	}
	must(t, o.open(mem, true))
	if got, err := blockstore.ForgetMigratedFS(bg, mem, o.options()); err != nil || len(got) > 0 {
		t.Errorf("again: got %+v, %v", got, err)
	}
}

func TestOldFilesThatTheStoreDoesNotHaveStay(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(o *oldStore, mem *vfs.Mem, s store.Store)
		file  string
		want  string
	}{
		"a message that was never converted": {func(o *oldStore, mem *vfs.Mem, _ store.Store) {
			put(t, mem, "LONG/messages.jsonl.migrated", o.file["LONG"]+legacyFile(legacyMsg("LONG", 1000)))
		}, "LONG", "message 1000"},
		"another message": {func(o *oldStore, mem *vfs.Mem, _ store.Store) {
			put(t, mem, "LONG/messages.jsonl.migrated", strings.Replace(o.file["LONG"], "sub.LONG", "sub.OTHER", 1))
		}, "LONG", "message 2"},
		"a damaged message": {func(_ *oldStore, mem *vfs.Mem, _ store.Store) {
			for file, text := range files(t, mem, "streams") {
				if i := strings.Index(text, "LONG 5. "); i >= 0 {
					overwrite(t, mem, file, int64(i), []byte("X"))
				}
			}
		}, "LONG", "message 5"},
		"a stream that was removed": {func(_ *oldStore, _ *vfs.Mem, s store.Store) {
			st, err := s.Stream(bg, "A")
			must(t, err)
			for _, seq := range []store.Seq{4, 9} {
				_, err := st.Remove(bg, seq)
				must(t, err)
			}
			must(t, s.Remove(bg, "A"))
		}, "A", "no stream of that name"},
		"bad lines that nobody keeps": {func(_ *oldStore, mem *vfs.Mem, _ store.Store) {
			names, err := mem.List("quarantine")
			must(t, err)
			for _, name := range names {
				must(t, mem.Remove("quarantine/"+name))
			}
		}, "A", "quarantine"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			o, mem := converted(t)
			s, err := blockstore.Open(mem, o.options())
			must(t, err)
			c.spoil(o, mem, s)
			must(t, s.Close())
			before := readAll(t, mem, c.file+"/messages.jsonl.migrated")
			got, err := blockstore.ForgetMigratedFS(bg, mem, o.options())
			why := left(got)
			if err != nil || len(why) != 1 || !strings.Contains(why[c.file+"/messages.jsonl.migrated"], c.want) {
				t.Errorf("got %+v, %v, want that the file of %s is left for %q", got, err, c.file, c.want)
			}
			if after := readAll(t, mem, c.file+"/messages.jsonl.migrated"); after != before {
				t.Error("the file that was left changed")
			}
		})
	}
}

func TestMessagesThatWereRemovedSinceDoNotKeepAnOldFile(t *testing.T) {
	o, mem := converted(t)
	s, err := blockstore.Open(mem, o.options())
	must(t, err)
	st, err := s.Stream(bg, "LONG")
	must(t, err)
	_, err = st.Remove(bg, o.want["LONG"][3].Seq)
	must(t, err)
	n, err := st.(store.Purger).Purge(bg, store.Purge{Below: o.want["LONG"][3].Seq})
	if err != nil || n != 3 {
		t.Errorf("purge: got %d, %v, want 3", n, err)
	}
	must(t, s.Close())
	got, err := blockstore.ForgetMigratedFS(bg, mem, o.options())
	if err != nil || len(left(got)) > 0 || got[1].Removed != 4 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestAnOldFileThatNeedsAKeyStaysWithoutIt(t *testing.T) {
	_, mem := converted(t)
	got, err := blockstore.ForgetMigratedFS(bg, mem, trialOptions(blockstore.SyncAlways))
	if !errors.Is(err, store.ErrKey) || !errors.Is(err, blockstore.ErrUnconverted) || got[2].Forgotten {
		t.Errorf("got %+v, %v, want %v", got, err, store.ErrKey)
	}
	if _, err := content(mem, "SEALED/messages.jsonl.migrated"); err != nil {
		t.Errorf("the file: %v", err)
	}
}
