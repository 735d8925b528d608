package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/keys"
	"jsfs/store/transfer"
)

// addConsumers adds consumers of several kinds, which have taken and acknowledged some of the messages.
func addConsumers(tb testing.TB, st store.Stream) {
	tb.Helper()
	for i, cfg := range []store.ConsumerConfig{
		{Name: "acked", AckWait: time.Hour, Metadata: map[string]string{"k": "v\n"}},
		{Name: "all", AckPolicy: store.AckAll, FilterSubjects: []string{"a.1", "b"}, BackOff: []time.Duration{time.Hour, 2 * time.Hour}},
		{Name: "last", DeliverPolicy: store.DeliverLastPerSubject, FilterSubject: ">"},
		{Name: "late", DeliverPolicy: store.DeliverByStartSequence, OptStartSeq: 1 << 40},
		{Name: "none", AckPolicy: store.AckNone},
		{Name: "unused", DeliverPolicy: store.DeliverByStartTime, OptStartTime: time.Unix(0, 123456789)},
	} {
		c, err := st.CreateConsumer(context.Background(), cfg)
		must(tb, err)
		if cfg.DeliverPolicy == "" || cfg.Name == "last" {
			use(tb, c, 6+i)
		}
	}
}

// use delivers so many messages, gives each third back, and acknowledges the others before the last three.
func use(tb testing.TB, c store.Consumer, n int) {
	tb.Helper()
	ctx := context.Background()
	var got []store.Seq
	for range n {
		d, err := c.Next(ctx, nil)
		must(tb, err)
		got = append(got, d.Seq)
	}
	if c.Config().AckPolicy == store.AckNone {
		return
	}
	for i, seq := range got[:max(n-3, 0)] {
		if i%3 == 1 {
			must(tb, c.Nak(ctx, seq, 0))
			_, err := c.Next(ctx, nil)
			must(tb, err)
			continue
		}
		if c.Config().AckPolicy == store.AckExplicit {
			must(tb, c.Ack(ctx, seq))
		}
	}
	if c.Config().AckPolicy == store.AckAll {
		must(tb, c.Ack(ctx, got[1]))
	}
}

func consumersOf(tb testing.TB, st store.Stream) (all []store.ConsumerState) {
	tb.Helper()
	names, err := st.ConsumerNames(context.Background())
	must(tb, err)
	for _, name := range names {
		c, err := st.Consumer(context.Background(), name)
		must(tb, err)
		s, err := c.State(context.Background())
		must(tb, err)
		all = append(all, s)
	}
	return all
}

func consumer(tb testing.TB, s store.Store, stream, name string) store.Consumer {
	tb.Helper()
	st, err := s.Stream(context.Background(), stream)
	must(tb, err)
	c, err := st.Consumer(context.Background(), name)
	must(tb, err)
	return c
}

// TestConsumersGoThroughEveryForm sends a stream with consumers through stores with and without keys, and through a backup.
func TestConsumersGoThroughEveryForm(t *testing.T) {
	for _, retention := range []store.Retention{store.RetentionLimits, store.RetentionInterest, store.RetentionWorkQueue} {
		t.Run(string(retention), func(t *testing.T) {
			mem, dir := newMem(), t.TempDir()
			st, err := mem.Create(t.Context(), store.Config{Name: "S", Retention: retention, MaxConsumers: 2})
			must(t, err)
			for _, name := range []string{"a", "b"} {
				_, err := st.CreateConsumer(t.Context(), store.ConsumerConfig{Name: name, FilterSubject: name, MaxDeliver: 9})
				must(t, err)
			}
			for i := range 200 {
				_, err := st.Append(t.Context(), store.Entry{Subject: []string{"a", "b"}[i%2], Data: fmt.Appendln(nil, i)})
				must(t, err)
			}
			use(t, consumer(t, mem, "S", "a"), 20)
			must(t, mem.Update(t.Context(), store.Config{Name: "S", Retention: retention, MaxConsumers: 1}))
			want := imageOf(t, mem, "S")
			secret, err := keys.OfKey(bytes.Repeat([]byte{7}, 32))
			must(t, err)
			sealed, err := blockstore.OpenDir(dir+"/sealed", blockstore.Options{Sync: blockstore.SyncNever, Secret: secret})
			must(t, err)
			defer func() { must(t, sealed.Close()) }()
			_, err = transfer.Copy(t.Context(), st, sealed, "S", transfer.Options{Verify: true})
			must(t, err)
			sameStream(t, imageOf(t, sealed, "S"), want)
			must(t, transfer.WriteFile(t.Context(), sealed, []string{"S"}, dir+"/b", transfer.BackupOptions{}))
			block := newBlock(t, dir+"/block")
			all, err := restore(dir+"/b", block)
			must(t, err)
			if all[0].Consumers != 2 || len(all[0].LostConsumers) != 0 {
				t.Errorf("got %+v", all[0])
			}
			sameStream(t, imageOf(t, block, "S"), want)
			d, err := consumer(t, block, "S", "a").Next(t.Context(), nil)
			must(t, err)
			if d.Seq != 41 || d.Consumer != want.Consumers[0].Delivered.Consumer+1 || string(d.Data) != "40\n" {
				t.Errorf("it goes on with message %d as delivery %d", d.Seq, d.Consumer)
			}
		})
	}
}

