package fusefs

import (
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/store"
	"jsfs/store/jsonl"
)

// erasedReader is a file that a message is read from from its beginning to its end, and how.
type erasedReader struct {
	path  string
	stale bool // what is left of an erased message is ESTALE, else blank
}

var erasedReaders = []erasedReader{
	{"log", false}, {"log.jsonl", false}, {"follow", false}, {"follow.jsonl", false},
	{"subjects/a.b/.log", false}, {"range/1-9/.jsfs/log.jsonl", false}, {"subjects/a.b/.follow", false},
	{"consumers/c/next", true}, {"consumers/c/next.json", true},
}

// begun opens the file in stream S, appends a long message and a short one, and reads a little of the first.
func (r *erasedReader) begun(m *mounted) (s *stream, node, fh uint64, read string) {
	m.t.Helper()
	s = m.stream("S")
	if strings.HasPrefix(r.path, "consumers") {
		if _, err := s.CreateConsumer(m.t.Context(), store.ConsumerConfig{Name: "c"}); err != nil {
			m.t.Fatal(err)
		}
	}
	if !strings.Contains(r.path, "follow") {
		m.append(s, strings.Repeat("x", 400_000), "second")
	} else {
		m.append(s, "before")
	}
	node = m.walk("S/.jsfs/" + r.path).NodeId
	opened, st := m.openAt(node, syscall.O_RDONLY)
	if !st.Ok() {
		m.t.Fatalf("%s: %v", r.path, st)
	}
	if strings.Contains(r.path, "follow") {
		m.append(s, strings.Repeat("x", 400_000), "second")
	}
	m.t.Cleanup(func() { m.Release(nil, &fuse.ReleaseIn{InHeader: header(node), Fh: opened.Fh}) })
	read, st = m.readAt(node, opened.Fh, 0, 1000)
	if !st.Ok() || !strings.Contains(read, "x") && !strings.Contains(read, "eHh4") {
		m.t.Fatalf("%s: the beginning is %.60q, %v", r.path, read, st)
	}
	return s, node, opened.Fh, read
}

// rest reads on until the second message was read, or what was asked for has an error or is empty.
func (r *erasedReader) rest(m *mounted, node, fh uint64, off int) (rest string, st fuse.Status) {
	m.t.Helper()
	for {
		got, st := m.readAt(node, fh, int64(off+len(rest)), 30_000)
		rest += got
		if !st.Ok() || got == "" || strings.Contains(rest, "second") || strings.Contains(rest, "c2Vjb25k") {
			return rest, st
		}
	}
}

// Who is in the middle of a message when that is erased gets nothing of it any more, however he reads it, and reads on behind it.
func TestNobodyReadsOnInAnErasedMessage(t *testing.T) {
	for _, r := range erasedReaders {
		for name, erase := range map[string]func(m *mounted, s *stream, seq string){
			"erased": func(m *mounted, _ *stream, seq string) { m.ctl("S", "erase "+seq+"\n") },
			"removed before": func(m *mounted, s *stream, seq string) {
				if _, err := s.Remove(t.Context(), 1+store.Seq(seq[0]-'1')); err != nil {
					t.Fatal(err)
				}
				m.ctl("S", "erase "+seq+"\n")
			},
			"its stream truncated before": func(m *mounted, _ *stream, seq string) {
				m.ctl("S", "truncate "+seq+" force\n")
				m.ctl("S", "erase "+seq+"\n")
			},
		} {
			m := newMounted(t, Options{})
			s, node, fh, read := r.begun(m)
			seq := "1"
			if strings.Contains(r.path, "follow") {
				seq = "2"
			}
			erase(m, s, seq)
			rest, st := r.rest(m, node, fh, len(read))
			if strings.Contains(rest, "xx") || strings.Contains(rest, "eHh4") {
				t.Errorf("%s, %s: there is more of the message", r.path, name)
			}
			truncated := strings.Contains(name, "truncated")
			switch {
			case r.stale:
				if st != fuse.Status(syscall.ESTALE) || rest != "" {
					t.Errorf("%s, %s: got %d bytes, %v, want ESTALE", r.path, name, len(rest), st)
				}
			case truncated: // the log of a stream that is gone, or the end of a follow
			case !st.Ok() || !strings.Contains(rest, "second") && !strings.Contains(rest, "c2Vjb25k"):
				t.Errorf("%s, %s: what stands behind it is not read: %d bytes, %v", r.path, name, len(rest), st)
			}
		}
	}
}

