package firstgen_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore/internal/firstgen"
	"jsfs/store/internal/vfs"
	"jsfs/store/legacy"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put makes a file, and the directory that it is in.
func put(t *testing.T, fsys vfs.FS, name, content string) {
	t.Helper()
	if dir, _, in := strings.Cut(name, "/"); in {
		if err := fsys.Mkdir(dir); err != nil && !errors.Is(err, fs.ErrExist) {
			t.Fatal(err)
		}
	}
	f, err := fsys.Create(name)
	must(t, err)
	_, err = f.WriteAt([]byte(content), 0)
	must(t, errors.Join(err, f.Close()))
}

// lines are n messages in the form of the first generation.
func lines(n int) (out []byte) {
	for i := range n {
		out = legacy.AppendLine(out, store.Msg{
			Meta: store.Meta{Seq: store.Seq(i + 1), Time: 1_700_000_000_000_000_000}, Subject: "a", Data: []byte{byte('a' + i)},
		})
	}
	return out
}

func TestStreamsAreDirectoriesWithTheFile(t *testing.T) {
	mem := vfs.NewMem()
	put(t, mem, "A/"+firstgen.FileName, "")
	put(t, mem, "B/other", "")
	put(t, mem, "C/"+firstgen.MigratedName, "")
	put(t, mem, "file", "")
	must(t, mem.Mkdir("D"))
	must(t, mem.Mkdir("D/"+firstgen.FileName))
	put(t, mem, "E/"+firstgen.FileName, "")
	got, err := firstgen.Streams(mem)
	if err != nil || !slices.Equal(got, []string{"A", "E"}) {
		t.Errorf("got %q, %v", got, err)
	}
	worn := vfs.NewFail(mem)
	worn.Set(vfs.Fault{At: 1, ForGood: true, Match: func(call, name string) bool { return call == "open" && strings.HasPrefix(name, "B/") }})
	if got, err := firstgen.Streams(worn); !errors.Is(err, syscall.EIO) {
		t.Errorf("where the disk can't tell: got %q, %v", got, err)
	}
}

// TestALinkOutsideIsNoStream has links in the store's directory that lead nowhere, in a circle, and out of it, to a file of the first generation.
func TestALinkOutsideIsNoStream(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	must(t, os.WriteFile(outside+"/"+firstgen.FileName, lines(1), 0o600))
	for name, to := range map[string]string{"outside": outside, "nowhere": "nothing", "circle": "circle"} {
		must(t, os.Symlink(to, dir+"/"+name))
	}
	o, err := vfs.NewOS(dir)
	must(t, err)
	defer o.Close()
	put(t, o, "S/"+firstgen.FileName, "")
	if got, err := firstgen.Streams(o); err != nil || !slices.Equal(got, []string{"S"}) {
		t.Errorf("got %q, %v, want S", got, err)
	}
}

// TestBadLinesAreKeptToTheByte has lines of all kinds, the last one cut off.
func TestBadLinesAreKeptToTheByte(t *testing.T) {
	good := bytes.SplitAfter(lines(3), []byte("\n"))
	bad := []string{"no line at all\n", "{\"sequence\":\n", "\xff\xfe{}\n", string(good[2][:len(good[2])/2])}
	text := string(good[0]) + bad[0] + string(good[1]) + bad[1] + bad[2] + "\n" + string(good[2]) + bad[3]
	mem := vfs.NewMem()
	put(t, mem, "S/"+firstgen.FileName, text)
	src, err := firstgen.Open(mem, "S", firstgen.FileName, firstgen.Options{})
	must(t, err)
	defer func() { must(t, src.Close()) }()
	if src.Size != int64(len(text)) || src.Stream != "S" || src.Name != "S/"+firstgen.FileName {
		t.Errorf("got %+v", src)
	}
	n := 0
	for l, err := range src.Lines("read") {
		must(t, err)
		if l.Err == nil {
			n++
			if want := store.Seq(n); l.Msg.Seq != want || string(l.Msg.Data) != string(rune('a'+n-1)) {
				t.Errorf("line %d: got message %d, %q, want %d", l.Number, l.Msg.Seq, l.Msg.Data, want)
			}
		}
	}
	if n != 3 {
		t.Errorf("got %d messages, want 3", n)
	}
	var kept, why bytes.Buffer
	must(t, src.CopyBad(&kept))
	must(t, src.ExplainBad(&why))
	if got, want := kept.String(), strings.Join(bad, ""); got != want {
		t.Errorf("kept %q, want %q", got, want)
	}
	reasons := strings.Split(strings.TrimSuffix(why.String(), "\n"), "\n")
	if len(reasons) != len(bad) {
		t.Fatalf("got the reasons %q, want %d", reasons, len(bad))
	}
	for i, line := range []string{":2:", ":4:", ":5:", ":8:"} {
		if !strings.HasPrefix(reasons[i], "S/"+firstgen.FileName+line) || strings.Contains(reasons[i], "cut off by a crash") != (i == 3) {
			t.Errorf("reason %d: got %q", i, reasons[i])
		}
	}
}

// TestAFileThatGrowsIsNoticed lets the older program write on.
func TestAFileThatGrowsIsNoticed(t *testing.T) {
	mem := vfs.NewMem()
	put(t, mem, "S/"+firstgen.FileName, string(lines(2)))
	src, err := firstgen.Open(mem, "S", firstgen.FileName, firstgen.Options{})
	must(t, err)
	defer func() { must(t, src.Close()) }()
	must(t, src.Unchanged())
	f, err := mem.Open(src.Name)
	must(t, err)
	_, err = f.WriteAt(lines(3)[src.Size:], src.Size)
	must(t, errors.Join(err, f.Close()))
	n := 0
	for _, err := range src.Lines("read") {
		must(t, err)
		n++
	}
	if n != 2 {
		t.Errorf("got %d lines, want those that were there when it was opened", n)
	}
	if err := src.Unchanged(); err == nil || !strings.Contains(err.Error(), "end the older program first") {
		t.Errorf("got %v", err)
	}
}

// TestAnErrorNamesItsLine needs a key that is not there.
func TestAnErrorNamesItsLine(t *testing.T) {
	key := legacy.Key(bytes.Repeat([]byte{7}, 32))
	sealed, err := legacy.Sealer{Cipher: legacy.AES256GCM, Key: key}.Seal([]byte("secret"))
	must(t, err)
	text := legacy.AppendLine(lines(1), store.Msg{Meta: store.Meta{Seq: 2, Time: 1_700_000_000_000_000_000}, Subject: "a", Data: sealed})
	mem := vfs.NewMem()
	put(t, mem, "S/"+firstgen.FileName, string(text))
	for _, keys := range [][]legacy.Key{nil, {key}} {
		src, err := firstgen.Open(mem, "S", firstgen.FileName, firstgen.Options{Keys: keys})
		must(t, err)
		var failed error
		var last legacy.Line
		for l, err := range src.Lines("read") {
			last, failed = l, err
		}
		must(t, src.Close())
		switch {
		case keys == nil && (!errors.Is(failed, store.ErrKey) || !strings.HasPrefix(failed.Error(), "S/"+firstgen.FileName+":2:")):
			t.Errorf("without the key: got %v", failed)
		case keys != nil && (failed != nil || string(last.Msg.Data) != "secret" || !last.Encrypted):
			t.Errorf("with the key: got %q, %v", last.Msg.Data, failed)
		}
	}
}
