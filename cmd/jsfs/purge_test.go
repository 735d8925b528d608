package main

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/memstore"
)

// purgeStore makes a store with the stream S of six messages on a.1, a.2, a.1, …
func purgeStore(t *testing.T, cfg store.Config) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "store")
	st, err := blockstore.OpenDir(dir, blockstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Name = "S"
	s, err := st.Create(t.Context(), cfg)
	for i := 0; i < 6 && err == nil; i++ {
		_, err = s.Append(t.Context(), store.Entry{Subject: fmt.Sprint("a.", 1+i%2), Data: []byte("x")})
	}
	if err == nil {
		err = st.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// purge runs the command and returns its exit code and what it printed.
func purge(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), append([]string{"jsfs", "purge"}, args...), &o, &e)
	return code, o.String(), e.String()
}

func TestPurgeOfAStoreThatIsNotMounted(t *testing.T) {
	for _, c := range []struct {
		args string
		n    int
	}{
		{"", 6}, {"--subject=a.1", 3}, {"--subject=a.*", 6}, {"--subject=>", 6}, {"--subject=b", 0},
		{"--seq=4", 3}, {"--seq=1", 0}, {"--keep=2", 4}, {"--keep=6", 0}, {"--keep=0", 6}, {"--keep=18446744073709551615", 0},
		{"--seq=4 --keep=5", 1}, {"--seq=4 --keep=1", 3}, {"--subject=a.1 --seq=4 --keep=2", 1}, {"--subject=a.2 --seq=4 --keep=1", 1},
	} {
		t.Run(c.args, func(t *testing.T) {
			path := purgeStore(t, store.Config{}) + "/S"
			args := append(strings.Fields(c.args), path)
			messages := fmt.Sprintf("%d messages of S\n", c.n)
			if c.n == 1 {
				messages = "1 message of S\n"
			}
			for range 2 { // the first changed nothing
				if code, out, errOut := purge(t, append(args, "--dry-run")...); code != 0 || out != "would purge "+messages {
					t.Errorf("dry run: got %d, %q, %q, want %d", code, out, errOut, c.n)
				}
			}
			if code, out, errOut := purge(t, args...); code != 0 || out != "purged "+messages {
				t.Errorf("got %d, %q, %q, want %d", code, out, errOut, c.n)
			}
			left := 6 - c.n
			if _, out, _ := purge(t, "--dry-run", path+"/"); !strings.HasPrefix(out, fmt.Sprintf("would purge %d message", left)) {
				t.Errorf("left: got %q, want %d", out, left)
			}
		})
	}
}

