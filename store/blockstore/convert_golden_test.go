package blockstore_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
	"jsfs/store/legacy"
)

// goldenOld are the golden directories of the first generation. Package legacy has the program that wrote them.
const goldenOld = "../legacy/testdata/golden/"

func goldenOldKey(tb testing.TB) legacy.Key {
	tb.Helper()
	text, err := os.ReadFile(goldenOld + "key")
	must(tb, err)
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	must(tb, err)
	return key
}

// sayStream lists the messages of a stream: sequence, subject, time since 2023-04-05 06:07, number of the header, payload.
func sayStream(tb testing.TB, s store.Store, name string) string {
	tb.Helper()
	st, err := s.Stream(bg, name)
	must(tb, err)
	var b strings.Builder
	for m, err := range st.Scan(bg, store.Query{}) {
		must(tb, err)
		got, err := st.Load(bg, m.Seq, nil)
		must(tb, err)
		header := strings.TrimSuffix(strings.TrimPrefix(string(got.Header), "NATS/1.0\r\nNumber: "), "\r\n\r\n")
		fmt.Fprintf(&b, "%d %s %.7f [%s] %.20q\n", got.Seq, got.Subject, float64(got.Time/100-16806748200000000)/1e7, header, got.Data)
	}
	return b.String()
}

func goldenLine(seq int) string {
	header := ""
	if seq%2 == 0 {
		header = fmt.Sprint(seq)
	}
	return fmt.Sprintf("%d golden.%d %d.1234567 [%s] %.20q\n", seq, seq%2, seq, header, strings.Repeat(fmt.Sprintf("payload %d, ", seq), 1+5*(seq%3)))
}

func goldenLines(seqs ...int) string {
	var b strings.Builder
	for _, seq := range seqs {
		b.WriteString(goldenLine(seq))
	}
	return b.String()
}

func TestGoldenDirectoriesOfTheFirstGeneration(t *testing.T) {
	all := goldenLines(1, 2, 3, 4)
	for name, c := range map[string]struct {
		streams map[string]string
		why     []string // how each reason begins that is given for a line that is kept aside
	}{
		"plain": {map[string]string{
			"ORDERS": goldenLines(2, 3, 5, 8), "EVENTS": "1 EVENTS 1.5000000 [] \"hi\"\n", "EMPTY": "",
			"MAGIC": "1 golden.1 1.1234567 [] \"FSV1 is a magic\"\n2 golden.0 2.1234567 [2] " + `"FSV2\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"` + "\n",
		}, nil},
		"sealed": {map[string]string{
			"FSV1": all, "FSV1-DEFLATE": all, "FSV1-XOR": all, "FSV1-DEFLATE-XOR": all, "FSV2": all, "FSV2-S2": all,
			"FSV2-CHACHA20": all, "FSV2-S2-CHACHA20": all, "FSV2-AES": all, "FSV2-S2-AES": all,
		}, nil},
		"torn": {map[string]string{"TORN": goldenLines(1, 2)}, []string{
			"TORN/messages.jsonl:3: 77 bytes at offset 526: cut off by a crash: bad line: it is no JSON object",
		}},
		"damaged": {map[string]string{"DAMAGED": goldenLines(1, 6, 8)}, []string{
			"DAMAGED/messages.jsonl:2: 35 bytes at offset 210: bad line: it is no JSON object",
			"DAMAGED/messages.jsonl:3: 170 bytes at offset 245: damaged envelope: DEFLATE",
			"DAMAGED/messages.jsonl:4: 236 bytes at offset 415: damaged envelope: the ciphertext",
			"DAMAGED/messages.jsonl:6: 286 bytes at offset 819: bad line: sequence 5 does not rise above 6",
			"DAMAGED/messages.jsonl:7: 210 bytes at offset 1105: subject not accepted",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			must(t, os.CopyFS(dir, os.DirFS(goldenOld+name)))
			fsys, err := vfs.NewOS(dir)
			must(t, err)
			defer fsys.Close()
			before := files(t, fsys, ".")
			for _, round := range []string{"converted", "opened again"} {
				s, err := blockstore.Open(fsys, blockstore.Options{LegacyKeys: []legacy.Key{goldenOldKey(t)}})
				must(t, err)
				for stream, want := range c.streams {
					if got := sayStream(t, s, stream); got != want {
						t.Errorf("%s, stream %s: got\n%swant\n%s", round, stream, got, want)
					}
				}
				if names, err := s.Streams(bg); err != nil || len(names) != len(c.streams) {
					t.Errorf("%s: got streams %q, %v", round, names, err)
				}
				must(t, s.Close())
			}
			for file, want := range before {
				if base, ok := strings.CutSuffix(file, "messages.jsonl"); ok {
					file = base + "messages.jsonl.migrated"
				}
				if got := readAll(t, fsys, file); got != want {
					t.Errorf("%s is not what it was", file)
				}
			}
			got := strings.Split(strings.TrimSuffix(strings.Join(inQuarantine(t, fsys, ".why"), ""), "\n"), "\n")
			for i, want := range c.why {
				if i >= len(got) || !strings.HasPrefix(got[i], want) {
					t.Errorf("reasons: got %q, want one that begins with %q", got, want)
				}
			}
			if len(got) != max(1, len(c.why)) {
				t.Errorf("got %d reasons, want %d: %q", len(got), len(c.why), got)
			}
		})
	}
}

func TestGoldenEnvelopesNeedTheirKey(t *testing.T) {
	wrong := legacy.Key(strings.Repeat("w", 32))
	for name, keys := range map[string][]legacy.Key{"no key": nil, "a wrong key": {wrong}} {
		dir := t.TempDir()
		must(t, os.CopyFS(dir, os.DirFS(goldenOld+"sealed")))
		fsys, err := vfs.NewOS(dir)
		must(t, err)
		before := files(t, fsys, ".")
		_, err = blockstore.Open(fsys, blockstore.Options{LegacyKeys: keys})
		if !errors.Is(err, store.ErrKey) || !strings.Contains(err.Error(), "FSV1-DEFLATE-XOR/messages.jsonl:1") {
			t.Errorf("%s: got %v, want %v with the first line that needs one", name, err, store.ErrKey)
		}
		if after := files(t, fsys, "."); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("%s: the directory changed", name)
		}
		must(t, fsys.Close())
	}
}