// Who is in the middle of a message when others are erased, however many, reads it to its end.
func TestWhoReadsAMessageIsNotDisturbedByOtherErasures(t *testing.T) {
	for _, r := range erasedReaders {
		m := newMounted(t, Options{})
		s, node, fh, read := r.begun(m)
		for range 70 {
			m.append(s, "other")
		}
		for seq := store.Seq(10); seq < 80; seq++ {
			if _, err := s.Erase(t.Context(), min(seq, 72)); err != nil {
				t.Fatal(err)
			}
			m.erased(s, seq, 0)
		}
		rest, st := r.rest(m, node, fh, len(read))
		if all := read + rest; !st.Ok() || strings.Count(all, "x") < 400_000 && strings.Count(all, "eHh4") < 100_000 {
			t.Errorf("%s: got %d bytes, %v", r.path, len(read)+len(rest), st)
		}
	}
}

// A JSON line whose rest was erased is none, and the lines beside it are whole.
func TestAnErasedJSONLineIsNone(t *testing.T) {
	for _, r := range erasedReaders {
		if !strings.HasSuffix(r.path, ".jsonl") {
			continue
		}
		m := newMounted(t, Options{})
		_, node, fh, read := r.begun(m)
		seq := "1"
		if strings.Contains(r.path, "follow") {
			seq = "2"
		}
		m.ctl("S", "erase "+seq+"\n")
		rest, st := r.rest(m, node, fh, len(read))
		lines := strings.Split(strings.TrimSuffix(read+rest, "\n"), "\n")
		if !st.Ok() || len(lines) != 2 {
			t.Errorf("%s: %d lines, %v", r.path, len(lines), st)
			continue
		}
		if _, err := jsonl.ParseWritten([]byte(lines[0])); err == nil {
			t.Errorf("%s: the erased line is JSON", r.path)
		}
		if got := strings.TrimRight(lines[0][len(read):], " "); got != `" erased " erased` {
			t.Errorf("%s: the rest of the erased line is %.60q", r.path, got)
		}
		if w, err := jsonl.ParseWritten([]byte(lines[1])); err != nil || string(w.Data) != "second" {
			t.Errorf("%s: the next line is %.60q, %v", r.path, lines[1], err)
		}
	}
}

// Who is in the middle of a message that is removed reads it to its end, also when another one is erased.
func TestWhoReadsARemovedMessageIsNotDisturbedByAnErasure(t *testing.T) {
	for _, r := range erasedReaders {
		m := newMounted(t, Options{})
		s, node, fh, read := r.begun(m)
		seq := store.Seq(1)
		if strings.Contains(r.path, "follow") {
			seq = 2
		}
		if _, err := s.Remove(t.Context(), seq); err != nil {
			t.Fatal(err)
		}
		m.append(s, "other", "another")
		m.ctl("S", "erase 4\n")
		rest, st := r.rest(m, node, fh, len(read))
		if all := read + rest; !st.Ok() || strings.Count(all, "x") < 400_000 && strings.Count(all, "eHh4") < 100_000 {
			t.Errorf("%s: got %d bytes, %v", r.path, len(read)+len(rest), st)
		}
	}
}

// A message that was erased is gone for who is in its middle, however many were erased after it before he reads on.
func TestAnErasureIsNotForgottenForOthers(t *testing.T) {
	for _, r := range erasedReaders {
		m := newMounted(t, Options{})
		s, node, fh, read := r.begun(m)
		seq := "1"
		if strings.Contains(r.path, "follow") {
			seq = "2"
		}
		m.ctl("S", "erase "+seq+"\n")
		for range 70 {
			m.append(s, "other")
		}
		for seq := store.Seq(4); seq < 74; seq++ {
			if _, err := s.Erase(t.Context(), min(seq, 72)); err != nil {
				t.Fatal(err)
			}
			m.erased(s, seq, 0)
		}
		if rest, _ := r.rest(m, node, fh, len(read)); strings.Contains(rest, "xx") || strings.Contains(rest, "eHh4") {
			t.Errorf("%s: there is more of the message", r.path)
		}
	}
}
