package logview_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"jsfs/fusefs/logview"
	"jsfs/store"
)

func tail(t testing.TB, s store.Stream, q store.Query, f logview.Framing, b *logview.Bell) *logview.Tail {
	t.Helper()
	l, err := logview.NewTail(t.Context(), s, q, f, b)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestATailGivesWhatIsStoredFromNowOn(t *testing.T) {
	for _, c := range []struct {
		name string
		q    store.Query
		want string // of the numbers from 3 on, the even ones on subject a.x, the others on b
	}{
		{"all", store.Query{}, "3\n4\n5\n6\n7\n8\n"},
		{"a pattern", store.Query{Subject: "a.>"}, "4\n6\n8\n"},
		{"a range that begins later", store.Query{From: 6}, "6\n7\n8\n"},
		{"a range that ends", store.Query{To: 5}, "3\n4\n5\n"},
		{"a range that has ended", store.Query{To: 2}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newMemStream(t)
			number := func(n int) {
				t.Helper()
				subject := []string{"a.x", "b"}[n%2]
				if _, err := s.Append(t.Context(), store.Entry{Subject: subject, Data: fmt.Append(nil, n)}); err != nil {
					t.Fatal(err)
				}
			}
			number(1)
			number(2)
			b := logview.NewBell(s)
			l := tail(t, s, c.q, logview.Payloads, b)
			defer l.Close()
			for n := 3; n <= 8; n++ {
				number(n)
			}
			b.End()
			var got []byte
			for p := make([]byte, 3); ; {
				n, err := l.Read(t.Context(), p)
				got = append(got, p[:n]...)
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if string(got) != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestATailWaits(t *testing.T) {
	ends := map[string]func(cancel func(), l *logview.Tail, b *logview.Bell) error{
		"until it is interrupted": func(cancel func(), _ *logview.Tail, _ *logview.Bell) error { cancel(); return context.Canceled },
		"until it is closed":      func(_ func(), l *logview.Tail, _ *logview.Bell) error { go l.Close(); return io.EOF },
		"until all is over":       func(_ func(), _ *logview.Tail, b *logview.Bell) error { b.End(); b.End(); return io.EOF },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			s := newMemStream(t)
			synctest.Test(t, func(t *testing.T) {
				b := logview.NewBell(s)
				l := tail(t, s, store.Query{}, logview.Payloads, b)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				errs := make(chan error)
				for range 2 { // the second waits for the first one
					go func() {
						_, err := l.Read(ctx, make([]byte, 10))
						errs <- err
					}()
				}
				synctest.Wait()
				select {
				case err := <-errs:
					t.Fatalf("a read does not wait: %v", err)
				default:
				}
				want := end(cancel, l, b)
				for range 2 {
					if err := <-errs; !errors.Is(err, want) {
						t.Errorf("got %v, want %v", err, want)
					}
				}
				if name != "until it is closed" {
					l.Close()
				}
			})
		})
	}
}

func TestATailOfAStreamThatIsRemovedEnds(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			st := e.open(t)
			defer func() { _ = st.Close() }()
			s, err := st.Create(t.Context(), store.Config{Name: "S"})
			if err != nil {
				t.Fatal(err)
			}
			b := logview.NewBell(s)
			l := tail(t, s, store.Query{}, logview.Payloads, b)
			defer l.Close()
			if err := st.Remove(t.Context(), "S"); err != nil {
				t.Fatal(err)
			}
			if n, err := l.Read(t.Context(), make([]byte, 10)); n != 0 || !errors.Is(err, io.EOF) {
				t.Errorf("got %d, %v, want the end", n, err)
			}
		})
	}
}

func TestATailTellsOfDamageOnce(t *testing.T) {
	s := newMemStream(t)
	d := &damaged{s, set(2, 4), nil}
	b := logview.NewBell(s)
	l, err := logview.NewTail(t.Context(), d, store.Query{}, logview.Payloads, b)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	appendLines(t, s, "a", "b", "c", "d")
	b.End()
	var got strings.Builder
	for p := make([]byte, 100); ; {
		n, err := l.Read(t.Context(), p)
		got.Write(p[:n])
		var damage *store.CorruptError
		if errors.As(err, &damage) {
			got.WriteByte('!')
			continue
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if got.String() != "a\n!c\n!" {
		t.Errorf("got %q, want a, damage, c, damage", got.String())
	}
}

// TestManyTails has a hundred tails read what several writers store, each all of it, in order.
func TestManyTails(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, newStream func(testing.TB) store.Stream) {
		const tails, writers, each = 100, 4, 50
		s := newStream(t)
		b := logview.NewBell(s)
		ctx := t.Context()
		var wg sync.WaitGroup
		texts := make([]string, tails)
		for i := range tails {
			l := tail(t, s, store.Query{}, logview.Payloads, b)
			wg.Go(func() {
				defer l.Close()
				var got strings.Builder
				p := make([]byte, 64+i)
				for strings.Count(got.String(), "\n") < writers*each {
					n, err := l.Read(ctx, p)
					if err != nil {
						t.Error(err)
						return
					}
					got.Write(p[:n])
				}
				texts[i] = got.String()
			})
		}
		for w := range writers {
			wg.Go(func() {
				for n := range each {
					if _, err := s.Append(ctx, store.Entry{Subject: "s", Data: fmt.Appendf(nil, "%d %d", w, n)}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		for i, text := range texts {
			if text != texts[0] {
				t.Fatalf("tail %d got %q, the first one %q", i, text, texts[0])
			}
		}
	})
}
