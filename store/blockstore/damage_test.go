package blockstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/record"
	"jsfs/store/internal/vfs"
)

// sample is a store to be damaged: 40 messages of 300 bytes in blocks of 6,000, of which 3 and 20
// were removed, and 20 came back.
type sample struct {
	t   *testing.T
	mem *vfs.Mem
	now int64
}

const sampleDir = "streams/0000000000000001"

func sampleData(seq int) []byte { return []byte(strings.Repeat(fmt.Sprintf("data %03d\n", seq), 33)) }

// stop says how the store was left.
type stop int

const (
	closed stop = iota
	killed
	powerLost
)

func newSample(t *testing.T, policy Sync, how stop) *sample {
	t.Helper()
	s := &sample{t: t, mem: vfs.NewMem()}
	st, err := Open(s.mem, s.options(policy))
	s.must(err)
	str, err := st.Create(t.Context(), store.Config{Name: "S"})
	s.must(err)
	for seq := 1; seq <= 40; seq++ {
		_, err := str.Append(t.Context(), store.Entry{Subject: "a.b", Data: sampleData(seq)})
		s.must(err)
		if seq == 25 {
			_, err = str.Remove(t.Context(), 3)
			s.must(err)
			_, err = str.Remove(t.Context(), 20)
			s.must(err)
			s.must(str.Undelete(t.Context(), 20))
		}
	}
	switch how {
	case closed:
		s.must(st.Close())
	case killed:
		s.mem = s.mem.Kill()
	case powerLost:
		s.mem = s.mem.Crash(rand.New(rand.NewPCG(1, 2)), 100)
	}
	if how != closed {
		t.Cleanup(func() { _ = st.Close() })
	}
	return s
}

func (s *sample) options(policy Sync) Options {
	return Options{Sync: policy, BlockSize: 6000, Now: func() int64 { s.now++; return s.now }}
}

func (s *sample) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("unexpected error: %v", err)
	}
}

// edit changes the content of a file.
func (s *sample) edit(name string, change func(b []byte) []byte) {
	s.t.Helper()
	f, err := s.mem.Open(sampleDir + "/" + name)
	s.must(err)
	size, err := f.Size()
	s.must(err)
	b := make([]byte, size)
	if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		s.t.Fatal(err)
	}
	b = change(b)
	s.must(f.Truncate(0))
	_, err = f.WriteAt(b, 0)
	s.must(err)
	s.must(f.Close())
}

// flip flips a bit of the first place where what stands in the file, n bytes behind it.
func (s *sample) flip(name string, what []byte, n int) {
	s.edit(name, func(b []byte) []byte {
		i := bytes.Index(b, what)
		if i < 0 {
			s.t.Fatalf("%q is not in %s", what, name)
		}
		b[i+n] ^= 4
		return b
	})
}

func (s *sample) remove(name string) { s.must(s.mem.Remove(sampleDir + "/" + name)) }

// ranges writes sequences as "1-3 5".
func ranges(seqs []int) string {
	var b strings.Builder
	for i := 0; i < len(seqs); {
		j := i
		for j+1 < len(seqs) && seqs[j+1] == seqs[j]+1 {
			j++
		}
		fmt.Fprintf(&b, " %d", seqs[i])
		if j > i {
			fmt.Fprintf(&b, "-%d", seqs[j])
		}
		i = j + 1
	}
	return strings.TrimSpace(b.String())
}

// look opens the store and tells what can be read, and what is refused as damaged.
func (s *sample) look(st *Store) (readable, damaged string, state store.State, reported []store.Damage) {
	s.t.Helper()
	ctx := context.Background()
	str, err := st.Stream(ctx, "S")
	s.must(err)
	state, err = str.State(ctx)
	s.must(err)
	var good, bad []int
	for seq := 1; seq <= int(min(state.Last, 40)); seq++ {
		m, err := str.Load(ctx, store.Seq(seq), nil)
		var corrupt *store.CorruptError
		switch {
		case err == nil:
			good = append(good, seq)
			if !bytes.Equal(m.Data, sampleData(seq)) {
				s.t.Errorf("message %d: wrong bytes %.40q", seq, m.Data)
			}
		case errors.As(err, &corrupt):
			bad = append(bad, seq)
		case !errors.Is(err, store.ErrNotFound):
			s.t.Errorf("message %d: %v", seq, err)
		}
	}
	if runs := s.readInRuns(str, min(state.Last, 40)); !slices.Equal(runs, good) {
		s.t.Errorf("in runs %v can be read, by themselves %v", runs, good)
	}
	reported, err = str.Damage(ctx)
	s.must(err)
	for _, seq := range bad {
		covered := false
		for _, d := range reported {
			covered = covered || d.First <= store.Seq(seq) && store.Seq(seq) <= d.Last
		}
		if !covered {
			s.t.Errorf("message %d is damaged, and not reported", seq)
		}
	}
	return ranges(good), ranges(bad), state, reported
}

