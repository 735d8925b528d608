package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"jsfs/store"
)

var concurrentCases = []testCase{
	{name: "no read of a live message fails while others write and remove", run: func(b *bench) { newTraffic(b, 600).run() }},
	{name: "what is never removed is found while the rest comes and goes", run: func(b *bench) { runCrowd(b, 900) }},
	{name: "the only message on a subject is found while it is replaced", run: func(b *bench) { runReplaced(b, 1500) }},
	{name: "many writers get numbers of their own", run: func(b *bench) {
		st := b.create("S")
		var mu sync.Mutex
		owner := map[store.Seq]string{}
		var wg sync.WaitGroup
		for w := range 16 {
			wg.Go(func() {
				for i := range 40 {
					data := fmt.Sprintf("writer %d message %d", w, i)
					seq, err := st.Append(b.ctx, store.Entry{Subject: "x", Data: []byte(data)})
					if err != nil {
						b.Error(err)
						return
					}
					mu.Lock()
					if owner[seq] != "" {
						b.Errorf("sequence %d was given to %q and %q", seq, owner[seq], data)
					}
					owner[seq] = data
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if s := b.check(st); s.Last != 640 {
			b.Errorf("got last %d, want 640", s.Last)
		}
		for seq, data := range owner {
			b.wantData(st, seq, data)
		}
	}},
	{name: "streams and drafts come and go in parallel", run: func(b *bench) {
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				name := fmt.Sprintf("S%d", w)
				for range 5 {
					if err := lifeOfAStream(b, name); err != nil {
						b.Errorf("%s: %v", name, err)
					}
				}
			})
		}
		wg.Wait()
	}},
	{name: "Close waits for who is writing", run: func(b *bench) {
		st := b.create("S")
		var acked atomic.Int64
		var wg sync.WaitGroup
		started := make(chan struct{}, 64)
		for range 4 {
			wg.Go(func() {
				for {
					_, err := st.Append(b.ctx, store.Entry{Subject: "x"})
					if err != nil {
						b.wantErr(err, store.ErrClosed)
						return
					}
					acked.Add(1)
					select {
					case started <- struct{}{}:
					default:
					}
				}
			})
		}
		<-started
		<-started
		b.must(b.s.Close())
		wg.Wait()
		if b.engine.Durable {
			b.s = b.engine.Open(b.T, b.dir)
			if s := b.check(b.open("S")); s.Live.Messages != acked.Load() {
				b.Errorf("got %d messages, %d were acknowledged", s.Live.Messages, acked.Load())
			}
		}
	}},
}

// lifeOfAStream creates a stream, uses it and removes it.
func lifeOfAStream(b *bench, name string) error {
	st, err := b.s.Create(b.ctx, store.Config{Name: name})
	if err != nil {
		return err
	}
	if _, err := st.Append(b.ctx, store.Entry{Subject: "x"}); err != nil {
		return err
	}
	d, err := st.CreateDraft(b.ctx, ".d")
	if err != nil {
		return err
	}
	_, werr := d.WriteAt([]byte("draft"), 0)
	_, lerr := st.ListDrafts(b.ctx)
	_, rerr := st.Remove(b.ctx, 1)
	_, serr := b.s.Streams(b.ctx)
	return errors.Join(werr, lerr, rerr, serr, d.Close(), st.RemoveDraft(b.ctx, ".d"), b.s.Remove(b.ctx, name))
}

// traffic has writers, removers and readers on one stream. Every third message is
// removed; the others are never touched, so whoever reads them must succeed.
type traffic struct {
	*bench
	st    store.Stream
	total int64
	done  atomic.Bool
	mine  sync.Map // Seq to payload, of acknowledged messages
}

func newTraffic(b *bench, total int64) *traffic {
	return &traffic{bench: b, st: b.create("S"), total: total}
}

func (t *traffic) run() {
	var writers, others sync.WaitGroup
	removals := make(chan store.Seq, t.total)
	var left atomic.Int64
	left.Store(t.total)
	for w := range 4 {
		writers.Go(func() { t.write(w, &left, removals) })
	}
	for r := range 2 {
		others.Go(func() { t.read(rand.New(rand.NewPCG(1, uint64(r)))) }) //nolint:gosec // which messages are read is no secret
		others.Go(t.scanAll)
		others.Go(func() { t.remove(removals) })
	}
	writers.Wait()
	close(removals)
	t.done.Store(true)
	others.Wait()
	t.mine.Range(func(seq, data any) bool {
		if seq.(store.Seq)%3 != 0 {
			t.wantData(t.st, seq.(store.Seq), data.(string))
		}
		return true
	})
}

func (t *traffic) write(w int, left *atomic.Int64, removals chan<- store.Seq) {
	for left.Add(-1) >= 0 {
		data := fmt.Sprintf("writer %d, %d to go, %0*d", w, left.Load(), rand.IntN(300), 0) //nolint:gosec // a length
		seq, err := t.st.Append(t.ctx, store.Entry{Subject: "x", Data: []byte(data)})
		if err != nil {
			t.Errorf("append: %v", err)
			return
		}
		t.mine.Store(seq, data)
		if seq%3 == 0 {
			removals <- seq
		}
	}
}

func (t *traffic) remove(removals <-chan store.Seq) {
	for seq := range removals {
		if live, err := t.st.Remove(t.ctx, seq); err != nil || !live {
			t.Errorf("remove %d: %v, %v", seq, live, err)
		}
		if _, err := t.st.Load(t.ctx, seq, nil); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("load of %d, which was removed: %v", seq, err)
		}
	}
}