// TestACopyOfAStreamInUseIsNeverAhead copies streams while they are written, read and acknowledged. Whoever goes on with the copy gets each of its messages
// that was not acknowledged, and no consumer knows of one that the copy does not have.
func TestACopyOfAStreamInUseIsNeverAhead(t *testing.T) {
	for _, retention := range []store.Retention{store.RetentionLimits, store.RetentionWorkQueue} {
		block, dir := newBlock(t, t.TempDir()), t.TempDir()
		st, err := block.Create(t.Context(), store.Config{Name: "S", Retention: retention})
		must(t, err)
		c, err := st.CreateConsumer(t.Context(), store.ConsumerConfig{Name: "c", AckWait: time.Hour})
		must(t, err)
		ctx, stop := context.WithCancel(t.Context())
		var users sync.WaitGroup
		users.Go(func() {
			for range time.Tick(time.Millisecond) {
				if ctx.Err() != nil {
					return
				}
				if _, err := st.AppendAll(t.Context(), slices.Repeat([]store.Entry{{Subject: "a", Data: []byte("x\n")}}, 10)); err != nil {
					t.Error(err)
				}
			}
		})
		var acked sync.Map
		users.Go(func() {
			for i := 0; ; i++ {
				d, err := c.Next(ctx, nil)
				if err != nil {
					return
				}
				if i%3 > 0 {
					acked.Store(d.Seq, true)
					must(t, c.Ack(t.Context(), d.Seq))
				}
			}
		})
		for i := range 15 {
			time.Sleep(time.Millisecond)
			mem := newMem()
			if i%2 == 0 {
				_, err = transfer.Copy(t.Context(), st, mem, "S", transfer.Options{})
			} else {
				name := fmt.Sprintf("%s/%d", dir, i)
				must(t, transfer.WriteFile(t.Context(), block, []string{"S"}, name, transfer.BackupOptions{Plain: i%3 == 0}))
				_, err = restore(name, mem)
			}
			must(t, err)
			checkNotAhead(t, mem, &acked)
		}
		stop()
		users.Wait()
	}
}

// moving is a stream that goes on whenever somebody has asked for its state.
type moving struct {
	store.Stream
	on func()
}

func (m moving) State(ctx context.Context) (store.State, error) {
	s, err := m.Stream.State(ctx)
	m.on()
	return s, err
}

// movingStore has that stream alone.
type movingStore struct {
	store.Store
	st moving
}

func (s movingStore) Stream(context.Context, string) (store.Stream, error) { return s.st, nil }

// TestWhatConsumersDoAfterTheBeginningIsNotInACopy has a message stored, delivered and acknowledged when the copy knows where it ends.
func TestWhatConsumersDoAfterTheBeginningIsNotInACopy(t *testing.T) {
	mem, name := newMem(), t.TempDir()+"/b"
	st, err := mem.Create(t.Context(), store.Config{Name: "S"})
	must(t, err)
	c, err := st.CreateConsumer(t.Context(), store.ConsumerConfig{Name: "c"})
	must(t, err)
	m := moving{st, func() {
		seq, err := st.Append(t.Context(), store.Entry{Subject: "a"})
		must(t, err)
		d, err := c.Next(t.Context(), nil)
		must(t, err)
		must(t, c.Ack(t.Context(), seq))
		if d.Seq != seq {
			t.Errorf("got message %d, want %d", d.Seq, seq)
		}
	}}
	m.on()
	to := newMem()
	_, err = transfer.Copy(t.Context(), m, to, "S", transfer.Options{})
	must(t, err)
	must(t, transfer.WriteFile(t.Context(), movingStore{mem, m}, []string{"S"}, name, transfer.BackupOptions{}))
	for i, copied := range []store.Store{to, restored(t, name)} {
		img := imageOf(t, copied, "S")
		want := store.Position{Consumer: uint64(i) + 1, Stream: store.Seq(i) + 1} //nolint:gosec // small
		if got := img.Consumers[0]; img.State.Last != want.Stream || got.Delivered != want || got.AckFloor != want {
			t.Errorf("it ends at message %d, and the consumer at %+v; want both at %+v", img.State.Last, got.Delivered, want)
		}
	}
}

