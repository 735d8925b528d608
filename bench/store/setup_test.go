package store

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

const million = 1_000_000

const secret = "a key of 32 bytes that all know!"

var payload = []byte(strings.Repeat("x", 128))

// peer is what is measured. It is used by one goroutine, but for append. Answers are numbers, so that a wrong one
// is seen.
type peer interface {
	append(subject string, data []byte) error
	appendAll(subjects []string, data []byte) error
	load(seq uint64) error
	scan(n int) error // reads the first n messages' heads, or more of them
	remove(seq uint64) error
	purge(subject string) (uint64, error)
	next(subject string, from uint64) (uint64, error)
	last(subject string) (uint64, error)
	seek(t time.Time) (uint64, error)
	count(pattern string) (uint64, error)
	subjects() (uint64, error) // walks all of them, with their totals
	pending(subject string, from uint64) (uint64, error)
	close() error
}

// kept is how a store keeps what it is given. The zero value is plainly, and written at once.
type kept struct {
	always  bool // synced, too
	batched bool // written a thousand at a time, or in the background where there are no batches
	s2      bool
	cipher  string
}

type opener func(tb testing.TB, dir string, k kept) peer

var openers = []struct {
	name string
	open opener
}{{"jsfs", openJsfs}, {"nats", openNats}}

// each runs bench for both stores.
func each(b *testing.B, bench func(b *testing.B, name string, open opener)) {
	for _, o := range openers {
		b.Run("store="+o.name, func(b *testing.B) { bench(b, o.name, o.open) })
	}
}

// pick returns how often a store does something that one of the two takes much longer for.
func pick(store string, jsfs, nats int) int {
	if store == "nats" {
		return nats
	}
	return jsfs
}

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measure runs f, which does n operations, and reports the CPU time and the time of one.
func measure(b *testing.B, n int, f func()) {
	b.Helper()
	runtime.GC()
	start, used := time.Now(), cpu()
	b.ResetTimer()
	f()
	b.StopTimer()
	b.ReportMetric(float64(cpu()-used)/float64(n), "cpu-ns/op")
	b.ReportMetric(float64(time.Since(start))/float64(n), "ns/op")
}

func must(b *testing.B, err error) {
	if err != nil {
		b.Helper()
		b.Fatal(err)
	}
}

func want(b *testing.B, got uint64, err error, want uint64) {
	if err != nil || got != want {
		b.Helper()
		b.Fatalf("got %d, %v, want %d", got, err, want)
	}
}

// names returns the names of that many subjects.
func names(subjects int) []string {
	if subjects == 1 {
		return []string{"orders.new"}
	}
	all := make([]string, subjects)
	for i := range all {
		all[i] = fmt.Sprintf("orders.%d.%d", i%10, i)
	}
	return all
}

// spread says how many subjects there are, for the name of a benchmark.
func spread(subjects int) string { return fmt.Sprintf("subjects=%d", subjects) }

// storeBatch is how many messages are stored at once.
const storeBatch = 1000

// fill stores n messages on the subjects by turns, in batches.
func fill(b *testing.B, p peer, n int, subjects []string) {
	b.Helper()
	batch := make([]string, 0, storeBatch)
	for i := range n {
		batch = append(batch, subjects[i%len(subjects)])
		if len(batch) == storeBatch || i == n-1 {
			must(b, p.appendAll(batch, payload))
			batch = batch[:0]
		}
	}
}

// root is where the stores are that several benchmarks read.
var root string

func TestMain(m *testing.M) {
	var err error
	if root, err = os.MkdirTemp("", "bench"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(root)
	os.Exit(code)
}

// filled returns the directory of a closed store with n messages on that many subjects, and when it was filled. It must
// not be changed.
func filled(b *testing.B, name string, open opener, n, subjects int, k kept) string {
	b.Helper()
	dir := filepath.Join(root, fmt.Sprintf("%s-%d-%d-%v%s", name, n, subjects, k.s2, k.cipher))
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	k.batched = true
	p := open(b, dir+".new", k)
	start := time.Now()
	fill(b, p, n, names(subjects))
	spans[dir] = [2]time.Time{start, time.Now()}
	must(b, p.close())
	must(b, os.Rename(dir+".new", dir))
	return dir
}

// spans are when the stores were filled.
var spans = map[string][2]time.Time{}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func copyTree(to, from string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if e.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o600)
	})
}
