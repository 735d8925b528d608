package gather

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/jsonl"
	"jsfs/store/memstore"
)

// bench is a stream to which messages are restored.
type bench struct {
	*testing.T
	store.Stream
	r *Restores

	mu       sync.Mutex
	reported []error
}

func newBench(t *testing.T, s store.Stream, opt Options) *bench {
	b := &bench{T: t, Stream: s}
	opt.Report = func(err error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.reported = append(b.reported, err)
	}
	b.r = New(s, opt)
	t.Cleanup(func() { b.r.End(context.Background()) })
	return b
}

// newStream makes a stream in memory.
func newStream(t *testing.T) store.Stream {
	t.Helper()
	return streamIn(t, memstore.New(memstore.Options{}))
}

func streamIn(t *testing.T, st store.Store) store.Stream {
	t.Helper()
	t.Cleanup(func() { _ = st.Close() })
	s, err := st.Create(t.Context(), store.Config{Name: "S"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// maker is the test itself: a process that is there all the time.
func maker() int { return os.Getpid() }

func message(seq store.Seq) store.Msg {
	m := store.Msg{Subject: fmt.Sprint("a.", seq%3), Data: []byte(strings.Repeat(fmt.Sprint(seq, "\n"), int(seq%40)))}
	m.Seq, m.Time = seq, 1_000_000*int64(seq)
	if seq%4 == 0 {
		m.Header = []byte("NATS/1.0\r\nA: \xff\r\n\r\n")
	}
	return m
}

func (b *bench) restore(seqs ...store.Seq) {
	b.Helper()
	for _, seq := range seqs {
		if err := b.r.Restore(b.Context(), message(seq), maker()); err != nil {
			b.Fatalf("restore %d: %v", seq, err)
		}
	}
}

// lines are all messages of the stream.
func (b *bench) lines() string {
	b.Helper()
	var out []byte
	for meta, err := range b.Scan(b.Context(), store.Query{}) {
		if err != nil {
			b.Fatal(err)
		}
		m, err := b.Load(b.Context(), meta.Seq, nil)
		if err != nil {
			b.Fatal(err)
		}
		out = jsonl.Append(out, m)
	}
	return string(out)
}

// want compares the stream with messages in order, and says that no draft is left but these.
func (b *bench) want(seqs []store.Seq, drafts ...string) {
	b.Helper()
	var want []byte
	for _, seq := range seqs {
		want = jsonl.Append(want, message(seq))
	}
	if got := b.lines(); got != string(want) {
		b.Errorf("the stream has\n%swant\n%s", got, want)
	}
	list, err := b.ListDrafts(b.Context())
	var names []string
	for _, d := range list {
		names = append(names, d.Name)
	}
	if err != nil || !slices.Equal(names, drafts) {
		b.Errorf("drafts: got %q, %v, want %q", names, err, drafts)
	}
}

func (b *bench) settle() {
	b.Helper()
	if err := b.r.Settle(b.Context()); err != nil {
		b.Error(err)
	}
}

// kill forgets what is in memory.
func (b *bench) kill() {
	b.r.mu.Lock()
	defer b.r.mu.Unlock()
	b.r.endLocked()
}

func TestAnyOrderMakesTheSameStream(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) store.Store{
		"memory": func(*testing.T) store.Store { return memstore.New(memstore.Options{}) },
		"blocks": func(t *testing.T) store.Store {
			t.Helper()
			st, err := blockstore.OpenDir(t.TempDir(), blockstore.Options{Sync: blockstore.SyncNever})
			if err != nil {
				t.Fatal(err)
			}
			return st
		},
	} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the order is no secret
			for range 20 {
				b := newBench(t, streamIn(t, open(t)), Options{Durable: rng.IntN(4) == 0})
				var seqs []store.Seq
				for seq := range store.Seq(100) {
					if rng.IntN(3) > 0 {
						seqs = append(seqs, seq+1)
					}
				}
				shuffled := slices.Clone(seqs)
				rng.Shuffle(len(seqs), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
				b.restore(shuffled...)
				b.settle()
				b.want(seqs)
			}
		})
	}
}

