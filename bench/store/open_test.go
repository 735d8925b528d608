package store

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkOpen opens a store after a clean stop, and as a kill leaves it: a copy of its files taken while it was
// open, nats-server's index file with them.
func BenchmarkOpen(b *testing.B) {
	for _, size := range []struct {
		name               string
		messages, subjects int
	}{
		{"messages=1M/subjects=1", million, 1},
		{"messages=1M/subjects=100000", million, 100_000},
		{"messages=1M/subjects=1000000", million, million},
		{"messages=5M/subjects=100000", 5 * million, 100_000},
	} {
		for _, stop := range []string{"clean", "kill"} {
			b.Run(size.name+"/stop="+stop, func(b *testing.B) {
				each(b, func(b *testing.B, name string, open opener) {
					dir := filled(b, name, open, size.messages, size.subjects, kept{})
					if stop == "kill" {
						dir = killed(b, dir, open)
					}
					openOnce(b, open, dir)
				})
			})
		}
	}
}

// killed returns a copy of the store at dir as a kill leaves it.
func killed(b *testing.B, dir string, open opener) string {
	b.Helper()
	own := filepath.Join(b.TempDir(), "open")
	must(b, copyTree(own, dir))
	p := open(b, own, kept{})
	must(b, p.append("orders.new", payload))
	to := filepath.Join(b.TempDir(), "killed")
	must(b, copyTree(to, own))
	must(b, p.close())
	must(b, os.RemoveAll(own))
	return to
}

func openOnce(b *testing.B, open opener, dir string) {
	var p peer
	measure(b, 1, func() { p = open(b, dir, kept{}) })
	must(b, p.close())
}

// BenchmarkHeap is what is kept in memory of five million messages on 100,000 subjects when all were loaded in
// sequence and every subject was asked for.
func BenchmarkHeap(b *testing.B) {
	const messages, subjects = 5 * million, 100_000
	names := names(subjects)
	each(b, func(b *testing.B, name string, open opener) {
		dir := filled(b, name, open, messages, subjects, kept{})
		before := heapInUse()
		p := open(b, dir, kept{})
		opened := heapInUse() - before
		for seq := range uint64(messages) {
			must(b, p.load(seq+1))
		}
		for i, s := range names {
			got, err := p.last(s)
			want(b, got, err, uint64(messages-subjects+i+1))
		}
		warm := heapInUse() - before
		b.ReportMetric(float64(opened)/messages, "opened-B/msg")
		b.ReportMetric(float64(warm)/messages, "warm-B/msg")
		must(b, p.close())
	})
}

// BenchmarkSpace is what a message takes on disk over its payload and its subject.
func BenchmarkSpace(b *testing.B) {
	for _, subjects := range []int{1, 100_000} {
		b.Run(spread(subjects), func(b *testing.B) {
			each(b, func(b *testing.B, name string, open opener) {
				sum := int64(0)
				for i, s := 0, names(subjects); i < million; i++ {
					sum -= int64(len(payload) + len(s[i%subjects]))
				}
				dir := filled(b, name, open, million, subjects, kept{})
				must(b, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
					if err != nil || e.IsDir() || e.Name() == "reserve" { // which is the store's, whatever is in it
						return err
					}
					info, err := e.Info()
					if err == nil {
						sum += info.Size()
					}
					return err
				}))
				b.ReportMetric(float64(sum)/million, "over-B/msg")
			})
		})
	}
}
