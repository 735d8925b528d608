package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/memstore"
	"jsfs/store/transfer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatalf("unexpected error: %v", err)
	}
}

func newMem() store.Store { return memstore.New(memstore.Options{}) }

func newBlock(tb testing.TB, dir string) store.Store {
	tb.Helper()
	s, err := blockstore.OpenDir(dir, blockstore.Options{Sync: blockstore.SyncNever, BlockSize: 1 << 20})
	must(tb, err)
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

// image is all that can be told of a stream, but for what counts since it was opened.
type image struct {
	Config    store.Config
	State     store.State
	Consumers []store.ConsumerState
	Msgs      []store.Msg
}

func imageOf(tb testing.TB, s store.Store, name string) image {
	tb.Helper()
	st, err := s.Stream(context.Background(), name)
	must(tb, err)
	state, err := st.State(context.Background())
	must(tb, err)
	state.Rev, state.Appended = 0, store.Totals{}
	img := image{Config: st.Config(), State: state}
	for meta, err := range st.Scan(context.Background(), store.Query{}) {
		must(tb, err)
		m, err := st.Load(context.Background(), meta.Seq, nil)
		must(tb, err)
		if len(m.Header) == 0 {
			m.Header = nil
		}
		if len(m.Data) == 0 {
			m.Data = nil
		}
		img.Msgs = append(img.Msgs, m)
	}
	img.Consumers = consumersOf(tb, st)
	return img
}

// sameStream compares two streams message by message; their names may differ.
func sameStream(tb testing.TB, got, want image) {
	tb.Helper()
	got.Config.Name = want.Config.Name
	if d := cmp.Diff(want.Config, got.Config) + cmp.Diff(want.State, got.State) + cmp.Diff(want.Consumers, got.Consumers); d != "" {
		tb.Errorf("the copy (-original +copy):\n%s", d)
	}
	for i, w := range want.Msgs[:min(len(want.Msgs), len(got.Msgs))] {
		g := got.Msgs[i]
		if g.Meta != w.Meta || g.Subject != w.Subject || !bytes.Equal(g.Header, w.Header) || !bytes.Equal(g.Data, w.Data) {
			tb.Fatalf("message %d of the copy: got %+v, want %+v", i, g.Meta, w.Meta)
		}
	}
	if len(got.Msgs) != len(want.Msgs) {
		tb.Errorf("the copy has %d messages, want %d", len(got.Msgs), len(want.Msgs))
	}
}

// fill makes a stream with every kind of message, removed ones at its ends and in the middle, and gaps; and with consumers, if it has
// messages enough.
func fill(tb testing.TB, s store.Store, name string, n int) store.Stream {
	tb.Helper()
	ctx := context.Background()
	st, err := s.Create(ctx, store.Config{Name: name, Subjects: []string{"a.>", "b"}, Description: "a \"test\"", Metadata: map[string]string{"k": "v"}})
	must(tb, err)
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for i := range n {
		e := store.Entry{Subject: fmt.Sprintf("a.%d", i%7), Data: fmt.Appendf(nil, "message %d\n", i)}
		switch i % 10 {
		case 3:
			e.Header = []byte("NATS/1.0\r\nA: é\r\n\r\n")
		case 4:
			e.Data = bytes.Repeat(all, i%200)
		case 5:
			e.Data = nil
		case 6:
			e.Header, e.Data = all, all
		}
		if i%50 == 49 {
			state, err := st.State(ctx)
			must(tb, err)
			must(tb, st.Restore(ctx, store.Msg{Meta: store.Meta{Seq: state.Last + 1 + store.Seq(i), Time: state.LastTime + 5}, Subject: "b", Data: e.Data})) //nolint:gosec // small
			continue
		}
		seq, err := st.Append(ctx, e)
		must(tb, err)
		if i < 3 || i%9 == 0 || i >= n-2 {
			_, err := st.Remove(ctx, seq)
			must(tb, err)
		}
	}
	if n >= 100 {
		addConsumers(tb, st)
	}
	return st
}

func TestCopiesAreIdenticalBetweenAllEngines(t *testing.T) {
	mem, again := newMem(), newMem()
	block := newBlock(t, t.TempDir())
	src := fill(t, mem, "S", 2000)
	for i, to := range []store.Store{block, again, block} {
		name := fmt.Sprintf("COPY%d", i)
		r, err := transfer.Copy(t.Context(), src, to, name, transfer.Options{Verify: true})
		must(t, err)
		sameStream(t, imageOf(t, to, name), imageOf(t, mem, "S"))
		if r.Messages != imageOf(t, mem, "S").State.Live.Messages || r.Resumed != 0 || len(r.Lost) > 0 {
			t.Errorf("got %+v", r)
		}
		src, err = to.Stream(t.Context(), name)
		must(t, err)
		if i == 1 {
			src = fill(t, block, "T", 500)
			_, err = transfer.Copy(t.Context(), src, again, "S", transfer.Options{})
			must(t, err)
			sameStream(t, imageOf(t, again, "S"), imageOf(t, block, "T"))
			return
		}
	}
}

func TestEmptyStreamsAreCopied(t *testing.T) {
	for _, skip := range []store.Seq{0, 41} {
		mem, dir := newMem(), t.TempDir()
		st, err := mem.Create(t.Context(), store.Config{Name: "S"})
		must(t, err)
		if skip > 0 {
			must(t, st.SkipTo(t.Context(), skip, 12345))
		}
		block := newBlock(t, dir+"/block")
		_, err = transfer.Copy(t.Context(), st, block, "S", transfer.Options{Verify: true})
		must(t, err)
		sameStream(t, imageOf(t, block, "S"), imageOf(t, mem, "S"))
		must(t, transfer.WriteFile(t.Context(), block, []string{"S"}, dir+"/b", transfer.BackupOptions{}))
		sameStream(t, imageOf(t, restored(t, dir+"/b"), "S"), imageOf(t, mem, "S"))
	}
}

// restored restores all of a backup into a new memory store.
func restored(tb testing.TB, name string) store.Store {
	tb.Helper()
	s := newMem()
	_, err := restore(name, s)
	must(tb, err)
	return s
}

func restore(name string, to store.Store) (all []transfer.Result, err error) {
	b, err := transfer.Open(name)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	for {
		p, err := b.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		r, err := p.Restore(context.Background(), to, p.Stream(), transfer.Options{Verify: true})
		if err != nil {
			return all, err
		}
		all = append(all, r)
	}
}

func TestBackupsAreIdentical(t *testing.T) {
	for _, plain := range []bool{false, true} {
		t.Run(fmt.Sprintf("plain=%v", plain), func(t *testing.T) {
			block, dir := newBlock(t, t.TempDir()), t.TempDir()
			fill(t, block, "A", 2000)
			fill(t, block, "B", 0)
			fill(t, block, "C", 100)
			names := []string{"A", "B", "C"}
			opt := transfer.BackupOptions{Options: transfer.Options{Verify: true}, Plain: plain}
			must(t, transfer.WriteFile(t.Context(), block, names, dir+"/b", opt))
			mem := restored(t, dir+"/b")
			for _, name := range names {
				sameStream(t, imageOf(t, mem, name), imageOf(t, block, name))
			}
			if left, _ := filepath.Glob(dir + "/*"); len(left) != 1 {
				t.Errorf("there is more than the backup: %v", left)
			}
			// Each by itself, one behind the other, is the same backup.
			var both []byte
			for _, name := range names {
				opt.Streams = 3
				must(t, transfer.WriteFile(t.Context(), block, []string{name}, dir+"/"+name, opt))
				b, err := os.ReadFile(dir + "/" + name)
				must(t, err)
				both = append(both, b...)
			}
			must(t, os.WriteFile(dir+"/joined", both, 0o600))
			mem = restored(t, dir+"/joined")
			sameStream(t, imageOf(t, mem, "C"), imageOf(t, block, "C"))
		})
	}
}

// TestRandomStreamsComeBack sends random streams through every form.
func TestRandomStreamsComeBack(t *testing.T) {
	root := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(root, "x")
		must(t, err)
		defer func() { _ = os.RemoveAll(dir) }()
		mem := newMem()
		st, err := mem.Create(rt.Context(), store.Config{Name: "S"})
		must(t, err)
		seq, now := store.Seq(0), int64(0)
		for range rapid.IntRange(0, 60).Draw(rt, "messages") {
			seq += rapid.SampledFrom([]store.Seq{1, 1, 1, 2, 1000, 1 << 33}).Draw(rt, "up")
			now += rapid.SampledFrom([]int64{0, 1, 1e9, 1 << 40}).Draw(rt, "later")
			must(t, st.Restore(rt.Context(), store.Msg{
				Meta: store.Meta{Seq: seq, Time: now}, Subject: rapid.SampledFrom([]string{"a", "a.b", "日本", `"q"`}).Draw(rt, "subject"),
				Header: rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(rt, "header"), Data: rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(rt, "data"),
			}))
			if rapid.IntRange(0, 3).Draw(rt, "remove") == 0 {
				_, err := st.Remove(rt.Context(), seq)
				must(t, err)
			}
		}
		want := imageOf(t, mem, "S")
		must(t, transfer.WriteFile(rt.Context(), mem, []string{"S"}, dir+"/b", transfer.BackupOptions{Plain: rapid.Bool().Draw(rt, "plain")}))
		block, err := blockstore.OpenDir(dir+"/s", blockstore.Options{Sync: blockstore.SyncNever, BlockSize: 8192})
		must(t, err)
		defer func() { _ = block.Close() }()
		_, err = restore(dir+"/b", block)
		must(t, err)
		sameStream(t, imageOf(t, block, "S"), want)
		from, err := block.Stream(rt.Context(), "S")
		must(t, err)
		_, err = transfer.Copy(rt.Context(), from, mem, "T", transfer.Options{Verify: true})
		must(t, err)
		sameStream(t, imageOf(t, mem, "T"), want)
	})
}