func TestWhatComesInOrderIsNotHeld(t *testing.T) {
	b := newBench(t, newStream(t), Options{})
	b.restore(1, 2, 3)
	b.want([]store.Seq{1, 2, 3})
	b.restore(5)
	b.want([]store.Seq{1, 2, 3}, Draft)
	b.restore(4) // it is next, but comes behind one that is held
	b.want([]store.Seq{1, 2, 3}, Draft)
	b.settle()
	b.want([]store.Seq{1, 2, 3, 4, 5})
}

func TestASequenceIsTakenOnce(t *testing.T) {
	b := newBench(t, newStream(t), Options{})
	b.restore(1, 5)
	for _, seq := range []store.Seq{1, 5} {
		if err := b.r.Restore(t.Context(), message(seq), maker()); !errors.Is(err, store.ErrExists) {
			t.Errorf("%d again: %v", seq, err)
		}
	}
	for seq := range store.Seq(6) {
		m, ok := b.r.Held(seq)
		if held := b.r.Holds(seq); held != (seq == 5) || held != ok {
			t.Errorf("message %d: held %v, %v", seq, held, ok)
		}
		if ok && (m.Seq != seq || m.Time != message(seq).Time || m.Size != int64(len(message(seq).Data))) {
			t.Errorf("message %d: got %+v", seq, m)
		}
	}
}

func TestNothingIsHeldForWhoIsNotKnown(t *testing.T) {
	b := newBench(t, newStream(t), Options{})
	const nobody = 1 << 30 // above what a process's number can be
	for seq, pid := range map[store.Seq]int{5: 0, 7: nobody} {
		err := b.r.Restore(t.Context(), message(seq), pid)
		if err != nil && !errors.Is(err, store.ErrExists) { // where 7 came first
			t.Fatal(err)
		}
	}
	if _, err := b.OpenDraft(t.Context(), Draft); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("there is a draft: %v", err)
	}
	if st, err := b.State(t.Context()); err != nil || st.Last != 7 {
		t.Errorf("got last %d, %v, want 7", st.Last, err)
	}
}

// other starts a process, and returns what ends it.
func other(t *testing.T) (pid int, end func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "cat")
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	end = sync.OnceFunc(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	t.Cleanup(end)
	return cmd.Process.Pid, end
}

func TestWhatIsHeldIsStoredWhenItsMakersHaveExited(t *testing.T) {
	b := newBench(t, newStream(t), Options{})
	p, endP := other(t)
	q, endQ := other(t)
	for seq, pid := range map[store.Seq]int{9: p, 3: q, 7: p} {
		if err := b.r.Restore(t.Context(), message(seq), pid); err != nil {
			t.Fatal(err)
		}
	}
	b.r.SettleFor(maker) // who looks is none of them
	b.r.SettleIfOver()
	b.want(nil, Draft)
	endP()
	b.r.SettleIfOver()
	b.want(nil, Draft)
	endQ()
	b.r.SettleIfOver()
	b.want([]store.Seq{3, 7, 9})
}

func TestNobodyNeedsToLook(t *testing.T) {
	b := newBench(t, newStream(t), Options{Busy: func() bool { return true }}) // else it would be stored after a while anyway
	sub := b.Watch()
	defer sub.Close()
	p, end := other(t)
	if err := b.r.Restore(t.Context(), message(4), p); err != nil {
		t.Fatal(err)
	}
	end()
	select {
	case <-sub.C():
	case <-time.After(time.Minute):
		t.Fatal("it was not stored")
	}
	b.settle() // it waits for the one that is under way
	b.want([]store.Seq{4})
}

func TestAMakerSeesWhatItMade(t *testing.T) {
	b := newBench(t, newStream(t), Options{})
	b.restore(4)
	b.r.SettleFor(maker)
	b.want([]store.Seq{4})
}

