package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"jsfs/store"
	"jsfs/store/transfer"
)

func TestTheExampleInFormatIsABackup(t *testing.T) {
	text, err := os.ReadFile("FORMAT.md")
	must(t, err)
	var b []byte
	for _, line := range regexp.MustCompile(`(?m)^    (\{.*)$`).FindAllSubmatch(text, -1) {
		b = append(append(b, line[1]...), '\n')
	}
	name := t.TempDir() + "/b"
	must(t, os.WriteFile(name, b, 0o600))
	img := imageOf(t, restored(t, name), "ORDERS")
	if len(img.Msgs) != 2 || img.State.Last != 4 || string(img.Msgs[1].Data) != "world\n" || len(img.Consumers) != 1 || img.Consumers[0].Pending[0].Count != 2 {
		t.Errorf("got %+v", img)
	}
}

func TestABackupOfTheFirstVersionIsRead(t *testing.T) {
	img := imageOf(t, restored(t, "testdata/v1.jsonl"), "ORDERS")
	if len(img.Msgs) != 2 || img.State.Last != 4 || string(img.Msgs[1].Data) != "world\n" || len(img.Consumers) != 0 {
		t.Errorf("got %+v", img)
	}
}

// TestBackupGoesOn stops a backup at several places, cuts and damages what is there, and demands that
// going on gives the backup that was meant.
func TestBackupGoesOn(t *testing.T) {
	mem := newMem()
	fill(t, mem, "A", 100)
	fill(t, mem, "B", 4000)
	names := []string{"A", "B"}
	rows := []struct {
		name  string
		spoil func(b []byte) []byte
		all   bool // nothing of it can be of use
	}{
		{"as it was left", func(b []byte) []byte { return b }, false},
		{"cut by a byte", func(b []byte) []byte { return b[:len(b)-1] }, false},
		{"with zeros behind it", func(b []byte) []byte { return append(b, make([]byte, 5000)...) }, false},
		{"with a flipped bit", func(b []byte) []byte { b[len(b)*3/4] ^= 4; return b }, false},
		{"empty", func([]byte) []byte { return nil }, true},
		{"nonsense", func([]byte) []byte { return []byte("nonsense\n") }, true},
	}
	for _, plain := range []bool{false, true} {
		for _, r := range rows {
			t.Run(fmt.Sprintf("%s, plain=%v", r.name, plain), func(t *testing.T) {
				name := t.TempDir() + "/b"
				ctx, progress := stopping(2000)
				opt := transfer.BackupOptions{Plain: plain, Options: transfer.Options{Progress: progress}}
				if err := transfer.WriteFile(ctx, mem, names, name, opt); !errors.Is(err, context.Canceled) {
					t.Fatalf("got %v, want it to stop", err)
				}
				b, err := os.ReadFile(name + ".part")
				must(t, err)
				must(t, os.WriteFile(name+".part", r.spoil(b), 0o600))
				resumed := int64(0)
				opt.Options = transfer.Options{Verify: true}
				opt.Done = func(r transfer.Result) { resumed += r.Resumed }
				must(t, transfer.WriteFile(t.Context(), mem, names, name, opt))
				to := restored(t, name)
				for _, n := range names {
					sameStream(t, imageOf(t, to, n), imageOf(t, mem, n))
				}
				if r.all != (resumed == 0) {
					t.Errorf("%d messages were taken over", resumed)
				}
				must(t, transfer.WriteFile(t.Context(), mem, names, name, opt)) // once more changes nothing
			})
		}
	}
}

func TestBackupBeginsAnewWhereTheStreamChanged(t *testing.T) {
	mem, name := newMem(), t.TempDir()+"/b"
	st := fill(t, mem, "B", 4000)
	ctx, progress := stopping(2000)
	opt := transfer.BackupOptions{Options: transfer.Options{Progress: progress}}
	if err := transfer.WriteFile(ctx, mem, []string{"B"}, name, opt); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want it to stop", err)
	}
	// The state is the same, the messages are not.
	must(t, st.Undelete(t.Context(), 10))
	_, err := st.Remove(t.Context(), 9)
	must(t, err)
	must(t, transfer.WriteFile(t.Context(), mem, []string{"B"}, name, transfer.BackupOptions{}))
	sameStream(t, imageOf(t, restored(t, name), "B"), imageOf(t, mem, "B"))
	_, err = st.Remove(t.Context(), 12)
	must(t, err)
	if err := transfer.WriteFile(t.Context(), mem, []string{"B"}, name, transfer.BackupOptions{}); !errors.Is(err, store.ErrExists) {
		t.Errorf("over a backup of another state: got %v, want ErrExists", err)
	}
}

