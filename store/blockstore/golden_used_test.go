package blockstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jsfs/store"
	"jsfs/store/keys"
)

// usedKinds are the forms of a golden store that was used for a while: it has blocks that were written anew, messages that were removed and
// are kept, or came back, an erased one, consumers in the middle of their work, a truncated stream and a removed one.
var usedKinds = []goldenKind{
	{name: "v1-used"},
	{name: "v1-used-s2-aes", compression: store.CompressionS2, cipher: keys.AES},
}

// user uses a store, while its time goes by as it says.
type user struct {
	*testing.T
	st  *Store
	now atomic.Int64
}

func openUsed(t *testing.T, dir string, k goldenKind, now int64, readOnly bool) *user {
	t.Helper()
	u := &user{T: t}
	u.now.Store(now)
	opt := k.options(t)
	opt.BlockSize, opt.KeepDeleted, opt.ReadOnly, opt.asked = minBlockSize, 8*time.Hour, readOnly, true
	opt.Now = u.now.Load
	st, err := OpenDir(dir, opt)
	u.must(err)
	u.st = st.(*Store)
	return u
}

func (u *user) must(err error) {
	u.Helper()
	if err != nil {
		u.Fatal(err)
	}
}

func (u *user) later(d time.Duration) { u.now.Add(int64(d)) }

func (u *user) create(cfg store.Config, n int) store.Stream {
	u.Helper()
	s, err := u.st.Create(u.Context(), cfg)
	u.must(err)
	for i := range n {
		u.later(time.Second)
		_, err := s.Append(u.Context(), store.Entry{Subject: fmt.Sprintf("used.%d", i%3), Data: fmt.Appendf(nil, "%0200d\n", i+1)})
		u.must(err)
	}
	return s
}

func (u *user) remove(s store.Stream, first, last store.Seq) {
	u.Helper()
	for seq := first; seq <= last; seq++ {
		_, err := s.Remove(u.Context(), seq)
		u.must(err)
	}
}

// consume makes a consumer that takes n messages and acknowledges some of them.
func (u *user) consume(s store.Stream, cfg store.ConsumerConfig, n int, acked ...store.Seq) store.Consumer {
	u.Helper()
	c, err := s.CreateConsumer(u.Context(), cfg)
	u.must(err)
	for range n {
		u.later(time.Second)
		_, err := c.Next(u.Context(), nil)
		u.must(err)
	}
	for _, seq := range acked {
		u.must(c.Ack(u.Context(), seq))
	}
	return c
}

// usedUntil is the time at which the golden stores were closed.
const usedUntil = 1_700_000_000_000_000_000 + 14*int64(time.Hour)

// makeUsed makes a golden store that was used.
func makeUsed(t *testing.T, dir string, k goldenKind) {
	t.Helper()
	u := openUsed(t, dir, k, 1_700_000_000_000_000_000, false)
	s := u.create(store.Config{Name: "ORDERS"}, 60)
	c := u.consume(s, store.ConsumerConfig{Name: "billing", AckWait: 100 * time.Hour}, 6, 1, 2, 4)
	u.must(c.Nak(t.Context(), 3, 0))
	_, err := c.Next(t.Context(), nil)
	u.must(err)
	u.consume(s, store.ConsumerConfig{Name: "audit", AckPolicy: store.AckNone, FilterSubject: "used.1"}, 3)
	u.consume(s, store.ConsumerConfig{Name: "last", DeliverPolicy: store.DeliverLastPerSubject, FilterSubject: ">"}, 1)
	u.remove(s, 10, 25)
	u.later(12 * time.Hour)
	u.must(u.st.Reclaim(t.Context()))
	u.remove(s, 30, 32)
	u.remove(s, 50, 50)
	u.must(s.Undelete(t.Context(), 31))
	_, err = s.Erase(t.Context(), 40)
	u.must(err)
	q := u.create(store.Config{Name: "QUEUE", Retention: store.RetentionWorkQueue}, 5)
	c = u.consume(q, store.ConsumerConfig{Name: "q", AckWait: time.Minute, MaxDeliver: 1}, 1)
	u.later(time.Hour)
	_, err = c.Next(t.Context(), nil)
	u.must(err)
	u.must(c.Ack(t.Context(), 2))
	s = u.create(store.Config{Name: "SHORT"}, 10)
	u.consume(s, store.ConsumerConfig{Name: "c", AckWait: 100 * time.Hour}, 8, 1)
	s, err = u.st.Truncate(t.Context(), "SHORT", 5)
	u.must(err)
	_, err = s.Append(t.Context(), store.Entry{Subject: "again", Data: []byte("six")})
	u.must(err)
	s = u.create(store.Config{Name: "GONE"}, 3)
	u.remove(s, 1, 3)
	u.must(u.st.Remove(t.Context(), "GONE"))
	u.now.Store(usedUntil)
	u.must(u.st.Close())
}