func TestWhatIsHeldSurvives(t *testing.T) {
	s := newStream(t)
	b := newBench(t, s, Options{})
	b.restore(9, 3, 7)
	b.kill()
	killed := newBench(t, s, Options{})
	if err := killed.r.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	killed.want([]store.Seq{3, 7, 9})
}

// A process that is killed while it stores messages has stored some of them.
func TestStoringGoesOn(t *testing.T) {
	s := newStream(t)
	b := newBench(t, s, Options{})
	b.restore(9, 3, 7)
	if _, err := s.RestoreAll(t.Context(), []store.Msg{message(3), message(7)}); err != nil {
		t.Fatal(err)
	}
	b.kill()
	again := newBench(t, s, Options{})
	if err := again.r.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	again.want([]store.Seq{3, 7, 9})
	if len(again.reported) > 0 {
		t.Error(again.reported)
	}
}

func TestWhatHasNoPlaceStaysInADraft(t *testing.T) {
	s := newStream(t)
	b := newBench(t, s, Options{})
	b.restore(9, 3, 7)
	m := message(7)
	m.Data = []byte("something else")
	if err := s.Restore(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	b.settle()
	if got, err := b.Load(t.Context(), 9, nil); err != nil || string(got.Data) != string(message(9).Data) {
		t.Errorf("message 9: %q, %v", got.Data, err)
	}
	want := jsonl.Append(jsonl.Append(jsonl.Append(nil, message(9)), message(3)), message(7))
	if got := b.draft(".refused.1"); got != string(want) {
		t.Errorf("the draft has %q, want %q", got, want)
	}
	if err := errors.Join(b.reported...); err == nil || !strings.Contains(err.Error(), ".refused.1") || !strings.Contains(err.Error(), "message 7") {
		t.Errorf("reported: %v", err)
	}
	if _, err := b.OpenDraft(t.Context(), Draft); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
}

func (b *bench) draft(name string) string {
	b.Helper()
	d, err := b.OpenDraft(b.Context(), name)
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	data, err := io.ReadAll(io.NewSectionReader(d, 0, 1<<30))
	if err != nil {
		b.Error(err)
	}
	return string(data)
}

// Who takes sequences in another way does so before a message is held, or when it is stored.
func TestNothingIsHeldWhileSequencesAreTaken(t *testing.T) {
	b := newBench(t, newStream(t), Options{})
	restored := make(chan error, 1)
	err := b.r.Settled(t.Context(), func() error {
		go func() { restored <- b.r.Restore(t.Context(), message(9), maker()) }()
		for range 100 {
			if b.r.Holds(9) {
				t.Error("it is held meanwhile")
			}
			time.Sleep(100 * time.Microsecond)
		}
		_, err := b.Append(t.Context(), store.Entry{Subject: "x"})
		return err
	})
	if err = errors.Join(err, <-restored); err != nil {
		t.Fatal(err)
	}
	if !b.r.Holds(9) {
		t.Error("it is not held afterwards")
	}
	err = b.r.Settled(t.Context(), func() error {
		seq, err := b.Append(t.Context(), store.Entry{Subject: "x"})
		if seq != 10 {
			t.Errorf("got sequence %d, want 10", seq)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestIdleMakers(t *testing.T) {
	b := newBench(t, newStream(t), Options{})
	b.restore(4)
	b.r.mu.Lock()
	b.r.latest = time.Now().Add(-2 * Idle)
	b.r.mu.Unlock()
	b.r.look()
	b.want([]store.Seq{4})

	busy := newBench(t, newStream(t), Options{Busy: func() bool { return true }})
	busy.restore(4)
	busy.r.mu.Lock()
	busy.r.latest = time.Now().Add(-2 * Idle)
	busy.r.mu.Unlock()
	busy.r.look()
	busy.want(nil, Draft)
}
