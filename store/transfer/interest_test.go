package transfer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
	"jsfs/store/transfer"
)

// failing is a store whose streams take only so many consumers.
type failing struct {
	store.Store
	room *int
}

func (s failing) Stream(ctx context.Context, name string) (store.Stream, error) {
	st, err := s.Store.Stream(ctx, name)
	return failingStream{st, s.room}, err
}

func (s failing) Create(ctx context.Context, cfg store.Config) (store.Stream, error) {
	st, err := s.Store.Create(ctx, cfg)
	return failingStream{st, s.room}, err
}

func (s failing) Adopt(ctx context.Context, cfg store.Config) error {
	if *s.room == 0 {
		return errKilled
	}
	return s.Store.(store.Adopter).Adopt(ctx, cfg)
}

type failingStream struct {
	store.Stream
	room *int
}

var errKilled = errors.New("killed")

func (s failingStream) RestoreConsumer(ctx context.Context, c store.ConsumerState) (store.Consumer, error) {
	if *s.room == 0 {
		return nil, errKilled
	}
	*s.room--
	return s.Stream.RestoreConsumer(ctx, c)
}

// interested makes a stream with interest retention, a consumer for each subject, and some messages that are acknowledged.
func interested(t *testing.T, s store.Store) store.Stream {
	t.Helper()
	st, err := s.Create(t.Context(), store.Config{Name: "S", Retention: store.RetentionInterest})
	must(t, err)
	for _, name := range []string{"a", "b", "c"} {
		_, err := st.CreateConsumer(t.Context(), store.ConsumerConfig{Name: name, FilterSubject: name})
		must(t, err)
	}
	for i := range 90 {
		_, err := st.Append(t.Context(), store.Entry{Subject: string(rune('a' + i%3)), Data: fmt.Appendln(nil, i)})
		must(t, err)
	}
	use(t, consumer(t, s, "S", "a"), 9)
	return st
}

// TestAKilledCopyKeepsWhatLaterConsumersWant kills copies of a stream with interest retention between any two of its consumers, and
// copies of a copy that was made before there were some of them. The stream was not closed then, and whoever opens it drops what no consumer wants.
func TestAKilledCopyKeepsWhatLaterConsumersWant(t *testing.T) {
	mem, disk := newMem(), vfs.NewMem()
	st := interested(t, mem)
	grow := func(name string) {
		_, err := st.CreateConsumer(t.Context(), store.ConsumerConfig{Name: name, FilterSubject: name})
		must(t, err)
		_, err = st.Append(t.Context(), store.Entry{Subject: name})
		must(t, err)
	}
	// copied copies the stream. With room for too few consumers the copy is killed.
	copied := func(room int) error {
		to, err := blockstore.Open(disk, blockstore.Options{Sync: blockstore.SyncNever})
		must(t, err)
		_, failed := transfer.Copy(t.Context(), st, failing{to, &room}, "S", transfer.Options{Verify: true})
		next := disk.Kill()
		if failed == nil {
			sameStream(t, imageOf(t, to, "S"), imageOf(t, mem, "S"))
		}
		must(t, to.Close())
		if failed != nil {
			disk = next
		}
		return failed
	}
	for round := range 3 {
		for room := range 4 {
			if err := copied(room); !errors.Is(err, errKilled) {
				t.Fatalf("round %d: with room for %d consumers: got %v", round, room, err)
			}
			if room%2 == 0 {
				grow(fmt.Sprintf("later-%d-%d", round, room))
			}
		}
		must(t, copied(99))
		must(t, copied(99))
		for i := range 4 {
			grow(fmt.Sprintf("more-%d-%d", round, i))
		}
	}
}

// TestACopyKeepsWhatALostConsumerWanted demands that messages stay that may be wanted by a consumer that can't be read alone.
func TestACopyKeepsWhatALostConsumerWanted(t *testing.T) {
	dir := t.TempDir()
	s, err := blockstore.OpenDir(dir+"/s", blockstore.Options{Sync: blockstore.SyncNever})
	must(t, err)
	interested(t, s)
	must(t, s.Close())
	files, err := filepath.Glob(dir + "/s/streams/*/consumer-*2")
	must(t, err)
	must(t, os.WriteFile(files[0], []byte("nothing"), 0o600))
	block := newBlock(t, dir+"/s")
	want := imageOfMessages(t, block)
	for range 2 {
		to, err := blockstore.OpenDir(dir+"/copy", blockstore.Options{Sync: blockstore.SyncNever})
		must(t, err)
		r, err := transfer.Rescue(t.Context(), block, to, func(string) transfer.Options { return transfer.Options{} })
		must(t, err)
		if one := r.Streams[0]; !one.KeepsAll || len(one.LostConsumers) != 1 || one.Consumers != 2 {
			t.Errorf("got %+v", one)
		}
		st, err := to.Stream(t.Context(), "S")
		must(t, err)
		if got := imageOfMessages(t, to); got != want || st.Config().Retention != store.RetentionLimits {
			t.Errorf("the copy has %d messages and the retention %q, want %d and limits", got, st.Config().Retention, want)
		}
		must(t, to.Close())
	}
	copied := newBlock(t, dir+"/copy")
	st, err := copied.Stream(t.Context(), "S")
	must(t, err)
	_, err = st.CreateConsumer(t.Context(), store.ConsumerConfig{Name: "b", FilterSubject: "b"})
	must(t, err)
	must(t, copied.Update(t.Context(), store.Config{Name: "S", Retention: store.RetentionInterest}))
	if got := imageOfMessages(t, copied); got != want {
		t.Errorf("with the lost consumer made anew the copy has %d messages, want %d", got, want)
	}
}

func imageOfMessages(t *testing.T, s store.Store) int64 {
	t.Helper()
	st, err := s.Stream(t.Context(), "S")
	must(t, err)
	state, err := st.State(t.Context())
	must(t, err)
	return state.Live.Messages
}
