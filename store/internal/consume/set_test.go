package consume_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"jsfs/store"
	"jsfs/store/internal/consume"
	"jsfs/store/memstore"
)

// stream returns a stream with n messages.
func stream(t *testing.T, n int) store.Stream {
	t.Helper()
	s := memstore.New(memstore.Options{})
	t.Cleanup(func() { _ = s.Close() })
	st, err := s.Create(t.Context(), store.Config{Name: "S"})
	if err == nil {
		_, err = st.AppendAll(t.Context(), slices.Repeat([]store.Entry{{Subject: "a"}}, n))
	}
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// TestWhatIsRemovedForAConsumerIsDeliveredToIt changes a consumer, so that it begins anew, while a message is removed that is
// about to be delivered to it: with ack policy none that comes first.
func TestWhatIsRemovedForAConsumerIsDeliveredToIt(t *testing.T) {
	var s *consume.Set
	updated := make(chan error, 1)
	s = consume.NewSet(consume.Options{
		Stream: stream(t, 3), Now: func() int64 { return 1 }, Retention: func() store.Retention { return store.RetentionInterest },
		Discard: func(context.Context, []store.Range) error {
			go func() {
				updated <- s.UpdateConsumer(context.Background(), store.ConsumerConfig{Name: "c", AckPolicy: store.AckNone, DeliverPolicy: store.DeliverNew})
			}()
			select {
			case err := <-updated:
				updated <- err
			case <-time.After(50 * time.Millisecond): // it waits, as it should
			}
			return nil
		},
	}, nil)
	c, err := s.CreateConsumer(t.Context(), store.ConsumerConfig{Name: "c", AckPolicy: store.AckNone})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	d, err := c.Next(ctx, nil)
	if err != nil || d.Seq != 1 {
		t.Errorf("message 1 was removed, and message %d delivered: %v", d.Seq, err)
	}
	if err := <-updated; !errors.Is(err, store.ErrDenied) {
		t.Errorf("to begin anew behind the delivery: got %v, want ErrDenied", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestAConsumerThatCantBeReadTakesNobodysName has one whose name somebody gave to another.
func TestAConsumerThatCantBeReadTakesNobodysName(t *testing.T) {
	cfg := store.ConsumerConfig{Name: "damaged-7"}.WithDefaults()
	content, err := consume.Encode(&store.ConsumerState{Config: cfg, Created: 1})
	if err != nil {
		t.Fatal(err)
	}
	removed := []uint64{}
	s := consume.NewSet(consume.Options{
		Stream: stream(t, 0), Now: func() int64 { return 1 }, Retention: func() store.Retention { return store.RetentionLimits },
		Keeper: keeper{&removed},
	}, []consume.Stored{{ID: 7, Err: errors.New("worn out")}, {ID: 9, Content: content}})
	names, err := s.ConsumerNames(t.Context())
	if err != nil || !slices.Equal(names, []string{"damaged-7", "damaged-7-"}) {
		t.Errorf("got %q, %v", names, err)
	}
	if err := s.RemoveConsumer(t.Context(), "damaged-7"); err != nil {
		t.Error(err)
	}
	if err := s.RemoveConsumer(t.Context(), "damaged-7-"); err != nil {
		t.Error(err)
	}
	if !slices.Equal(removed, []uint64{9, 7}) {
		t.Errorf("removed %d", removed)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// keeper keeps nothing, and notes what is removed.
type keeper struct{ removed *[]uint64 }

func (k keeper) Save(uint64, []byte) error { return nil }
func (k keeper) Settle() error             { return nil }
func (k keeper) Remove(id uint64) error {
	*k.removed = append(*k.removed, id)
	return nil
}

// worn is a stream in which subjects' last messages can't be found, for some calls.
type worn struct {
	store.Stream
	calls *int
}

func (w worn) LastSeqs(ctx context.Context, patterns []string, to store.Seq, most int) ([]store.Seq, error) {
	if *w.calls--; *w.calls >= 0 {
		return nil, errors.New("worn out")
	}
	return w.Stream.LastSeqs(ctx, patterns, to, most)
}

// TestWhereAConsumerBeginsIsFoundLater opens consumers that begin with each subject's last message while the disk does not tell which
// those are: none passes over any.
func TestWhereAConsumerBeginsIsFoundLater(t *testing.T) {
	st := stream(t, 3)
	if _, err := st.Append(t.Context(), store.Entry{Subject: "b"}); err != nil {
		t.Fatal(err)
	}
	var kept []consume.Stored
	for i, name := range []string{"x", "y"} {
		cfg := store.ConsumerConfig{Name: name, DeliverPolicy: store.DeliverLastPerSubject, FilterSubject: ">"}.WithDefaults()
		content, err := consume.Encode(&store.ConsumerState{Config: cfg, Created: 1, Resume: 4})
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, consume.Stored{ID: uint64(i) + 1, Content: content}) //nolint:gosec // small
	}
	calls, discarded := 3, 0
	s := consume.NewSet(consume.Options{
		Stream: worn{st, &calls}, Now: func() int64 { return 1 }, Retention: func() store.Retention { return store.RetentionInterest },
		Discard: func(_ context.Context, ranges []store.Range) error { discarded += len(ranges); return nil },
	}, kept)
	if err := s.Begin(t.Context(), true); err == nil {
		t.Error("it is not told")
	}
	if discarded > 0 {
		t.Error("messages were dropped that may be needed")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, name := range []string{"x", "y"} {
		c, err := s.Consumer(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Next(ctx, nil); name == "x" && (err == nil || !strings.Contains(err.Error(), "worn out")) {
			t.Errorf("while the disk does not tell: got %v", err)
		} else if name == "y" && err != nil {
			t.Error(err)
		}
		for range 2 {
			d, err := c.Next(ctx, nil)
			if err != nil {
				t.Fatal(err)
			}
			if d.Seq == 4 {
				break
			}
		}
		info, err := c.Info(ctx)
		if err != nil || info.Delivered != (store.Position{Consumer: 2, Stream: 4}) {
			t.Errorf("consumer %s: delivered %+v, want messages 3 and 4; %v", name, info.Delivered, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// again makes a set of consumers of a stream in which removing fails the first time; what is removed the second time, in the background, goes to
// the function.
func again(t *testing.T, st store.Stream, removed func(s *consume.Set, ranges []store.Range)) *consume.Set {
	t.Helper()
	tries := 0
	var s *consume.Set
	s = consume.NewSet(consume.Options{
		Stream: st, Now: func() int64 { return 1 }, Retention: func() store.Retention { return store.RetentionInterest },
		Keeper: keeper{new([]uint64)},
		Discard: func(_ context.Context, ranges []store.Range) error {
			if tries++; tries == 1 {
				return store.ErrNoSpace
			}
			removed(s, ranges)
			return nil
		},
	}, nil)
	if _, err := s.CreateConsumer(t.Context(), store.ConsumerConfig{Name: "c"}); err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveConsumer(t.Context(), "c"); !errors.Is(err, store.ErrNoSpace) {
		t.Errorf("on a full disk: got %v, want %v", err, store.ErrNoSpace)
	}
	return s
}

// TestWhatGoesLaterIsNoNewConsumers makes a consumer while messages are removed in the background: it is to get none of these.
func TestWhatGoesLaterIsNoNewConsumers(t *testing.T) {
	made, done := make(chan error, 1), make(chan bool, 1)
	s := again(t, stream(t, 3), func(s *consume.Set, _ []store.Range) {
		go func() {
			_, err := s.CreateConsumer(context.Background(), store.ConsumerConfig{Name: "new"})
			made <- err
		}()
		select {
		case err := <-made:
			made <- err
			done <- false
		case <-time.After(50 * time.Millisecond): // it waits, as it should
			done <- true
		}
	})
	if !<-done {
		t.Error("a consumer was made that wants what is being removed")
	}
	if err := <-made; err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestWhatComesLaterDoesNotGo stores messages before those that could not be removed go in the background: the consumer of what is restored comes
// after the messages.
func TestWhatComesLaterDoesNotGo(t *testing.T) {
	st, gone := stream(t, 3), make(chan []store.Range, 1)
	s := again(t, st, func(_ *consume.Set, ranges []store.Range) { gone <- ranges })
	if _, err := st.RestoreAll(t.Context(), []store.Msg{{Meta: store.Meta{Seq: 4, Time: 1}, Subject: "a"}}); err != nil {
		t.Fatal(err)
	}
	if got := <-gone; !slices.Equal(got, []store.Range{{First: 1, Last: 3}}) {
		t.Errorf("removed %v, want messages 1 to 3", got)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