// TestDamagedBackups flips bits and cuts everywhere: nothing wrong is ever restored, what is good before the
// damage is, and the error says how much.
func TestDamagedBackups(t *testing.T) {
	for _, plain := range []bool{false, true} {
		mem, dir := newMem(), t.TempDir()
		fill(t, mem, "A", 300)
		fill(t, mem, "B", 2000)
		want := map[string]image{"A": imageOf(t, mem, "A"), "B": imageOf(t, mem, "B")}
		must(t, transfer.WriteFile(t.Context(), mem, []string{"A", "B"}, dir+"/b", transfer.BackupOptions{Plain: plain}))
		good, err := os.ReadFile(dir + "/b")
		must(t, err)
		for i := range 60 {
			b := bytes.Clone(good)
			at := len(b) * i / 60
			what := fmt.Sprintf("plain=%v, byte %d of %d", plain, at, len(b))
			if i%2 == 0 {
				b[at] ^= 1 << (i / 2 % 8)
			} else {
				b = b[:at]
			}
			must(t, os.WriteFile(dir+"/bad", b, 0o600))
			to := newMem()
			_, err := restore(dir+"/bad", to)
			if err == nil && !plain && i%2 == 0 { // a bit of the compressed form that says nothing
				sameStream(t, imageOf(t, to, "A"), want["A"])
				sameStream(t, imageOf(t, to, "B"), want["B"])
				continue
			}
			var damaged *transfer.DamagedError
			if !errors.As(err, &damaged) {
				t.Fatalf("%s: got %v, want a DamagedError", what, err)
			}
			if damaged.Offset > int64(at) || damaged.Stream != "" && !strings.Contains(err.Error(), "are good") {
				t.Errorf("%s: got %v", what, err)
			}
			checkPart(t, what, to, want, damaged)
		}
	}
}

// checkPart demands that what was restored is a beginning of what was backed up, as long as the error says.
func checkPart(t *testing.T, what string, to store.Store, want map[string]image, damaged *transfer.DamagedError) {
	t.Helper()
	names, err := to.Streams(t.Context())
	must(t, err)
	for _, name := range names {
		got := imageOf(t, to, name)
		w := want[name]
		n := len(got.Msgs)
		if name != damaged.Stream && n < len(w.Msgs) || name == damaged.Stream && int64(n) != damaged.Messages {
			t.Errorf("%s: stream %s has %d of %d messages; the error says %v", what, name, n, len(w.Msgs), damaged)
		}
		if len(got.Consumers) > 0 && name == damaged.Stream {
			t.Errorf("%s: the consumers of a stream that is not whole are there", what)
		}
		got.Config, got.State, w.State, w.Msgs = w.Config, store.State{}, store.State{}, w.Msgs[:n]
		got.Consumers, w.Consumers = nil, nil
		sameStream(t, got, w)
	}
}

func TestALaterVersionIsNoDamage(t *testing.T) {
	name := t.TempDir() + "/b"
	must(t, os.WriteFile(name, []byte("{\"jsfs_backup\":3,\"what\":\"ever\"}\n"), 0o600))
	if _, err := restore(name, newMem()); !errors.Is(err, store.ErrVersion) {
		t.Errorf("got %v, want ErrVersion", err)
	}
}

// FuzzBackup reads arbitrary bytes as a backup.
func FuzzBackup(f *testing.F) {
	mem, dir := newMem(), f.TempDir()
	fill(f, mem, "S", 100)
	for i, plain := range []bool{false, true} {
		name := fmt.Sprintf("%s/%d", dir, i)
		must(f, transfer.WriteFile(context.Background(), mem, []string{"S"}, name, transfer.BackupOptions{Plain: plain}))
		b, err := os.ReadFile(name)
		must(f, err)
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		name := t.TempDir() + "/b"
		must(t, os.WriteFile(name, b, 0o600))
		to := newMem()
		if _, err := restore(name, to); err == nil && len(b) == 0 {
			t.Error("nothing is a backup")
		}
	})
}

// TestTwoBackupsDontWriteOneFile begins a backup while another one writes the same file.
func TestTwoBackupsDontWriteOneFile(t *testing.T) {
	mem, name := newMem(), t.TempDir()+"/b"
	fill(t, mem, "A", 4000)
	began := false
	opt := transfer.BackupOptions{}
	opt.Progress = func(int64, int64) {
		if began {
			return
		}
		began = true
		err := transfer.WriteFile(t.Context(), mem, []string{"A"}, name, transfer.BackupOptions{})
		if err == nil || !strings.Contains(err.Error(), "somebody else writes this backup") {
			t.Errorf("the second one: got %v", err)
		}
	}
	must(t, transfer.WriteFile(t.Context(), mem, []string{"A"}, name, opt))
	if !began {
		t.Error("there was no second one")
	}
	sameStream(t, imageOf(t, restored(t, name), "A"), imageOf(t, mem, "A"))
}