// readInRuns returns what runs give up to message last: what can't be read is told of where one begins, and nowhere else.
func (s *sample) readInRuns(str store.Stream, last store.Seq) (read []int) {
	s.t.Helper()
	for seq := store.Seq(1); seq <= last; {
		from := seq
		for m, err := range str.LoadRun(context.Background(), seq, make([]byte, 600)) {
			if err != nil {
				if seq > from {
					s.t.Errorf("the run from %d on ends with %v", from, err)
				}
				break
			}
			if seq > last {
				break
			}
			if m.Seq != seq || !bytes.Equal(m.Data, sampleData(int(seq))) { //nolint:gosec // small
				s.t.Errorf("message %d in a run from %d on: got %d, %.40q", seq, from, m.Seq, m.Data)
			}
			read = append(read, int(seq)) //nolint:gosec // small
			seq++
		}
		if seq == from {
			seq++
		}
	}
	return read
}

func flipIn(name string, seq int) func(*sample) {
	return func(s *sample) { s.flip(name, []byte(fmt.Sprintf("data %03d\n", seq)), 100) }
}

func TestDamageCostsWhatItTouches(t *testing.T) {
	const all = "1-2 4-40"
	state := func(at int) func(*sample) {
		return func(s *sample) { s.edit("state", func(b []byte) []byte { b[at] ^= 1; return b }) }
	}
	for _, c := range []struct {
		name     string
		policy   Sync
		stop     stop
		harm     func(s *sample)
		readable string
		damaged  string
		reported bool
		next     store.Seq // that an append gets; 0: above 65,536
	}{
		{"nothing after a clean stop", SyncAlways, closed, func(*sample) {}, all, "", false, 41},
		{"nothing after a kill", SyncInterval, killed, func(*sample) {}, all, "", false, 41},
		{"a loss of power goes on above the mark", SyncAlways, powerLost, func(*sample) {}, all, "", false, 0},
		{"one bit of a payload costs one message", SyncAlways, closed, flipIn("00000002.blk", 8), "1-2 4-7 9-40", "8", true, 41},
		{"one bit of a payload in the tail", SyncAlways, closed, flipIn("00000010.blk", 38), "1-2 4-37 39-40", "38", true, 41},
		{"one bit of the last payload, cleanly closed", SyncAlways, closed, flipIn("00000010.blk", 40), "1-2 4-39", "40", true, 41},
		{"one bit of the last payload after a kill", SyncInterval, killed, flipIn("00000010.blk", 40), "1-2 4-39", "40", true, 0},
		{"one bit of a head costs one message", SyncAlways, closed, func(s *sample) {
			s.flip("00000002.blk", []byte("a.bdata 008\n"), -8) // in the head
		}, "1-2 4-7 9-40", "8", true, 41},
		{"the first copy of a header", SyncAlways, closed, func(s *sample) {
			s.edit("00000002.blk", func(b []byte) []byte { b[80] ^= 1; return b })
		}, all, "", false, 41},
		{"both copies of a sealed block's header", SyncAlways, closed, func(s *sample) {
			s.edit("00000002.blk", func(b []byte) []byte { b[80] ^= 1; b[record.HeaderCopy+80] ^= 1; return b })
		}, all, "", false, 41},
		{"a footer is rebuilt from the records", SyncAlways, closed, func(s *sample) {
			s.edit("00000002.blk", func(b []byte) []byte { b[len(b)-20] ^= 1; return b })
		}, all, "", true, 41},
		{"a footer's sections are rebuilt from the records", SyncAlways, closed, func(s *sample) {
			s.edit("00000002.blk", func(b []byte) []byte {
				at := bytes.Index(b, []byte("JSFSFOOT"))
				for i := at + 8; i < len(b)-record.TrailerSize; i++ {
					b[i] ^= 1
				}
				return b
			})
		}, all, "", true, 41},
		{"one of a removal's twins", SyncAlways, closed, func(s *sample) {
			s.edit("00000007.blk", func(b []byte) []byte { // behind the record of 25
				b[bytes.LastIndex(b, []byte("data 025\n"))+9+8+3] ^= 1
				return b
			})
		}, all, "", false, 41},
		{"a block that is missing is an exact range", SyncAlways, closed, func(s *sample) { s.remove("00000003.blk") },
			"1-2 4-8 13-40", "9-12", true, 41},
		{"the first block missing", SyncAlways, closed, func(s *sample) { s.remove("00000001.blk") }, "5-40", "1-2 4", true, 41},
		{"the tail missing", SyncAlways, closed, func(s *sample) { s.remove("00000010.blk") }, "1-2 4-36", "37-40", true, 41},
		{"a block under another one's name", SyncAlways, closed, func(s *sample) {
			var copied []byte
			s.edit("00000002.blk", func(b []byte) []byte { copied = bytes.Clone(b); return b })
			s.edit("00000003.blk", func([]byte) []byte { return copied })
		}, "1-2 4-8 13-40", "9-12", true, 41},
		{"an empty block in the middle", SyncAlways, closed, func(s *sample) {
			s.edit("00000003.blk", func([]byte) []byte { return nil })
		}, "1-2 4-8 13-40", "9-12", true, 41},
		{"a block that was cut", SyncAlways, closed, func(s *sample) {
			s.edit("00000003.blk", func(b []byte) []byte { return b[:bytes.Index(b, []byte("a.bdata 011\n"))+20] })
		}, "1-2 4-10 13-40", "11-12", true, 41},
		{"a tail that was cut after a clean stop", SyncAlways, closed, func(s *sample) {
			s.edit("00000010.blk", func(b []byte) []byte { return b[:bytes.Index(b, []byte("a.bdata 039\n"))+20] })
		}, "1-2 4-38", "39-40", true, 41},
		{"a record whose write was cut off by a kill", SyncInterval, killed, func(s *sample) {
			s.edit("00000010.blk", func(b []byte) []byte { return b[:len(b)-50] })
		}, "1-2 4-39", "", false, 40},
		{"zeros behind the tail", SyncInterval, killed, func(s *sample) {
			s.edit("00000010.blk", func(b []byte) []byte { return append(b, make([]byte, 5000)...) })
		}, all, "", false, 41},
		{"one state slot", SyncAlways, closed, state(20), all, "", true, 0},
		{"both state slots", SyncAlways, closed, func(s *sample) { state(20)(s); state(4096 + 20)(s) }, all, "", true, 0},
		{"no state", SyncAlways, closed, func(s *sample) { s.remove("state") }, all, "", true, 0},
		{"one copy of the configuration", SyncAlways, closed, func(s *sample) {
			s.edit("config", func(b []byte) []byte { b[30] ^= 1; return b })
		}, all, "", true, 41},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			s := newSample(t, c.policy, c.stop)
			c.harm(s)
			st, err := Open(s.mem, s.options(c.policy))
			s.must(err)
			readable, damaged, _, reported := s.look(st)
			if readable != c.readable || damaged != c.damaged || len(reported) > 0 != c.reported {
				t.Errorf("got %s readable, %q damaged, reported %+v, want %s, %q, %v", readable, damaged, reported, c.readable, c.damaged, c.reported)
			}
			str, err := st.Stream(t.Context(), "S")
			s.must(err)
			seq, err := str.Append(t.Context(), store.Entry{Subject: "x", Data: []byte("new")})
			if err != nil && c.name != "no state" || c.next != 0 && seq != c.next || c.next == 0 && err == nil && seq <= 65_536 {
				t.Errorf("append: got %d, %v, want %d", seq, err, c.next)
			}
			_ = st.Close()
			if c.next == 40 {
				return // 40 is another message now
			}
			st, err = Open(s.mem, s.options(c.policy))
			s.must(err)
			if readable, _, _, _ := s.look(st); readable != c.readable {
				t.Errorf("after another write: got %s readable, want %s", readable, c.readable)
			}
			s.must(st.Close())
		})
	}
}
