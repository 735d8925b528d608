package publish

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"jsfs/store"
	"jsfs/store/jsonl"
	"jsfs/store/memstore"
)

func newJSONStream(t testing.TB, cfg store.Config) store.Stream {
	t.Helper()
	st := memstore.New(memstore.Options{})
	t.Cleanup(func() { _ = st.Close() })
	cfg.Name = "S"
	s, err := st.Create(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newJSONLines(s store.Stream) *Lines {
	return NewDesk(&fakeProc{}, nil).NewJSONLines(Subject{Stream: s, Name: "s"}, "", Open{Inode: 7, Thread: 1})
}

// dump is a stream as JSON lines, without the times unless they are asked for.
func dump(t testing.TB, s store.Stream, times bool) string {
	t.Helper()
	var b []byte
	for meta, err := range s.Scan(t.Context(), store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		m, err := s.Load(t.Context(), meta.Seq, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !times {
			m.Time = 0
		}
		b = jsonl.Append(b, m)
	}
	if times {
		return string(b)
	}
	return strings.ReplaceAll(string(b), `"time":"1970-01-01T00:00:00.000000000Z",`, "")
}

const day = `,"time":"2026-01-02T00:00:00Z"`

func TestJSONLines(t *testing.T) {
	for _, c := range []struct{ name, write, want string }{
		{"a new message", `{"data":"x","subject":"a.b"}` + "\n", `1 a.b "x"`},
		{"on the subject of the log", `{"data":"x"}` + "\n", `1 s "x"`},
		{"headers", `{"data":"x","headers":"NATS/1.0\r\nA: 1\r\n\r\n"}` + "\n", `1 s "NATS/1.0\r\nA: 1\r\n\r\n" "x"`},
		{"a new message with a time, which it does not get", `{"data":"x"` + day + "}\n", `1 s "x"`},
		{"restores, with gaps", `{"seq":3,"subject":"a","data":"x"` + day + "}\n" + `{"seq":7,"subject":"b","data":"y"` + day + "}\n", `3 a "x"|7 b "y"`},
		{"both, in turns", `{"data":"1"}` + "\n" + `{"seq":5,"subject":"a","data":"5"` + day + "}\n" + `{"data":"6"}` + "\n" + `{"data":"7"}` + "\n", `1 s "1"|5 a "5"|6 s "6"|7 s "7"`},
		{"blank lines are passed over", "\n   \n" + `   {"data":"x"}` + " \n\n", `1 s "x"`},
		{"a restore twice", strings.Repeat(`{"seq":3,"subject":"a","data":"x"`+day+"}\n", 2), `3 a "x"`},
		{"a restore that goes on behind what is there", strings.Repeat(`{"seq":3,"subject":"a","data":"x"`+day+"}\n", 2) + `{"seq":4,"subject":"a","data":"y"` + day + "}\n", `3 a "x"|4 a "y"`},
		{"headers that act are data in a restore", `{"seq":2,"subject":"a","headers":"NATS/1.0\r\nNats-Rollup: all\r\n\r\n","data":"x"` + day + "}\n", `2 a "NATS/1.0\r\nNats-Rollup: all\r\n\r\n" "x"`},
		{"a last line without a newline", `{"data":"x"}`, `1 s "x"`},
		{"blanks at the end", `{"data":"x"}` + "\n   ", `1 s "x"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newJSONStream(t, store.Config{})
			l := newJSONLines(s)
			for _, p := range []string{c.write[:len(c.write)/2], c.write[len(c.write)/2:]} {
				if n, err := l.Write(t.Context(), []byte(p)); n != len(p) || err != nil {
					t.Fatalf("%q: got %d, %v", p, n, err)
				}
			}
			if _, err := l.Flush(t.Context(), 1); err != nil {
				t.Error(err)
			}
			if out := l.Release(t.Context()); out.Err != nil || out.Draft != "" {
				t.Errorf("release: got %+v", out)
			}
			if got := brief(t, s); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// brief is a stream in few words.
func brief(t testing.TB, s store.Stream) string {
	t.Helper()
	var out []string
	for meta := range s.Scan(t.Context(), store.Query{}) {
		m, err := s.Load(t.Context(), meta.Seq, nil)
		if err != nil {
			t.Fatal(err)
		}
		header := ""
		if len(m.Header) > 0 {
			header = fmt.Sprintf("%q ", m.Header)
		}
		out = append(out, fmt.Sprintf("%d %s %s%q", m.Seq, m.Subject, header, m.Data))
	}
	return strings.Join(out, "|")
}

func TestJSONLinesRefused(t *testing.T) {
	good := `{"data":"x"}` + "\n"
	for _, c := range []struct {
		name, bad string
		err       error
	}{
		{"no JSON", "hello\n", store.ErrInvalid},
		{"no data", `{"seq":9}` + "\n", store.ErrInvalid},
		{"a restore without a time", `{"seq":9,"subject":"a","data":"x"}` + "\n", store.ErrInvalid},
		{"a subject that is none", `{"subject":"a..b","data":"x"}` + "\n", store.ErrSubject},
		{"a subject that the stream does not take", `{"subject":"other","data":"x"}` + "\n", store.ErrSubject},
		{"a header that is none", `{"headers":"A: 1","data":"x"}` + "\n", store.ErrInvalid},
		{"a header that acts", `{"headers":"NATS/1.0\r\nNats-Rollup: all\r\n\r\n","data":"x"}` + "\n", store.ErrDenied},
		{"a restore of what is there as something else", `{"seq":1,"subject":"s","data":"y"` + day + "}\n", store.ErrExists},
		{"a restore of what is there on another subject", `{"seq":1,"subject":"t","data":"x"` + day + "}\n", store.ErrExists},
		{"a restore of what was removed", `{"seq":3,"subject":"s","data":"x"` + day + "}\n", store.ErrExists},
		{"too large", `{"data":"` + strings.Repeat("x", 101) + `"}` + "\n", store.ErrTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newJSONStream(t, store.Config{Subjects: []string{"s", "t", "a"}, MaxMsgSize: 100})
			l := newJSONLines(s)
			start := good + good + good
			if _, err := l.Write(t.Context(), []byte(start)); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Remove(t.Context(), 3); err != nil {
				t.Fatal(err)
			}
			if n, err := l.Write(t.Context(), []byte(good+"\n"+c.bad+good)); n != len(good)+1 || err != nil {
				t.Errorf("got %d, %v, want the %d bytes before the bad line", n, err, len(good)+1)
			}
			n, err := l.Write(t.Context(), []byte(c.bad+good))
			if n != 0 || !errors.Is(err, c.err) || !strings.Contains(err.Error(), "line 6: ") {
				t.Errorf("got %d, %v, want %v in line 6", n, err, c.err)
			}
			if n, err := l.Write(t.Context(), []byte(good)); n != len(good) || err != nil {
				t.Errorf("behind the bad line: got %d, %v", n, err)
			}
			if out := l.Release(t.Context()); out != (Outcome{}) {
				t.Errorf("release: got %+v", out)
			}
			if got, want := brief(t, s), `1 s "x"|2 s "x"|4 s "x"|5 s "x"`; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// TestJSONLinesRestoreAnything writes what a stream reads as, cut anywhere, twice, into another one.
func TestJSONLinesRestoreAnything(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a, b := newJSONStream(t, store.Config{}), newJSONStream(t, store.Config{})
		for range rapid.IntRange(0, 20).Draw(rt, "messages") {
			e := store.Entry{
				Subject: rapid.SampledFrom([]string{"s", "a.b", "é"}).Draw(rt, "subject"),
				Data:    rapid.OneOf(rapid.SliceOfN(rapid.Byte(), 0, 20), rapid.Map(rapid.String(), func(s string) []byte { return []byte(s) })).Draw(rt, "data"),
			}
			if rapid.Bool().Draw(rt, "header") {
				e.Header = []byte("NATS/1.0\r\nA: " + rapid.StringMatching(`[a-z"\\]*`).Draw(rt, "value") + "\r\n\r\n")
			}
			seq, err := a.Append(t.Context(), e)
			if err != nil {
				rt.Fatal(err)
			}
			if rapid.IntRange(0, 3).Draw(rt, "remove") == 0 {
				if _, err := a.Remove(t.Context(), seq); err != nil {
					rt.Fatal(err)
				}
			}
		}
		want := dump(t, a, true)
		for range 2 {
			l := newJSONLines(b)
			for rest := []byte(want); len(rest) > 0; {
				n := rapid.IntRange(1, len(rest)).Draw(rt, "cut")
				if k, err := l.Write(t.Context(), rest[:n]); k != n || err != nil {
					rt.Fatal(k, err)
				}
				rest = rest[n:]
			}
			if out := l.Release(t.Context()); out != (Outcome{}) {
				rt.Fatalf("release: %+v", out)
			}
			if got := dump(t, b, true); got != want {
				rt.Fatalf("got\n%s\nwant\n%s", got, want)
			}
		}
	})
}

func BenchmarkJSONLines(b *testing.B) {
	m := store.Msg{Subject: "orders.new", Data: []byte(strings.Repeat("x", 128))}
	var block []byte
	for seq := range store.Seq(1000) {
		m.Seq, m.Time = seq+1, 1767323045_000000006
		block = jsonl.Append(block, m)
	}
	b.SetBytes(int64(len(block)))
	for b.Loop() {
		s := newJSONStream(b, store.Config{})
		if n, err := newJSONLines(s).Write(b.Context(), block); n != len(block) || err != nil {
			b.Fatal(n, err)
		}
	}
}
