package logview_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"strings"
	"testing"

	"jsfs/fusefs/logview"
	"jsfs/store"
)

// counting is a source that counts what is asked of it.
type counting struct {
	logview.Source
	scanned, loaded int
}

func (c *counting) Scan(ctx context.Context, q store.Query) iter.Seq2[store.Meta, error] {
	return func(yield func(store.Meta, error) bool) {
		for m, err := range c.Source.Scan(ctx, q) {
			if c.scanned++; !yield(m, err) {
				return
			}
		}
	}
}

func (c *counting) Load(ctx context.Context, seq store.Seq, buf []byte) (store.Msg, error) {
	c.loaded++
	return c.Source.Load(ctx, seq, buf)
}

func (c *counting) LoadRun(ctx context.Context, seq store.Seq, buf []byte) iter.Seq2[store.Msg, error] {
	return runOf(ctx, c.Load, seq, buf)
}

func (c *counting) Next(ctx context.Context, q store.Query, buf []byte) (store.Msg, error) {
	c.loaded++
	return c.Source.Next(ctx, q, buf)
}

// numbered fills a stream with n messages of 20 bytes, by turns on a, b and c, and returns what the log of q is.
func numbered(t testing.TB, s store.Stream, q store.Query, n int) string {
	t.Helper()
	var all strings.Builder
	es := make([]store.Entry, 0, n)
	for i := range n {
		subject := string("abc"[i%3])
		text := fmt.Sprintf("%019d\n", i)
		if q.Subject == "" || q.Matches(subject) {
			all.WriteString(text)
		}
		es = append(es, store.Entry{Subject: subject, Data: []byte(text)})
	}
	if _, err := s.AppendAll(t.Context(), es); err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// orders are ways to read a log in n chunks.
var orders = map[string]func(n int) []int{
	"backwards": func(n int) []int {
		out := make([]int, n)
		for i := range out {
			out[i] = n - 1 - i
		}
		return out
	},
	"two readers by turns": func(n int) []int {
		var out []int
		for i := range n / 2 {
			out = append(out, i, n/2+i)
		}
		return append(out, n-1)
	},
	"each pair the other way round": func(n int) []int {
		var out []int
		for i := 0; i+1 < n; i += 2 {
			out = append(out, i+1, i)
		}
		return append(out, n-1)
	},
}

// However a log is read, each message is looked at a few times, and not for each read.
func TestReadingInAnyOrderCostsLittleMoreThanInOrder(t *testing.T) {
	const chunk = 2000
	for _, q := range []store.Query{{}, {Subject: "a"}, {Subject: "*", From: 2}} {
		for name, order := range orders {
			t.Run(fmt.Sprintf("%s of %+v", name, q), func(t *testing.T) {
				onEveryEngine(t, func(t *testing.T, newStream func(testing.TB) store.Stream) {
					s := newStream(t)
					want := numbered(t, s, q, 12_000)
					if q.From > 1 {
						want = want[20:]
					}
					src := &counting{Source: s}
					l := logview.New(src, q, logview.Payloads)
					h := open(t, l)
					src.scanned = 0
					for _, i := range order((len(want) + chunk - 1) / chunk) {
						readChunk(t, h, want, i*chunk, chunk)
					}
					if messages := len(want) / 20; src.scanned > 4*messages || src.loaded > 4*messages {
						t.Errorf("%d messages were scanned %d times and loaded %d times", messages, src.scanned, src.loaded)
					}
				})
			})
		}
	}
}

// A read at random looks at the messages around it, however many there are.
func TestReadingAtRandomIsBounded(t *testing.T) {
	const chunk, reads = 500, 200
	onEveryEngine(t, func(t *testing.T, newStream func(testing.TB) store.Stream) {
		s := newStream(t)
		want := numbered(t, s, store.Query{Subject: "a"}, 60_000)
		src := &counting{Source: s}
		h := open(t, logview.New(src, store.Query{Subject: "a"}, logview.Payloads))
		src.scanned = 0
		rng := rand.New(rand.NewPCG(3, 4))
		for range reads {
			readChunk(t, h, want, rng.IntN(len(want)), chunk)
		}
		if most := reads * 2 * 1024; src.scanned > most || src.loaded > reads*300 {
			t.Errorf("%d reads scanned %d messages and loaded %d; want at most %d and %d", reads, src.scanned, src.loaded, most, reads*300)
		}
	})
}

func readChunk(t *testing.T, h *logview.Handle, want string, off, n int) {
	t.Helper()
	p := make([]byte, n)
	k, err := h.ReadAt(t.Context(), p, int64(off))
	if err != nil && err != io.EOF {
		t.Fatal(err)
	}
	if want := want[off:min(off+n, len(want))]; string(p[:k]) != want {
		t.Fatalf("at %d: got %d bytes, %.40q, want %d, %.40q", off, k, p[:k], len(want), want)
	}
}

// Who asks for the size, opens and closes the log of a part again and again has it scanned once, and again if something was removed.
func TestAPartIsScannedOnceAsLongAsNothingIsRemoved(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, newStream func(testing.TB) store.Stream) {
		s := newStream(t)
		want := int64(len(numbered(t, s, store.Query{Subject: "a"}, 3000)))
		src := &counting{Source: s}
		l := logview.New(src, store.Query{Subject: "a"}, logview.Payloads)
		look := func(scanned int) {
			t.Helper()
			src.scanned = 0
			for range 3 {
				if size, err := l.Size(t.Context()); size != want || err != nil {
					t.Errorf("the size is %d, %v, want %d", size, err, want)
				}
				h, err := l.Open(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				h.Close()
			}
			if src.scanned != scanned {
				t.Errorf("%d messages were scanned, want %d", src.scanned, scanned)
			}
		}
		look(1000)
		want += int64(len(numbered(t, s, store.Query{Subject: "a"}, 30)))
		look(10)
		if _, err := s.Remove(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		want -= 20
		look(1009)
	})
}

// Who waits for another one's scan of a part can be interrupted.
func TestWhoWaitsForAScanCanBeInterrupted(t *testing.T) {
	s := newMemStream(t)
	numbered(t, s, store.Query{}, 3)
	src := &stuck{Source: s, began: make(chan struct{}), goOn: make(chan struct{})}
	l := logview.New(src, store.Query{Subject: "a"}, logview.Payloads)
	first := make(chan error)
	go func() {
		_, err := l.Size(t.Context())
		first <- err
	}()
	<-src.began
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Size(ctx); err != context.Canceled {
		t.Errorf("got %v, want that it was cancelled", err)
	}
	if _, err := l.Open(ctx); err != context.Canceled {
		t.Errorf("got %v, want that it was cancelled", err)
	}
	close(src.goOn)
	if err := <-first; err != nil {
		t.Error(err)
	}
}

// stuck is a source whose first scan waits.
type stuck struct {
	logview.Source
	began, goOn chan struct{}
}

func (s *stuck) Scan(ctx context.Context, q store.Query) iter.Seq2[store.Meta, error] {
	close(s.began)
	<-s.goOn
	return s.Source.Scan(ctx, q)
}