func TestPurgeRefuses(t *testing.T) {
	dir := purgeStore(t, store.Config{})
	denied := purgeStore(t, store.Config{DenyPurge: true})
	other := t.TempDir()
	if err := os.WriteFile(other+"/precious", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{nil, exitUsage, "takes a PATH"},
		{[]string{dir + "/S", dir + "/T"}, exitUsage, "takes a PATH"},
		{[]string{""}, exitUsage, "the path is empty"},
		{[]string{"ORDERS"}, exitUsage, "write SOURCE/STREAM"},
		{[]string{"--subject=", dir + "/S"}, exitUsage, "--subject: "},
		{[]string{"--subject=a..b", dir + "/S"}, exitUsage, "has an empty token"},
		{[]string{"--subject=a b", dir + "/S"}, exitUsage, "white space"},
		{[]string{"--seq=0", dir + "/S"}, exitUsage, "--seq: \"0\" is no message's number"},
		{[]string{"--seq=-3", dir + "/S"}, exitUsage, "--seq: \"-3\""},
		{[]string{"--seq=", dir + "/S"}, exitUsage, "--seq: \"\""},
		{[]string{"--keep=many", dir + "/S"}, exitUsage, "--keep: \"many\" is no number of messages"},
		{[]string{"--keep=-1", dir + "/S"}, exitUsage, "--keep: \"-1\""},
		{[]string{"--kept=1", dir + "/S"}, exitUsage, "jsfs purge --help"},
		{[]string{dir + "/T"}, exitFailed, "not found"},
		{[]string{dir + "-not/S"}, exitFailed, "there is no store"},
		{[]string{other + "/S"}, exitFailed, "belongs to something else"},
		{[]string{"mem:/S"}, exitFailed, "a memory store is gone"},
		{[]string{"--key-file=/none", dir + "/S"}, exitFailed, "/none"},
		{[]string{denied + "/S"}, exitFailed, "purge stream S"},
	} {
		for _, dry := range []bool{false, true} {
			args := c.args
			if dry {
				args = append([]string{"--dry-run"}, args...)
			}
			code, out, errOut := purge(t, args...)
			if code != c.code || out != "" || !strings.Contains(errOut, c.want) || strings.Count(errOut, "\n") != 1 {
				t.Errorf("%q: got %d, %q, %q, want %d and a sentence with %q", args, code, out, errOut, c.code, c.want)
			}
		}
	}
	for _, at := range []string{dir, denied} {
		st, err := blockstore.OpenDir(at, blockstore.Options{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		s, err := st.Stream(t.Context(), "S")
		if err != nil {
			t.Fatal(err)
		}
		if state, err := s.State(t.Context()); err != nil || state.Live.Messages != 6 {
			t.Errorf("%+v, %v are left of what was refused, want 6", state.Live, err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(dir + "-not"); err == nil {
		t.Error("a store was made")
	}
}

func TestWouldPurgeIsWhatAPurgeRemoves(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 300 {
		st := memstore.New(memstore.Options{})
		s, err := st.Create(t.Context(), store.Config{Name: "S"})
		if err != nil {
			t.Fatal(err)
		}
		last := 1 + rng.IntN(30)
		for range last {
			if _, err := s.Append(t.Context(), store.Entry{Subject: []string{"a.1", "a.2", "b"}[rng.IntN(3)]}); err != nil {
				t.Fatal(err)
			}
		}
		for range rng.IntN(last) {
			if _, err := s.Remove(t.Context(), store.Seq(1+rng.IntN(last))); err != nil { //nolint:gosec // small
				t.Fatal(err)
			}
		}
		p := store.Purge{
			Subject: []string{"", ">", "a.*", "a.1", "b", "none"}[rng.IntN(6)],
			Below:   []store.Seq{0, 1, 5, 15, math.MaxUint64}[rng.IntN(5)],
			Keep:    []uint64{0, 0, 1, 4, 20, math.MaxUint64}[rng.IntN(6)],
		}
		if _, ok := p.Compacts(); ok && p.Below > 30 {
			p.Below = 40 // beyond the end
		}
		want, err := wouldPurge(p, func(subject string, to store.Seq) (int64, error) {
			c, err := s.Count(t.Context(), store.Query{Subject: subject, To: to})
			return int64(c.Messages), err //nolint:gosec // small
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Purge(t.Context(), p); err != nil || got != want {
			t.Errorf("round %d: %+v of %d messages removed %d, %v; the count before said %d", round, p, last, got, err, want)
		}
	}
}

func TestPurgeLine(t *testing.T) {
	for want, p := range map[string]store.Purge{
		"purge\n":                           {},
		"purge subject=a.>\n":               {Subject: "a.>"},
		"purge seq=7\n":                     {Below: 7},
		"purge subject=a seq=7 keep=3\n":    {Subject: "a", Below: 7, Keep: 3},
		"purge keep=18446744073709551615\n": {Keep: math.MaxUint64},
	} {
		if got := purgeLine(p); got != want {
			t.Errorf("%+v: got %q, want %q", p, got, want)
		}
	}
}

func TestMountAround(t *testing.T) {
	all := []mountEntry{{Point: "/"}, {Point: "/m", Type: fsType}, {Point: "/m/in", Type: "tmpfs"}, {Point: "/twice", Type: fsType}, {Point: "/twice", Type: "ext4"}}
	for path, want := range map[string]string{"/m": "/m", "/m/S": "/m", "/m/in/S": "/m/in", "/mine/S": "/", "/m/inner": "/m"} {
		if got, ok := mountAround(all, path); !ok || got.Point != want {
			t.Errorf("%s: got %+v, %v, want %s", path, got, ok, want)
		}
	}
	if got, _ := mountAround(all, "/twice/S"); got.Type != "ext4" {
		t.Errorf("the mount on top: got %+v", got)
	}
}