func checkNotAhead(t *testing.T, s store.Store, acked *sync.Map) {
	t.Helper()
	img := imageOf(t, s, "S")
	state := img.Consumers[0]
	if state.Delivered.Stream > img.State.Last {
		t.Errorf("message %d was delivered, the copy ends at %d", state.Delivered.Stream, img.State.Last)
	}
	open := map[store.Seq]bool{}
	for _, p := range state.Pending {
		open[p.Seq] = true
	}
	for _, m := range img.Msgs {
		if m.Seq > state.Delivered.Stream || open[m.Seq] {
			continue // it is delivered, or delivered again
		}
		if _, ok := acked.Load(m.Seq); !ok {
			t.Errorf("message %d was never acknowledged, and the copy's consumer has done with it", m.Seq)
		}
	}
}

// TestACopyTakesConsumersThatWentOn copies a stream again after it and its consumers went on.
func TestACopyTakesConsumersThatWentOn(t *testing.T) {
	mem, block := newMem(), newBlock(t, t.TempDir())
	src := fill(t, mem, "S", 300)
	_, err := transfer.Copy(t.Context(), src, block, "S", transfer.Options{})
	must(t, err)
	use(t, consumer(t, mem, "S", "acked"), 40)
	use(t, consumer(t, mem, "S", "unused"), 4)
	must(t, src.UpdateConsumer(t.Context(), store.ConsumerConfig{Name: "all", AckPolicy: store.AckAll, FilterSubject: "b"}))
	_, err = src.CreateConsumer(t.Context(), store.ConsumerConfig{Name: "new"})
	must(t, err)
	_, err = src.Append(t.Context(), store.Entry{Subject: "b"})
	must(t, err)
	_, err = transfer.Copy(t.Context(), src, block, "S", transfer.Options{Verify: true})
	must(t, err)
	sameStream(t, imageOf(t, block, "S"), imageOf(t, mem, "S"))
}

// TestACopyDoesNotTouchOtherConsumers demands that a copy is refused where the destination has consumers that are not the origin's,
// or went on by themselves.
func TestACopyDoesNotTouchOtherConsumers(t *testing.T) {
	for want, change := range map[string]func(st store.Stream) error{
		"it has a consumer own": func(st store.Stream) error {
			_, err := st.CreateConsumer(t.Context(), store.ConsumerConfig{Name: "own"})
			return err
		},
		"has gone further": func(st store.Stream) error {
			c, err := st.Consumer(t.Context(), "none")
			must(t, err)
			_, err = c.Next(t.Context(), nil)
			return err
		},
		"is another one of that name": func(st store.Stream) error {
			must(t, st.RemoveConsumer(t.Context(), "unused"))
			_, err := st.CreateConsumer(t.Context(), store.ConsumerConfig{Name: "unused"})
			return err
		},
	} {
		mem, to := newMem(), newMem()
		src := fill(t, mem, "S", 300)
		_, err := transfer.Copy(t.Context(), src, to, "S", transfer.Options{})
		must(t, err)
		st, err := to.Stream(t.Context(), "S")
		must(t, err)
		must(t, change(st))
		_, err = src.Append(t.Context(), store.Entry{Subject: "b"})
		must(t, err)
		before := imageOf(t, to, "S")
		_, err = transfer.Copy(t.Context(), src, to, "S", transfer.Options{})
		if !errors.Is(err, store.ErrExists) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want ErrExists with %q", err, want)
		}
		sameStream(t, imageOf(t, to, "S"), before)
	}
}

