package blockstore

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore/internal/reserve"
	"jsfs/store/keys"
)

// goldenKind is a form of a golden store, and the name of its directory below testdata.
type goldenKind struct {
	name        string
	compression store.Compression
	cipher      keys.Cipher // 0: not encrypted
	phrase      bool        // a passphrase unlocks it, else the key
	change      func(t *testing.T, dir string)
	damaged     []store.Seq // messages that are lost
	damage      []string    // what a check must tell, as parts of causes
	torn        int64       // bytes of a write that was cut off
}

// What unlocks the encrypted ones.
const (
	goldenKey    = "golden key of the first version!"
	goldenPhrase = "golden passphrase of the first version"
)

var goldenKinds = []goldenKind{
	{name: "v1"},
	{name: "v1-s2", compression: store.CompressionS2},
	{name: "v1-aes", cipher: keys.AES},
	{name: "v1-s2-aes", compression: store.CompressionS2, cipher: keys.AES},
	{name: "v1-chacha20", cipher: keys.ChaCha20},
	{name: "v1-s2-chacha20", compression: store.CompressionS2, cipher: keys.ChaCha20, phrase: true},
	{name: "v1-packed"}, // its footers are compressed
	{name: "v1-packed-aes", cipher: keys.AES},
	{name: "v1-torn", change: tearGolden, torn: 400, damage: []string{"lost with a torn tail"}},
	{name: "v1-torn-aes", cipher: keys.AES, change: tearGolden, torn: 400, damage: []string{"lost with a torn tail"}},
	{
		name: "v1-damaged", change: damageGolden, damaged: []store.Seq{4},
		damage: []string{"one copy of the configuration is damaged", "one copy of the block header is damaged", "checksum or form is wrong"},
	},
	{
		name: "v1-damaged-s2-aes", compression: store.CompressionS2, cipher: keys.AES, change: damageGolden, damaged: []store.Seq{7},
		damage: []string{"one copy of the configuration is damaged", "one copy of the block header is damaged", "checksum or form is wrong"},
	},
}

// options are those of a store of this kind.
func (k goldenKind) options(t *testing.T) Options {
	t.Helper()
	opt := Options{Compression: k.compression}
	if k.cipher != 0 {
		opt.Cipher = k.cipher
		opt.Secret = k.secret(t)
	}
	return opt
}

