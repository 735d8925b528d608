package blockstore_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cespare/xxhash/v2"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

const oneFile, twoFile = "streams/0000000000000001/consumer-0000000000000001", "streams/0000000000000001/consumer-0000000000000002"

// withConsumers makes a stream with the consumers one and two, which both have one open delivery, and closes the store.
func withConsumers(t *testing.T, f vfs.FS, opt blockstore.Options, r store.Retention) {
	t.Helper()
	s, err := blockstore.Open(f, opt)
	must(t, err)
	st, err := s.Create(bg, store.Config{Name: "S", Retention: r})
	must(t, err)
	for _, name := range []string{"one", "two"} {
		_, err := st.CreateConsumer(bg, store.ConsumerConfig{Name: name, AckWait: time.Hour})
		must(t, err)
	}
	for range 3 {
		_, err := st.Append(bg, store.Entry{Subject: "s"})
		must(t, err)
	}
	for _, name := range []string{"one", "two"} {
		c, err := st.Consumer(bg, name)
		must(t, err)
		_, err = c.Next(bg, nil)
		must(t, err)
	}
	must(t, s.Close())
}

// causes returns the damage that opening notes in the stream.
func causes(t *testing.T, st store.Stream) string {
	t.Helper()
	list, err := st.Damage(bg)
	must(t, err)
	var out []string
	for _, d := range list {
		out = append(out, d.Cause)
	}
	return strings.Join(out, "; ")
}

func live(t *testing.T, st store.Stream) int64 {
	t.Helper()
	state, err := st.State(bg)
	must(t, err)
	return state.Live.Messages
}

func TestADamagedConsumerKeepsItsStreamFromNothing(t *testing.T) {
	for _, row := range []struct {
		name, damage string
		harm         func(f vfs.FS)
		want         error // of the consumer one; nil is none
	}{
		{"one copy", "one copy of a consumer is damaged", func(f vfs.FS) { overwrite(t, f, oneFile, 20, []byte("xxxx")) }, nil},
		{"both copies", "consumer damaged-1 can't be read", func(f vfs.FS) {
			overwrite(t, f, oneFile, 20, []byte("xxxx"))
			overwrite(t, f, oneFile, 4096+20, []byte("xxxx"))
		}, &store.CorruptError{}},
		{"empty", "consumer damaged-1 can't be read", func(f vfs.FS) { put(t, f, oneFile, "") }, &store.CorruptError{}},
		{"of a later version", "newer than this program", func(f vfs.FS) {
			overwrite(t, f, oneFile, 8, []byte{9})
			overwrite(t, f, oneFile, 4096+8, []byte{9})
			fixSums(t, f, oneFile)
		}, store.ErrVersion},
	} {
		t.Run(row.name, func(t *testing.T) {
			mem, opt := vfs.NewMem(), trialOptions(blockstore.SyncAlways)
			withConsumers(t, mem, opt, store.RetentionInterest)
			row.harm(mem)
			s, err := blockstore.Open(mem, opt)
			must(t, err)
			defer func() { must(t, s.Close()) }()
			st, err := s.Stream(bg, "S")
			must(t, err)
			if got := causes(t, st); !strings.Contains(got, row.damage) {
				t.Errorf("damage: got %q, want %q", got, row.damage)
			}
			if row.want == nil {
				_, err := st.Consumer(bg, "one")
				must(t, err)
				return
			}
			var corrupt *store.CorruptError
			_, err = st.Consumer(bg, "damaged-1")
			if !errors.Is(err, row.want) && !errors.As(err, &corrupt) {
				t.Errorf("the consumer that is damaged: got %v", err)
			}
			two, err := st.Consumer(bg, "two")
			must(t, err)
			must(t, two.Ack(bg, 1)) // who knows what the other one wants?
			if n := live(t, st); n != 3 {
				t.Errorf("%d messages are live, want 3", n)
			}
			must(t, st.RemoveConsumer(bg, "damaged-1"))
			if n := live(t, st); n != 2 {
				t.Errorf("%d messages are live after the damaged consumer was removed, want 2", n)
			}
		})
	}
}

