package blockstore

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

func TestRegisterIsReadAsItWasWritten(t *testing.T) {
	for _, r := range []register{
		{next: 1}, {next: 9}, {next: 2, listed: []uint64{1}}, {next: 10, listed: []uint64{1, 2, 3, 5, 7, 8, 9}}, {next: 1 << 63, listed: []uint64{1 << 62}},
	} {
		got, err := parseRegister(r.content())
		if err != nil || got.next != r.next || !slices.Equal(got.listed, r.listed) {
			t.Errorf("%q: got %+v, %v, want %+v", r.content(), got, err, r)
		}
	}
	if got := (&register{next: 10, listed: []uint64{1, 2, 3, 5, 7, 8}}).content(); string(got) != "10 1-3 5 7-8" {
		t.Errorf("got %q", got)
	}
}

// badRegisters are what no register is.
var badRegisters = []string{"", "x", "-1", "5 ", "5 0", "5 5", "5 2-9", "5 3-2", "5 2 1", "5 1-3 3", "5 1-", "5 1--2", "9999999999999999999 1-9999999999999999998", "99999999999999999999"}

func TestWhatIsNoRegisterIsRefused(t *testing.T) {
	for _, content := range badRegisters {
		if r, err := parseRegister([]byte(content)); err == nil {
			t.Errorf("%q is read as %+v", content, r)
		}
	}
}

func FuzzRegister(f *testing.F) {
	for _, content := range append(badRegisters, "1", "10 1-3 5 7-8") {
		f.Add([]byte(content))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		r, err := parseRegister(content)
		if err != nil {
			return
		}
		again, err := parseRegister(r.content())
		if err != nil || again.next != r.next || !slices.Equal(again.listed, r.listed) || !slices.IsSorted(r.listed) {
			t.Fatalf("%q is %+v, then %+v, %v", content, r, again, err)
		}
	})
}

// TestAMissingStreamIsMissedWithoutTheKey checks an encrypted store by its checksums.
func TestAMissingStreamIsMissedWithoutTheKey(t *testing.T) {
	mem := vfs.NewMem()
	st, err := Open(mem, Options{Sync: SyncNever, Secret: testSecret})
	fatal(t, err)
	for i := range 3 {
		_, err := st.Create(t.Context(), store.Config{Name: fmt.Sprint("S", i+1)})
		fatal(t, err)
	}
	fatal(t, st.Close())
	if got := missing(t, mem); len(got) != 0 {
		t.Errorf("missing are %q", got)
	}
	st.removeTree(streamDir(2))
	if got := missing(t, mem); !slices.Equal(got, []string{streamDir(2)}) {
		t.Errorf("missing are %q", got)
	}
}

// missing returns the streams whose directories a check finds missing.
func missing(t *testing.T, mem *vfs.Mem) (dirs []string) {
	t.Helper()
	r, err := CheckFS(t.Context(), mem.Kill(), nil)
	fatal(t, err)
	for _, d := range r.Damage {
		if !strings.Contains(d.Cause, "missing") {
			t.Errorf("damage: %+v", d)
		}
		dirs = append(dirs, d.File)
	}
	return dirs
}

// TestAStreamWhoseDirectoryIsGoneIsMissed takes directories of streams away, and streams as one should.
func TestAStreamWhoseDirectoryIsGoneIsMissed(t *testing.T) {
	mem := vfs.NewMem()
	open := func() *Store {
		t.Helper()
		st, err := Open(mem, Options{Sync: SyncNever, KeepDeleted: -1})
		fatal(t, err)
		return st
	}
	st := open()
	for i := range 6 {
		s, err := st.Create(t.Context(), store.Config{Name: fmt.Sprint("S", i+1)})
		fatal(t, err)
		_, err = s.Append(t.Context(), store.Entry{Subject: "x"})
		fatal(t, err)
	}
	_, err := st.Truncate(t.Context(), "S1", 0)
	fatal(t, err)
	s, err := st.Stream(t.Context(), "S2")
	fatal(t, err)
	_, err = s.Purge(t.Context(), store.Purge{})
	fatal(t, err)
	fatal(t, st.Remove(t.Context(), "S2"))
	fatal(t, st.Reclaim(t.Context())) // both are gone for good
	if got := missing(t, mem); len(got) != 0 {
		t.Errorf("missing are %q, and nothing was lost", got)
	}
	fatal(t, st.Close())
	for i, inc := range []uint64{3, 7} { // the last one is the truncated stream, which closing the store has listed
		st.removeTree(streamDir(inc))
		if got := missing(t, mem); len(got) != i+1 || got[i] != streamDir(inc) {
			t.Errorf("missing are %q, want %s, too", got, streamDir(inc))
		}
	}
	st = open() // what is lost stays lost, whatever is made
	_, err = st.Create(t.Context(), store.Config{Name: "S3"})
	fatal(t, err)
	if got := missing(t, mem); !slices.Equal(got, []string{streamDir(3), streamDir(7)}) {
		t.Errorf("later missing are %q", got)
	}
	dirs, err := st.forgetMissing()
	if err != nil || !slices.Equal(dirs, []string{streamDir(3), streamDir(7)}) {
		t.Errorf("forgotten are %q, %v", dirs, err)
	}
	fatal(t, st.Close())
	if got := missing(t, mem); len(got) != 0 {
		t.Errorf("missing are %q, which were forgotten", got)
	}
}