// TestABackupIsOfItsConsumers demands that a backup whose consumers have gone on since is none of the stream any more: what is half done begins
// anew, what is finished is left alone.
func TestABackupIsOfItsConsumers(t *testing.T) {
	mem, name := newMem(), t.TempDir()+"/b"
	fill(t, mem, "B", 4000)
	ctx, progress := stopping(2000)
	opt := transfer.BackupOptions{Options: transfer.Options{Progress: progress}}
	if err := transfer.WriteFile(ctx, mem, []string{"B"}, name, opt); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want it to stop", err)
	}
	use(t, consumer(t, mem, "B", "unused"), 4)
	must(t, transfer.WriteFile(t.Context(), mem, []string{"B"}, name, transfer.BackupOptions{}))
	sameStream(t, imageOf(t, restored(t, name), "B"), imageOf(t, mem, "B"))
	must(t, transfer.WriteFile(t.Context(), mem, []string{"B"}, name, transfer.BackupOptions{}))
	use(t, consumer(t, mem, "B", "unused"), 1)
	if err := transfer.WriteFile(t.Context(), mem, []string{"B"}, name, transfer.BackupOptions{}); !errors.Is(err, store.ErrExists) {
		t.Errorf("over a backup with consumers in another state: got %v, want ErrExists", err)
	}
}

// TestManyOpenDeliveriesAreBackedUp has consumers whose lines are longer than a chunk.
func TestManyOpenDeliveriesAreBackedUp(t *testing.T) {
	mem, name := newMem(), t.TempDir()+"/b"
	st, err := mem.Create(t.Context(), store.Config{Name: "S"})
	must(t, err)
	_, err = st.AppendAll(t.Context(), slices.Repeat([]store.Entry{{Subject: "a"}}, 30_000))
	must(t, err)
	for i := range 3 {
		c, err := st.CreateConsumer(t.Context(), store.ConsumerConfig{Name: fmt.Sprint("c", i), MaxAckPending: -1})
		must(t, err)
		use(t, c, 10_000*(3-i))
	}
	must(t, transfer.WriteFile(t.Context(), mem, []string{"S"}, name, transfer.BackupOptions{Plain: true}))
	sameStream(t, imageOf(t, restored(t, name), "S"), imageOf(t, mem, "S"))
	b, err := os.ReadFile(name)
	must(t, err)
	if n := bytes.Count(b, []byte(`{"check":`)); n < 3 {
		t.Errorf("there are %d check lines", n)
	}
	at := bytes.Index(b, []byte(`"count":2`)) + len(`"count":`)
	b[at] = '3'
	must(t, os.WriteFile(name, b, 0o600))
	var damaged *transfer.DamagedError
	if _, err := restore(name, newMem()); !errors.As(err, &damaged) {
		t.Errorf("with another count: got %v, want a DamagedError", err)
	}
}

func TestAConsumerThatCantBeReadIsNamed(t *testing.T) {
	dir := t.TempDir()
	s, err := blockstore.OpenDir(dir+"/s", blockstore.Options{Sync: blockstore.SyncNever})
	must(t, err)
	fill(t, s, "S", 100)
	must(t, s.Close())
	files, err := filepath.Glob(dir + "/s/streams/*/consumer-*1")
	must(t, err)
	must(t, os.WriteFile(files[0], []byte("nothing"), 0o600))
	block := newBlock(t, dir+"/s")
	named := func(r transfer.Result) {
		t.Helper()
		if r.Consumers != 5 || len(r.LostConsumers) != 1 || r.LostConsumers[0].Consumer != "damaged-1" {
			t.Errorf("got %+v", r)
		}
	}
	st, err := block.Stream(t.Context(), "S")
	must(t, err)
	r, err := transfer.Copy(t.Context(), st, newMem(), "S", transfer.Options{})
	must(t, err)
	named(r)
	for range 2 { // it is compared the second time
		must(t, transfer.WriteFile(t.Context(), block, []string{"S"}, dir+"/b", transfer.BackupOptions{Done: named}))
	}
	all, err := restore(dir+"/b", newMem())
	must(t, err)
	named(all[0])
	rescued, err := transfer.Rescue(t.Context(), block, newMem(), func(string) transfer.Options { return transfer.Options{} })
	must(t, err)
	if rescued.LostConsumers() != 1 {
		t.Errorf("got %+v", rescued)
	}
}
