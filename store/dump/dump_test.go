package dump_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/dump"
	"jsfs/store/keys"
)

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatalf("unexpected error: %v", err)
	}
}

// makeStore makes a store with a stream of several blocks, removed messages and gaps, and returns its block files.
func makeStore(tb testing.TB) (dir string, blocks []string) {
	tb.Helper()
	dir = tb.TempDir()
	s, err := blockstore.OpenDir(dir, blockstore.Options{Sync: blockstore.SyncNever, BlockSize: 8192})
	must(tb, err)
	st, err := s.Create(tb.Context(), store.Config{Name: "ORDERS"})
	must(tb, err)
	for i := range 100 {
		_, err := st.Append(tb.Context(), store.Entry{Subject: "orders.new", Header: []byte("NATS/1.0\r\nA: b\r\n\r\n"), Data: fmt.Appendf(nil, "message %d\n", i)})
		must(tb, err)
	}
	_, err = st.Remove(tb.Context(), 7)
	must(tb, err)
	must(tb, st.SkipTo(tb.Context(), 1000, 0))
	must(tb, s.Close())
	blocks, err = filepath.Glob(dir + "/streams/*/*.blk")
	must(tb, err)
	slices.Sort(blocks)
	if len(blocks) < 2 {
		tb.Fatalf("only %d blocks", len(blocks))
	}
	return dir, blocks
}

func shown(tb testing.TB, dir string, opt dump.Options) string {
	tb.Helper()
	var out bytes.Buffer
	must(tb, dump.Store(&out, dir, opt))
	return out.String()
}

func TestAWholeStoreIsShown(t *testing.T) {
	dir, blocks := makeStore(t)
	all := shown(t, dir, dump.Options{Records: true})
	for _, want := range []string{
		"jsfs.store: {\"id\"", "stream \"ORDERS\"", "state: generation", "both slots right", "header at 0: right", "header at 4096: right",
		"footer: data to", "subjects at", "flags headers, seq 1,", "subject \"orders.new\", headers 18, payload 10, right",
		"flags remove, seq 101", "7 to 7 (1 message)", "flags skip, seq 101", "900 sequences never used", "0 records wrong, 0 bytes in no record",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not shown", want)
		}
	}
	if strings.Contains(all, "WRONG") || strings.Count(all, "payload") != 100 {
		t.Errorf("got %d messages, or something wrong:\n%s", strings.Count(all, "payload"), all)
	}
	if got := shown(t, dir, dump.Options{Stream: "ORDERS", Block: 2}); strings.Count(got, "\nblock ") != 1 || strings.Contains(got, "payload") {
		t.Errorf("block 2 alone:\n%s", got)
	}
	for _, opt := range []dump.Options{{Stream: "NONE"}, {Block: 99}} {
		if err := dump.Store(&bytes.Buffer{}, dir, opt); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%+v: got %v, want ErrNotFound", opt, err)
		}
	}
	var one bytes.Buffer
	must(t, dump.Block(&one, blocks[0], dump.Options{Records: true}))
	if !strings.Contains(one.String(), "seq 1,") || strings.Contains(one.String(), "WRONG") {
		t.Errorf("one block alone:\n%s", one.String())
	}
}

// TestEveryFlippedBitIsShown flips bits of every block: each is told as wrong, but in the bytes between the copies
// of the header, which say nothing.
func TestEveryFlippedBitIsShown(t *testing.T) {
	_, blocks := makeStore(t)
	dir := t.TempDir()
	for _, name := range blocks {
		good, err := os.ReadFile(name)
		must(t, err)
		for at := 0; at < len(good); at += 13 {
			if at >= 128 && at < 4096 || at >= 4096+128 && at < 4352 {
				continue
			}
			b := bytes.Clone(good)
			b[at] ^= 1 << (at % 8)
			must(t, os.WriteFile(dir+"/x.blk", b, 0o600))
			var out bytes.Buffer
			must(t, dump.Block(&out, dir+"/x.blk", dump.Options{}))
			if !strings.Contains(out.String(), "WRONG") && !strings.Contains(out.String(), "no footer that is right") {
				t.Fatalf("%s: bit %d of byte %d is flipped, and nothing is shown:\n%s", name, at%8, at, out.String())
			}
			if strings.Contains(out.String(), "no copy of the header") {
				t.Fatalf("%s: byte %d: the header is lost:\n%s", name, at, out.String())
			}
		}
	}
}

func TestAnErasedMessageIsShownAsSuch(t *testing.T) {
	dir := t.TempDir()
	s, err := blockstore.OpenDir(dir, blockstore.Options{Sync: blockstore.SyncNever, BlockSize: 8192})
	must(t, err)
	st, err := s.Create(t.Context(), store.Config{Name: "ORDERS"})
	must(t, err)
	for i := range 100 {
		_, err := st.Append(t.Context(), store.Entry{Subject: fmt.Sprintf("secret.%d", i), Data: bytes.Repeat([]byte("x"), 200)})
		must(t, err)
	}
	_, err = st.Erase(t.Context(), 7)
	must(t, err)
	must(t, s.Close())
	got := shown(t, dir, dump.Options{Records: true})
	for _, want := range []string{"seq 7, time ", "erased, ", "to be erased, 7 to 7 (1 message)", "overwritten, as a message was erased"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not shown", want)
		}
	}
	if strings.Contains(got, "WRONG") || strings.Contains(got, `"secret.6"`) {
		t.Errorf("got\n%.3000s", got)
	}
}

