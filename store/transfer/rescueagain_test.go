package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/transfer"
)

// dying is a store on a disk that loses more and more.
type dying struct {
	t   *testing.T
	dir string
}

// rescue rescues it into another store. If it is to stop, it does so when some messages are copied.
func (d *dying) rescue(to store.Store, stop bool) transfer.Rescued {
	d.t.Helper()
	from, err := blockstore.Salvage(d.dir, nil)
	must(d.t, err)
	defer from.Close()
	ctx, opt := d.t.Context(), transfer.Options{Verify: true}
	if stop {
		ctx, opt.Progress = stopping(1)
	}
	r, err := transfer.Rescue(ctx, from, to, func(string) transfer.Options { return opt })
	if stop != errors.Is(err, context.Canceled) || !stop && err != nil {
		d.t.Fatal(err)
	}
	return r
}

// blocks are the files of the blocks.
func (d *dying) blocks() []string {
	d.t.Helper()
	names, err := filepath.Glob(d.dir + "/streams/*/*.blk")
	must(d.t, err)
	return names
}

// newDying is a store with a stream of 6,000 messages of 1 KiB, each with its number, and of other ones that were removed.
func newDying(t *testing.T) *dying {
	t.Helper()
	d := &dying{t, t.TempDir()}
	s, err := blockstore.OpenDir(d.dir, blockstore.Options{Sync: blockstore.SyncNever, BlockSize: 1 << 20})
	must(t, err)
	st, err := s.Create(t.Context(), store.Config{Name: "S"})
	must(t, err)
	for i := range 6000 {
		seq, err := st.Append(t.Context(), store.Entry{Subject: "a", Data: bytes.Repeat([]byte{byte(i), byte(i >> 8)}, 512)})
		must(t, err)
		if i%100 == 0 {
			_, err := st.Remove(t.Context(), seq)
			must(t, err)
		}
	}
	c, err := st.CreateConsumer(t.Context(), store.ConsumerConfig{Name: "c"})
	must(t, err)
	use(t, c, 3)
	must(t, s.Close())
	return d
}

// TestARescueKeepsWhatTheDiskHasLostSince has a rescue stop, or end, and the disk lose what is copied then: the next one goes on, and what the copy has is lost no more.
func TestARescueKeepsWhatTheDiskHasLostSince(t *testing.T) {
	loses := map[string]func(d *dying){
		"a bit": func(d *dying) {
			b, err := os.ReadFile(d.blocks()[0])
			must(t, err)
			b[300_000] ^= 1
			must(t, os.WriteFile(d.blocks()[0], b, 0o600))
		},
		"a block":          func(d *dying) { must(t, os.Remove(d.blocks()[0])) },
		"the consumer":     func(d *dying) { d.spoil("consumer-*") },
		"nothing":          func(*dying) {},
		"all but a block":  func(d *dying) { d.removeBlocks(1) },
		"all but the tail": func(d *dying) { d.removeBlocks(-1) },
	}
	for name, lose := range loses {
		for _, stop := range []bool{true, false} {
			d, to := newDying(t), newMem()
			d.rescue(to, stop)
			have := imageOf(t, to, "S")
			lose(d)
			r := d.rescue(to, false)
			if len(r.Streams) != 1 || len(r.Unreadable) != 0 {
				t.Errorf("%s, stopped %v: got %+v", name, stop, r)
				continue
			}
			img := imageOf(t, to, "S")
			if got := r.Streams[0]; len(img.Msgs) < len(have.Msgs) || got.Messages != int64(len(img.Msgs)) || got.Resumed != int64(len(have.Msgs)) {
				t.Errorf("%s, stopped %v: there were %d messages, and are %d; the result says %d and %d", name, stop, len(have.Msgs), len(img.Msgs), got.Resumed, got.Messages)
			}
			for i, m := range have.Msgs {
				if img.Msgs[i].Seq != m.Seq || !bytes.Equal(img.Msgs[i].Data, m.Data) {
					t.Fatalf("%s, stopped %v: message %d was there, and is not", name, stop, m.Seq)
				}
			}
			for _, l := range r.Streams[0].Lost {
				for _, m := range img.Msgs {
					if l.First <= m.Seq && m.Seq <= l.Last {
						t.Fatalf("%s, stopped %v: message %d is there, and is said to be lost", name, stop, m.Seq)
					}
				}
			}
			if !stop && len(img.Consumers) != 1 {
				t.Errorf("%s: the copy had a consumer, and has %+v", name, img.Consumers)
			}
		}
	}
}

func (d *dying) spoil(pattern string) {
	d.t.Helper()
	names, err := filepath.Glob(d.dir + "/streams/*/" + pattern)
	must(d.t, err)
	if len(names) == 0 {
		d.t.Fatal("there is no " + pattern)
	}
	for _, name := range names {
		must(d.t, os.WriteFile(name, bytes.Repeat([]byte("x"), 200), 0o600))
	}
}