// told is all that a store tells, as text.
func (u *user) told() string {
	u.Helper()
	ctx := context.Background()
	var b strings.Builder
	tell := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	config := func(v any) string {
		text, err := json.Marshal(v)
		u.must(err)
		return string(text)
	}
	names, err := u.st.Streams(ctx)
	u.must(err)
	for _, name := range names {
		s := u.st.streams[name]
		tell("%s", config(s.Config()))
		state, err := s.State(ctx)
		u.must(err)
		tell("messages %d to %d, until %d, live %+v, deleted %d, lost %d", state.First, state.Last, state.LastTime, state.Live, state.Deleted, state.Lost)
		tell("blocks were written anew: %v", slices.ContainsFunc(s.cur.Load().blocks, func(b *block) bool { return b.rewritten }))
		for m, err := range s.Scan(ctx, store.Query{}) {
			u.must(err)
			msg, err := s.Load(ctx, m.Seq, nil)
			u.must(err)
			tell("%d at %d on %s: %s", m.Seq, m.Time, msg.Subject, strings.TrimLeft(strings.TrimSpace(string(msg.Data)), "0"))
		}
		for m, err := range s.ScanKept(ctx, 0, 0) {
			u.must(err)
			msg, err := s.LoadKept(ctx, m.Seq, nil)
			u.must(err)
			tell("kept: %d on %s: %s", m.Seq, msg.Subject, strings.TrimLeft(strings.TrimSpace(string(msg.Data)), "0"))
		}
		consumers, err := s.ConsumerNames(ctx)
		u.must(err)
		for _, name := range consumers {
			c, err := s.Consumer(ctx, name)
			u.must(err)
			state, err := c.State(ctx)
			u.must(err)
			tell("%s made at %d, resume %d, %+v", config(state.Config), state.Created, state.Resume, state.Deliveries)
		}
	}
	removed, err := u.st.RemovedStreams(ctx)
	u.must(err)
	for _, r := range removed {
		tell("removed: %s %d at %d, %d messages, %d bytes", r.Name, r.Incarnation, r.Time, r.Messages, r.Bytes)
	}
	return b.String()
}

// readUsed demands that a golden store tells what it told when it was made, opened for reading and for writing, that it is not damaged, and
// that what is kept can be brought back.
func readUsed(t *testing.T, dir string, k goldenKind) {
	t.Helper()
	want, err := os.ReadFile("testdata/" + k.name + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	report, err := Check(dir, k.secret(t), nil)
	if err != nil || len(report.Damage) > 0 || len(report.Streams) != 3 {
		t.Errorf("check: got %+v, %v", report, err)
	}
	for _, readOnly := range []bool{true, false, false} {
		u := openUsed(t, dir, k, usedUntil, readOnly)
		if got := u.told(); got != string(want) {
			t.Errorf("read-only %v (-want +got):\n%s", readOnly, cmp.Diff(string(want), got))
		}
		u.must(u.st.Close())
	}
	u := openUsed(t, dir, k, usedUntil, false)
	s, err := u.st.Stream(t.Context(), "ORDERS")
	u.must(err)
	u.must(s.Undelete(t.Context(), 30))
	for _, seq := range []store.Seq{15, 40} { // given back, erased
		if err := s.Undelete(t.Context(), seq); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("undelete %d: got %v, want ErrNotFound", seq, err)
		}
	}
	removed, err := u.st.RemovedStreams(t.Context())
	u.must(err)
	back, err := u.st.Revive(t.Context(), removed[len(removed)-1].Incarnation)
	u.must(err)
	if state, err := back.State(t.Context()); err != nil || state.Live.Messages != 3 {
		t.Errorf("the removed stream came back with %+v, %v", state, err)
	}
	c, err := s.Consumer(t.Context(), "billing")
	u.must(err)
	if d, err := c.Next(t.Context(), nil); err != nil || d.Seq != 7 || d.Consumer != 8 {
		t.Errorf("the consumer goes on with message %d as delivery %d, %v", d.Seq, d.Consumer, err)
	}
	u.must(u.st.Close())
}

// TestGoldenStoresThatWereUsed reads the stores that makeUsed of version 1 wrote; as with the others, they are never written again.
func TestGoldenStoresThatWereUsed(t *testing.T) {
	for _, k := range usedKinds {
		t.Run(k.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS("testdata/"+k.name)); err != nil {
				t.Fatal(err)
			}
			k.refuse(t, dir)
			readUsed(t, dir, k)
		})
	}
}

// TestWhatIsUsedNowIsReadAsGoldenStoresAre keeps makeUsed able to write the next version's.
func TestWhatIsUsedNowIsReadAsGoldenStoresAre(t *testing.T) {
	for _, k := range usedKinds {
		t.Run(k.name, func(t *testing.T) {
			dir := t.TempDir()
			makeUsed(t, dir, k)
			if *goldenDir != "" {
				k.keep(t, dir, filepath.Join(*goldenDir, k.name))
				u := openUsed(t, dir, k, usedUntil, true)
				u.must(os.WriteFile(filepath.Join(*goldenDir, k.name+".txt"), []byte(u.told()), 0o600))
				u.must(u.st.Close())
			}
			readUsed(t, dir, k)
		})
	}
}