func TestABlockThatWasWrittenAnewIsShownAsSuch(t *testing.T) {
	dir := t.TempDir()
	s, err := blockstore.OpenDir(dir, blockstore.Options{Sync: blockstore.SyncNever, BlockSize: 8192})
	must(t, err)
	st, err := s.Create(t.Context(), store.Config{Name: "ORDERS", MaxMsgs: 95})
	must(t, err)
	for range 100 {
		_, err := st.Append(t.Context(), store.Entry{Subject: "orders.new", Data: bytes.Repeat([]byte("x"), 200)})
		must(t, err)
	}
	if got := shown(t, dir, dump.Options{Records: true}); strings.Contains(got, "anew") || !strings.Contains(got, "not kept, 1 to 1 (1 message)") {
		t.Errorf("before: got\n%.3000s", got)
	}
	must(t, s.Reclaim(t.Context()))
	must(t, s.Close())
	got := shown(t, dir, dump.Options{Records: true})
	if !regexp.MustCompile(`flags remove, seq [0-9]+, .*, the block was written anew, right`).MatchString(got) || strings.Contains(got, "WRONG") {
		t.Errorf("got\n%.3000s", got)
	}
}

func TestAnEncryptedStoreIsShownAsFarAsItsKeyIsNotNeeded(t *testing.T) {
	secret, err := keys.OfKey(bytes.Repeat([]byte{7}, 32))
	must(t, err)
	dir := t.TempDir()
	s, err := blockstore.OpenDir(dir, blockstore.Options{Sync: blockstore.SyncNever, BlockSize: 8192, Secret: secret})
	must(t, err)
	st, err := s.Create(t.Context(), store.Config{Name: "ORDERS"})
	must(t, err)
	for i := range 100 {
		_, err := st.Append(t.Context(), store.Entry{Subject: "secret.subject", Data: fmt.Appendf(nil, "message %d\n", i)})
		must(t, err)
	}
	must(t, s.Close())
	got := shown(t, dir, dump.Options{Records: true})
	if strings.Count(got, ", encrypted, right") != 100 || strings.Contains(got, "WRONG") || strings.Contains(got, "secret.subject") {
		t.Errorf("got\n%.3000s", got)
	}
}

// FuzzBlock shows arbitrary bytes as a block.
func FuzzBlock(f *testing.F) {
	_, blocks := makeStore(f)
	for _, name := range blocks {
		b, err := os.ReadFile(name)
		must(f, err)
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		name := t.TempDir() + "/x.blk"
		must(t, os.WriteFile(name, b, 0o600))
		must(t, dump.Block(&bytes.Buffer{}, name, dump.Options{Records: true}))
	})
}

func TestAnEncryptedStoreIsShownWithItsKey(t *testing.T) {
	key := func(text string) *keys.Secret {
		s, err := keys.OfKey([]byte(text))
		must(t, err)
		return s
	}
	secret, dir := key("a key of 32 bytes that all know!"), t.TempDir()
	s, err := blockstore.OpenDir(dir, blockstore.Options{Sync: blockstore.SyncNever, BlockSize: 8192, Secret: secret})
	must(t, err)
	st, err := s.Create(t.Context(), store.Config{Name: "ORDERS"})
	must(t, err)
	for i := range 100 {
		_, err := st.Append(t.Context(), store.Entry{Subject: "orders.new", Data: fmt.Appendf(nil, "message %d\n", i)})
		must(t, err)
	}
	_, err = st.Remove(t.Context(), 7)
	must(t, errors.Join(err, s.Close()))
	whole := shown(t, dir, dump.Options{Records: true, Secret: secret})
	for what, n := range map[string]int{`subject "orders.new"`: 100, `"name":"ORDERS"`: 1, "7 to 7 (1 message)": 2, "WRONG": 0, ", encrypted": 0} {
		if got := strings.Count(whole, what); got < n || n == 0 && got > 0 {
			t.Errorf("with the key %s is shown %d times, want %d:\n%s", what, got, n, whole)
		}
	}
	if got := shown(t, dir, dump.Options{Records: true}); strings.Contains(got, "orders.new") || strings.Contains(got, "WRONG") {
		t.Errorf("without the key: got\n%s", got)
	}
	var out bytes.Buffer
	if err := dump.Store(&out, dir, dump.Options{Secret: key("another key of 32 bytes, not it.")}); !errors.Is(err, store.ErrKey) || out.Len() > 0 {
		t.Errorf("with another key: got %v, want ErrKey, and %q", err, out.String())
	}
	blocks, err := filepath.Glob(dir + "/streams/*/*.blk")
	must(t, err)
	b, err := os.ReadFile(blocks[0])
	must(t, err)
	b[4352+60] ^= 4 // in the first record
	must(t, os.WriteFile(blocks[0], b, 0o600))
	out.Reset()
	must(t, dump.Block(&out, blocks[0], dump.Options{Records: true, Secret: secret}))
	if got := out.String(); strings.Count(got, "WRONG") != 1 || !strings.Contains(got, `subject "orders.new"`) {
		t.Errorf("a damaged block: got\n%s", got)
	}
}

// TestWhatCantBeReadKeepsNothingElseFromBeingShown has a file where a stream's directory should be, and a directory where a block should be.
func TestWhatCantBeReadKeepsNothingElseFromBeingShown(t *testing.T) {
	dir, blocks := makeStore(t)
	must(t, os.WriteFile(dir+"/streams/0000000000000000", nil, 0o600))
	must(t, os.Remove(blocks[0]))
	must(t, os.Mkdir(blocks[0], 0o700))
	got := shown(t, dir, dump.Options{Records: true})
	for _, want := range []string{"streams/0000000000000000: WRONG: it can't be listed", filepath.Base(blocks[0]) + ": WRONG: it can't be read", `stream "ORDERS"`, "payload"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not shown in\n%s", want, got)
		}
	}
	if n := strings.Count(got, "\nblock "); n != len(blocks)-1 {
		t.Errorf("%d blocks are shown, want %d", n, len(blocks)-1)
	}
}