// removeBlocks removes all blocks but the first or last ones.
func (d *dying) removeBlocks(but int) {
	names := d.blocks()
	if but > 0 {
		names = names[but:]
	} else {
		names = names[:len(names)+but]
	}
	for _, name := range names {
		must(d.t, os.Remove(name))
	}
}

// TestARescueGoesOnWithoutAStream has the disk lose one of two streams, or its name, when some or all of it is copied: the next rescue keeps what there is
// of it, copies the other one, and says what is gone. A stream that the damaged store never had is refused as ever.
func TestARescueGoesOnWithoutAStream(t *testing.T) {
	for name, lose := range map[string]func(d *dying){
		"its directory": func(d *dying) { must(d.t, os.RemoveAll(d.dir+"/streams/0000000000000001")) },
		"its directory, and the list": func(d *dying) {
			must(d.t, os.RemoveAll(d.dir+"/streams/0000000000000001"))
			must(d.t, os.Remove(d.dir+"/incarnation"))
		},
		"the last one's directory": func(d *dying) { must(d.t, os.RemoveAll(d.dir+"/streams/0000000000000002")) },
		"its configuration":        func(d *dying) { d.spoil("config") },
		"nothing":                  func(*dying) {},
	} {
		for _, stop := range []bool{true, false} {
			d, to := newDying(t), newMem()
			s, err := blockstore.OpenDir(d.dir, blockstore.Options{})
			must(t, err)
			fill(t, s, "T", 100)
			must(t, s.Close())
			d.rescue(to, stop)
			have := map[string]image{}
			for _, stream := range []string{"S", "T"} {
				if _, err := to.Stream(t.Context(), stream); err == nil {
					have[stream] = imageOf(t, to, stream)
				}
			}
			lose(d)
			from, err := blockstore.Salvage(d.dir, nil)
			must(t, err)
			names, err := from.Streams(t.Context())
			must(t, errors.Join(err, from.Close()))
			r := d.rescue(to, false)
			if len(r.Unreadable) != 0 || len(r.Streams) != len(names) {
				t.Errorf("%s, stopped %v: got %+v, want %q", name, stop, r, names)
			}
			for stream, was := range have {
				is := imageOf(t, to, stream)
				if !slices.Contains(names, stream) {
					sameStream(t, is, was)
					if !slices.Contains(r.Gone, transfer.Gone{Stream: stream, Messages: int64(len(was.Msgs)), Last: was.State.Last}) {
						t.Errorf("%s, stopped %v: got %+v, want that %s is gone", name, stop, r.Gone, stream)
					}
				} else if len(is.Msgs) < len(was.Msgs) {
					t.Errorf("%s, stopped %v: %s had %d messages, and has %d", name, stop, stream, len(was.Msgs), len(is.Msgs))
				}
			}
			if name == "nothing" && len(r.Gone) > 0 {
				t.Errorf("nothing was lost: got %+v", r.Gone)
			}
		}
	}
	d, to := newDying(t), newMem()
	fill(t, to, "OTHER", 3)
	from, err := blockstore.Salvage(d.dir, nil)
	must(t, err)
	defer func() { must(t, from.Close()) }()
	if _, err := transfer.Rescue(t.Context(), from, to, func(string) transfer.Options { return transfer.Options{} }); !errors.Is(err, store.ErrExists) {
		t.Errorf("into a store with a stream of its own: got %v, want ErrExists", err)
	}
}

// TestARescueKeepsWhatItHasOfADraft copies a draft, and the disk loses a piece of it then.
func TestARescueKeepsWhatItHasOfADraft(t *testing.T) {
	d, to := &dying{t, t.TempDir()}, newMem()
	s, err := blockstore.OpenDir(d.dir, blockstore.Options{})
	must(t, err)
	st, err := s.Create(t.Context(), store.Config{Name: "S"})
	must(t, err)
	draft, err := st.CreateDraft(t.Context(), ".d")
	must(t, err)
	want := bytes.Repeat([]byte("draft"), 4000)
	_, err = draft.WriteAt(want, 0)
	must(t, errors.Join(err, draft.Close(), s.Close()))
	d.rescue(to, false)

	name := d.dir + "/streams/0000000000000001/drafts/d.d"
	info, err := os.Stat(name)
	must(t, err)
	spoiled := bytes.Clone(want)
	spoiled[5000] ^= 1
	must(t, os.WriteFile(name, spoiled, 0o600))
	must(t, os.Chtimes(name, info.ModTime(), info.ModTime()))
	if r := d.rescue(to, false); len(r.Streams) != 1 || len(r.Streams[0].Holes) != 1 {
		t.Errorf("got %+v, want that a piece of the draft can't be read", r)
	}
	copied, err := to.Stream(t.Context(), "S")
	must(t, err)
	got := make([]byte, len(want))
	draft, err = copied.OpenDraft(t.Context(), ".d")
	must(t, err)
	if n, err := draft.ReadAt(got, 0); n != len(want) || !bytes.Equal(got, want) {
		t.Errorf("the copy had all of the draft, and has %d bytes, %v, or others", n, err)
	}
	must(t, draft.Close())
}