func TestTwoConsumersOfOneNameAreNotOne(t *testing.T) {
	mem, opt := vfs.NewMem(), trialOptions(blockstore.SyncAlways)
	withConsumers(t, mem, opt, store.RetentionLimits)
	put(t, mem, oneFile, readAll(t, mem, twoFile))
	s, err := blockstore.Open(mem, opt)
	must(t, err)
	st, err := s.Stream(bg, "S")
	must(t, err)
	names, err := st.ConsumerNames(bg)
	must(t, err)
	if got := fmt.Sprint(names); got != "[damaged-2 two]" || !strings.Contains(causes(t, st), "another consumer two") {
		t.Errorf("got %s, damage %q", got, causes(t, st))
	}
	must(t, s.Close())
}

func TestConsumersAreEncrypted(t *testing.T) {
	mem, opt := vfs.NewMem(), trialOptions(blockstore.SyncAlways)
	opt.Secret = trialSecret
	withConsumers(t, mem, opt, store.RetentionLimits)
	one, two := readAll(t, mem, oneFile), readAll(t, mem, twoFile)
	if strings.Contains(one, "ack_policy") {
		t.Error("a consumer's configuration is in the clear")
	}
	put(t, mem, oneFile, two)
	put(t, mem, twoFile, one)
	s, err := blockstore.Open(mem, opt)
	must(t, err)
	st, err := s.Stream(bg, "S")
	must(t, err)
	names, err := st.ConsumerNames(bg)
	must(t, err)
	if got := fmt.Sprint(names); got != "[damaged-1 damaged-2]" {
		t.Errorf("files that were exchanged: got %s", got)
	}
	must(t, s.Close())
}

func TestConsumersAreWrittenTenTimesASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		s, err := blockstore.Open(mem, blockstore.Options{Sync: blockstore.SyncNever})
		must(t, err)
		st, err := s.Create(bg, store.Config{Name: "S"})
		must(t, err)
		c, err := st.CreateConsumer(bg, store.ConsumerConfig{Name: "c"})
		must(t, err)
		var writes atomic.Int32
		mem.Hook = func(op string) {
			if strings.HasPrefix(op, "rename") && strings.Contains(op, "consumer-") {
				writes.Add(1)
			}
		}
		for i := range 2000 {
			_, err := st.Append(bg, store.Entry{Subject: "s"})
			must(t, err)
			d, err := c.Next(bg, nil)
			must(t, err)
			must(t, c.Ack(bg, d.Seq))
			if i%2 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		synctest.Wait()
		if n := writes.Load(); n < 8 || n > 11 {
			t.Errorf("in a second it was written %d times, want 10", n)
		}
		must(t, s.Close())
	})
}

func TestAReadOnlyStoreShowsItsConsumers(t *testing.T) {
	mem, opt := vfs.NewMem(), trialOptions(blockstore.SyncAlways)
	withConsumers(t, mem, opt, store.RetentionInterest)
	opt.ReadOnly = true
	s, err := blockstore.Open(mem, opt)
	must(t, err)
	st, err := s.Stream(bg, "S")
	must(t, err)
	c, err := st.Consumer(bg, "one")
	must(t, err)
	info, err := c.Info(bg)
	must(t, err)
	if open, err := c.Pending(bg); err != nil || len(open) != 1 || info.NumPending != 2 {
		t.Errorf("got %v, %v, info %+v", open, err, info)
	}
	for what, err := range map[string]error{
		"ack": c.Ack(bg, 1), "remove": st.RemoveConsumer(bg, "one"), "update": st.UpdateConsumer(bg, c.Config()),
		"next": func() error { _, err := c.Next(bg, nil); return err }(),
	} {
		if what != "update" && !errors.Is(err, store.ErrReadOnly) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	must(t, s.Close())
}

// fixSums makes the sums of both copies in an envelope right again.
func fixSums(t *testing.T, f vfs.FS, name string) {
	t.Helper()
	b := []byte(readAll(t, f, name))
	for _, at := range []int{0, 4096} {
		end := at + 16 + int(binary.LittleEndian.Uint32(b[at+12:]))
		binary.LittleEndian.PutUint64(b[end:], xxhash.Sum64(b[at:end]))
	}
	put(t, f, name, string(b))
}