func TestSparseMessagesAreCheap(t *testing.T) {
	const n = 200_000
	mem := memstore.New(memstore.Options{})
	st, err := mem.Create(t.Context(), store.Config{Name: "S"})
	must(t, err)
	ms := make([]store.Msg, n)
	for i := range ms {
		ms[i] = store.Msg{Meta: store.Meta{Seq: store.Seq(i+1) * 1_000_003}, Subject: "x", Data: []byte("x\n")} //nolint:gosec // small
	}
	_, err = st.RestoreAll(t.Context(), ms)
	must(t, err)
	dir := t.TempDir()
	block := newBlock(t, dir+"/s")
	_, err = transfer.Copy(t.Context(), st, block, "S", transfer.Options{Verify: true})
	must(t, err)
	must(t, transfer.WriteFile(t.Context(), block, []string{"S"}, dir+"/b", transfer.BackupOptions{}))
	info, err := os.Stat(dir + "/b")
	must(t, err)
	if info.Size() > 40*n {
		t.Errorf("a backup of %d small messages with gaps has %d bytes", n, info.Size())
	}
	sameStream(t, imageOf(t, restored(t, dir+"/b"), "S"), imageOf(t, mem, "S"))
}

func TestCopyRefusesWhatIsNotABeginning(t *testing.T) {
	ctx := t.Context()
	rows := []struct {
		name   string
		change func(st store.Stream) error
		want   string
	}{
		{"another message at the end", func(st store.Stream) error {
			_, err := st.Append(ctx, store.Entry{Subject: "b"})
			return err
		}, "goes up to message"},
		{"a removed message", func(st store.Stream) error {
			_, err := st.Remove(ctx, 5)
			return err
		}, "it lacks message 5"},
	}
	for _, r := range rows {
		mem, to := newMem(), newMem()
		src := fill(t, mem, "S", 300)
		_, err := transfer.Copy(ctx, src, to, "S", transfer.Options{})
		must(t, err)
		st, err := to.Stream(ctx, "S")
		must(t, err)
		must(t, r.change(st))
		before := imageOf(t, to, "S")
		_, err = transfer.Copy(ctx, src, to, "S", transfer.Options{})
		if !errors.Is(err, store.ErrExists) || !strings.Contains(err.Error(), r.want) {
			t.Errorf("%s: got %v, want ErrExists with %q", r.name, err, r.want)
		}
		sameStream(t, imageOf(t, to, "S"), before)
	}
	mem, to := newMem(), newMem()
	src := fill(t, mem, "S", 10)
	_, err := to.Create(ctx, store.Config{Name: "S"})
	must(t, err)
	if _, err := transfer.Copy(ctx, src, to, "S", transfer.Options{}); !errors.Is(err, store.ErrExists) {
		t.Errorf("another configuration: got %v, want ErrExists", err)
	}
	other, err := to.Create(ctx, src.Config())
	if err == nil {
		t.Fatalf("made %v twice", other)
	}
}

// stopping is a context that is cancelled after so many messages.
func stopping(n int64) (context.Context, func(done, total int64)) {
	ctx, cancel := context.WithCancel(context.Background())
	return ctx, func(done, _ int64) {
		if done >= n {
			cancel()
		}
	}
}

func TestCopyGoesOn(t *testing.T) {
	mem, block := newMem(), newBlock(t, t.TempDir())
	src := fill(t, mem, "S", 10_000)
	for _, stop := range []int64{1, 4000} {
		ctx, progress := stopping(stop)
		_, err := transfer.Copy(ctx, src, block, "S", transfer.Options{Progress: progress})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v, want the copy to stop at %d", err, stop)
		}
	}
	r, err := transfer.Copy(t.Context(), src, block, "S", transfer.Options{Verify: true})
	must(t, err)
	if r.Resumed == 0 || r.Resumed >= r.Messages {
		t.Errorf("got %+v, want some of it to be there", r)
	}
	sameStream(t, imageOf(t, block, "S"), imageOf(t, mem, "S"))
	if r, err = transfer.Copy(t.Context(), src, block, "S", transfer.Options{}); err != nil || r.Resumed != r.Messages {
		t.Errorf("a copy that is complete: got %+v, %v", r, err)
	}
}