// read loads messages at random, and checks what it gets.
func (t *traffic) read(rng *rand.Rand) {
	var buf []byte
	for !t.done.Load() {
		state, err := t.st.State(t.ctx)
		if err != nil {
			t.Errorf("state: %v", err)
			return
		}
		if state.Last == 0 {
			continue
		}
		seq := store.Seq(rng.Uint64N(uint64(state.Last))) + 1
		m, err := t.st.Load(t.ctx, seq, buf)
		switch {
		case err == nil:
			if want, ok := t.mine.Load(seq); ok && want != string(m.Data) {
				t.Errorf("message %d: got %q, want %q", seq, m.Data, want)
			}
			buf = m.Data[:0]
		case seq%3 != 0 || !errors.Is(err, store.ErrNotFound):
			t.Errorf("load of %d, which is live: %v", seq, err)
		}
		if _, err := t.st.LoadLast(t.ctx, "x", nil); err != nil {
			t.Errorf("load last: %v", err)
		}
	}
}

// scanAll walks the stream over and over. What is never removed must be met, up to where
// the stream ended when the walk began.
func (t *traffic) scanAll() {
	for !t.done.Load() {
		state, err := t.st.State(t.ctx)
		if err != nil {
			t.Errorf("state: %v", err)
			return
		}
		met := store.Seq(0)
		for m, err := range t.st.Scan(t.ctx, store.Query{To: state.Last}) {
			if err != nil {
				t.Errorf("scan: %v", err)
				return
			}
			for seq := met + 1; seq < m.Seq; seq++ {
				if seq%3 != 0 {
					t.Errorf("the scan passed %d over", seq)
				}
			}
			met = m.Seq
		}
		if met < state.Last && state.Last%3 != 0 {
			t.Errorf("the scan ended at %d, want %d", met, state.Last)
		}
		if _, _, err := t.st.Extents(t.ctx); err != nil {
			t.Errorf("extents: %v", err)
		}
	}
}

// replaced has subjects that always have a message, the newest one.
type replaced struct {
	*bench
	st    store.Stream
	names []string
}

// runReplaced replaces messages so often, while others look for them.
func runReplaced(b *bench, total int) {
	r := &replaced{b, b.createWith(store.Config{Name: "S", MaxMsgsPerSubject: 1}), []string{"k.0", "k.1", "k.2", "k.3"}}
	for _, name := range r.names {
		b.append(r.st, name, "first")
	}
	var done atomic.Bool
	var wg sync.WaitGroup
	for _, look := range []func(name string) error{r.last, r.find, r.count, r.list} {
		wg.Go(func() {
			for i := 0; !done.Load() && !b.Failed(); i++ {
				if err := look(r.names[i%len(r.names)]); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for i := range total {
		b.append(r.st, r.names[i%7%len(r.names)], fmt.Sprint("message ", i))
	}
	done.Store(true)
	wg.Wait()
}

func (r *replaced) last(name string) error {
	_, err := r.st.LoadLast(r.ctx, name, nil)
	_, err2 := r.st.LoadLast(r.ctx, "k.*", nil)
	return errors.Join(err, err2)
}

func (r *replaced) find(name string) error {
	_, err := r.st.Next(r.ctx, store.Query{Subject: name}, nil)
	_, err2 := r.st.Prev(r.ctx, store.QueryOf([]string{"k.>", "x"}), nil)
	_, err3 := r.st.Next(r.ctx, store.QueryOf([]string{"k.>", "x"}), nil)
	return errors.Join(err, err2, err3)
}

func (r *replaced) count(name string) error {
	n, err := r.st.Count(r.ctx, store.Query{Subject: name})
	if err != nil || n.Messages == 0 {
		return fmt.Errorf("count of %s: got %+v, %w", name, n, err)
	}
	return nil
}

// list walks all subjects, and looks for the last message of each. That one may be gone, but it was there.
func (r *replaced) list(string) error {
	seqs, err := r.st.LastSeqs(r.ctx, []string{"k.*"}, 0, 0)
	if err != nil || len(seqs) != len(r.names) {
		return fmt.Errorf("the last ones are %d, %w", seqs, err)
	}
	for _, seq := range seqs {
		if _, err := r.st.Stat(r.ctx, seq); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	n := 0
	for c, err := range r.st.Subjects(r.ctx, "", "") {
		if err != nil || c.Messages == 0 || c.First > c.Last {
			return fmt.Errorf("subject %+v, %w", c, err)
		}
		n++
	}
	if n != len(r.names) {
		return fmt.Errorf("%d subjects, want %d", n, len(r.names))
	}
	return nil
}
