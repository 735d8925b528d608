package blockstore_test

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
	"jsfs/store/keys"
)

// trials scales the fault trials. The environment can set it for a run of all packages, most of
// which lack the flag.
var trials = flag.String("trials", cmp.Or(os.Getenv("JSFS_TRIALS"), "ci"),
	"how many fault trials to run: quick takes seconds, ci a minute, release hours")

// firstSeed lets a long run be made of short ones, each with other seeds.
var firstSeed = flag.Int("seed", 0, "the seed that the trials of crashes and failing calls begin with")

// rounds returns how often a trial runs.
func rounds(ci, release int) int {
	switch *trials {
	case "quick":
		return max(1, ci/10)
	case "release":
		return release
	}
	return ci
}

// stride returns the step of a trial that would try every value before a release.
func stride(ci int) int {
	switch *trials {
	case "quick":
		return 10 * ci
	case "release":
		return 1
	}
	return ci
}

// seeded returns a source of random numbers. Its seed is in the name of the test or in its messages.
func seeded(seed int) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(seed), 0x6a736673)) //nolint:gosec // faults are no secrets
}

// trialBlock is small, so that blocks rotate every few messages.
const trialBlock = 8192

// trialOptions are those of every store in a trial. Background syncs are a second
// apart: too far to come in between.
func trialOptions(sync blockstore.Sync) blockstore.Options {
	return blockstore.Options{Sync: sync, Interval: time.Second, BlockSize: trialBlock}
}

// variant is how the store of a trial keeps what it is given.
type variant struct {
	name        string
	compression store.Compression
	cipher      keys.Cipher // 0: not encrypted
}

var variants = []variant{
	{"plain", store.CompressionNone, 0},
	{"s2", store.CompressionS2, 0},
	{"aes", store.CompressionNone, keys.AES},
	{"s2+aes", store.CompressionS2, keys.AES},
	{"chacha20", store.CompressionNone, keys.ChaCha20},
	{"s2+chacha20", store.CompressionS2, keys.ChaCha20},
}

func variantOf(seed int) variant { return variants[seed%len(variants)] }

// of returns opt for a store that is made so.
func (v variant) of(opt blockstore.Options) blockstore.Options {
	opt.Compression = v.compression
	if v.cipher != 0 {
		opt.Secret, opt.Cipher = trialSecret, v.cipher
	}
	return opt
}

// trialSecret is never wiped.
var trialSecret = func() *keys.Secret {
	s, err := keys.OfKey([]byte("a key of 32 bytes that all know!"))
	if err != nil {
		panic(err)
	}
	return s
}()

// openTrial opens a store, with the key if it has been made with one.
func openTrial(f vfs.FS, opt blockstore.Options) (*blockstore.Store, error) {
	if file, err := f.Open("jsfs.key"); err == nil {
		opt.Secret = trialSecret
		_ = file.Close()
	}
	return blockstore.Open(f, opt)
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatalf("unexpected error: %v", err)
	}
}

// files returns the content of every file below dir, by name.
func files(tb testing.TB, f vfs.FS, dir string) map[string]string {
	tb.Helper()
	out := map[string]string{}
	names, err := f.List(dir)
	must(tb, err)
	for _, name := range names {
		if dir != "." {
			name = dir + "/" + name
		}
		if _, err := f.List(name); err == nil {
			for n, content := range files(tb, f, name) {
				out[n] = content
			}
			continue
		}
		out[name] = readAll(tb, f, name)
	}
	return out
}

func readAll(tb testing.TB, f vfs.FS, name string) string {
	tb.Helper()
	file, err := f.Open(name)
	must(tb, err)
	size, err := file.Size()
	must(tb, err)
	b := make([]byte, size)
	if _, err := file.ReadAt(b, 0); err != nil && err != io.EOF {
		tb.Fatal(err)
	}
	must(tb, file.Close())
	return string(b)
}

// overwrite changes bytes of a file.
func overwrite(tb testing.TB, f vfs.FS, name string, off int64, b []byte) {
	tb.Helper()
	file, err := f.Open(name)
	must(tb, err)
	_, err = file.WriteAt(b, off)
	must(tb, err)
	must(tb, file.Close())
}

// put replaces a file's content, or makes the file.
func put(tb testing.TB, f vfs.FS, name, content string) {
	tb.Helper()
	_ = f.Remove(name)
	file, err := f.Create(name)
	must(tb, err)
	_, err = file.WriteAt([]byte(content), 0)
	must(tb, err)
	must(tb, file.Close())
}

// entry is a message that can be told from every other one.
func entry(rng *rand.Rand, i, size int) store.Entry {
	e := store.Entry{Subject: []string{"a", "a.b", "c.d.e"}[rng.IntN(3)]}
	if rng.IntN(5) == 0 {
		e.Header = []byte("NATS/1.0\r\nTrial: yes\r\n\r\n")
	}
	e.Data = fmt.Appendf(nil, "<%d>", i)
	same := rng.IntN(2) // half of them can be compressed
	for len(e.Data) < size {
		e.Data = append(e.Data, byte(rng.IntN(256)>>(8*same)))
	}
	return e
}