// secret returns what unlocks a store of this kind, nil if nothing is needed. Opening wipes it not.
func (k goldenKind) secret(t *testing.T) *keys.Secret {
	t.Helper()
	if k.cipher == 0 {
		return nil
	}
	s, err := keys.OfKey([]byte(goldenKey))
	if k.phrase {
		s, err = keys.OfPassphrase([]byte(goldenPhrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// make makes a golden store of this kind in dir, which must be empty.
func (k goldenKind) make(t *testing.T, dir string) {
	t.Helper()
	if k.change == nil {
		makeGolden(t, dir, k, func() {})
		return
	}
	at := filepath.Join(t.TempDir(), "store")
	copyNow := func() {
		if err := os.CopyFS(dir, os.DirFS(at)); err != nil {
			t.Fatal(err)
		}
	}
	if k.torn > 0 { // as a kill leaves it
		makeGolden(t, at, k, copyNow)
	} else {
		makeGolden(t, at, k, func() {})
		copyNow()
	}
	k.change(t, dir)
}

// tearGolden writes the beginning of a record behind the last one.
func tearGolden(t *testing.T, dir string) {
	t.Helper()
	blocks := goldenBlocks(t, dir)
	newest := blocks[len(blocks)-1]
	first, err := os.ReadFile(blocks[0])
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(newest, os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		_, err = f.Write(first[4352:][:400])
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// damageGolden changes a byte in the first message of the second block, in a block's header, and in a configuration.
func damageGolden(t *testing.T, dir string) {
	t.Helper()
	blocks := goldenBlocks(t, dir)
	for name, at := range map[string]int{blocks[1]: 4352 + 60, blocks[2]: 40, filepath.Join(filepath.Dir(blocks[0]), "config"): 30} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		b[at] ^= 0x10
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func goldenBlocks(t *testing.T, dir string) []string {
	t.Helper()
	blocks, err := filepath.Glob(filepath.Join(dir, streamDir(1), "*.blk"))
	if err != nil || len(blocks) < 3 {
		t.Fatalf("got blocks %v, %v, want 3", blocks, err)
	}
	return blocks
}

var goldenDir = flag.String("golden", "", "where to write golden stores, for a version that was never released")

// TestWhatIsWrittenNowIsReadAsGoldenStoresAre keeps makeGolden able to write the next version's.
func TestWhatIsWrittenNowIsReadAsGoldenStoresAre(t *testing.T) {
	for _, k := range goldenKinds {
		t.Run(k.name, func(t *testing.T) {
			dir := t.TempDir()
			k.make(t, dir)
			if *goldenDir != "" {
				k.keep(t, dir, filepath.Join(*goldenDir, k.name))
			}
			k.read(t, dir)
		})
	}
}

// keep copies a golden store, but the files in it that have nothing.
func (k goldenKind) keep(t *testing.T, from, to string) {
	t.Helper()
	err := os.RemoveAll(to)
	for name, content := range contentOf(t, from) {
		if rel := strings.TrimPrefix(name, from+"/"); rel != lockName && rel != reserve.FileName && err == nil {
			if err = os.MkdirAll(filepath.Dir(filepath.Join(to, rel)), 0o755); err == nil {
				err = os.WriteFile(filepath.Join(to, rel), []byte(content), 0o644) //nolint:gosec // it is for everybody
			}
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// The directories below testdata were written by makeGolden of the version that they are named after.
// Once that is released they are never written again: what a version wrote, every later one reads.
func TestGoldenStoresOfVersion1(t *testing.T) {
	for _, k := range goldenKinds {
		t.Run(k.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS("testdata/"+k.name)); err != nil {
				t.Fatal(err)
			}
			k.refuse(t, dir)
			k.read(t, dir)
		})
	}
}

// refuse demands that a golden store is not opened with another key, without one, or with one too many, and not changed.
func (k goldenKind) refuse(t *testing.T, dir string) {
	t.Helper()
	before := contentOf(t, dir)
	other, err := keys.OfKey([]byte("another key of 32 bytes, not it."))
	if err != nil {
		t.Fatal(err)
	}
	phrase, err := keys.OfPassphrase([]byte("another passphrase"))
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string]*keys.Secret{"another key": other, "another passphrase": phrase}
	if k.cipher != 0 {
		secrets["no key"] = nil
	}
	for what, secret := range secrets {
		for _, readOnly := range []bool{true, false} {
			st, err := OpenDir(dir, Options{Secret: secret, ReadOnly: readOnly})
			if err == nil {
				_ = st.Close()
			}
			if !errors.Is(err, store.ErrKey) {
				t.Errorf("%s: got %v, want ErrKey", what, err)
			}
		}
	}
	for name, content := range contentOf(t, dir) {
		if was, ok := before[name]; !ok || was != content {
			t.Errorf("%s was changed", name)
		}
	}
}

// contentOf returns the files below dir.
func contentOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		out[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// read checks a golden store, and reads it: as it is, opened for reading, opened for writing, and again after that.
func (k goldenKind) read(t *testing.T, dir string) {
	t.Helper()
	report, err := Check(dir, k.secret(t), nil)
	if err != nil || len(report.Streams) != 2 || report.KeyMissing || (len(report.Damage) == 0) != (k.damage == nil) {
		t.Fatalf("check: got %+v, %v", report, err)
	}
	if got := report.Streams[1].Torn; got != k.torn {
		t.Errorf("check: %d bytes are torn, want %d", got, k.torn)
	}
	for _, want := range k.damage {
		found := false
		for _, d := range report.Damage {
			found = found || strings.Contains(d.Cause, want)
		}
		if !found {
			t.Errorf("check: got damage %+v, want %q in it", report.Damage, want)
		}
	}
	for _, readOnly := range []bool{true, false, false} {
		opt := k.options(t)
		opt.ReadOnly, opt.BlockSize = readOnly, minBlockSize
		st, err := OpenDir(dir, opt)
		if err != nil {
			t.Fatal(err)
		}
		checkGolden(t, st, k.damaged...)
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
