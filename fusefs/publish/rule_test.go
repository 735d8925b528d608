package publish

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"jsfs/store"
)

// script plays the calls that a kernel makes for one open. Its steps, one a word:
//
//	w:TEXT    write at the position that the kernel has; w2:TEXT the same by process 2
//	a:TEXT    write with O_APPEND
//	p5:TEXT   write at offset 5
//	t0        truncate
//	fP/N      process P closes a descriptor, and has N for writing left
//	hP        process P has one descriptor
//	xP        process P exits: it has no descriptor at all left
//	kP        the same, killed by a signal
//	f0        a caller whose pid is not known closes a descriptor
//	s         fsync
//	m:9       utimens, nanosecond 9
//	refuse    from here on the store refuses; accept: it does not any more
//	blind     /proc can't be read
//	end       release
//
// Process 1 is the opener.
type script struct {
	t      *testing.T
	proc   *fakeProc
	stream *fakeStream
	desk   *Desk
	w      *Writer
	pos    int64
	errs   []string
}

func newScript(t *testing.T, empty bool) *script {
	s := &script{t: t, stream: newFakeStream(), proc: &fakeProc{
		process: map[uint32]int{11: 1, 12: 1}, // threads of the opener
		killed:  map[int]bool{}, fds: map[uint32]int{1: 1}, exiting: map[uint32]bool{},
	}}
	s.desk = NewDesk(s.proc, nil)
	s.w = s.desk.NewWriter(s.stream, Subject{Stream: s.stream, Name: "x"}, Open{Inode: 7, Thread: 1, Empty: empty})
	return s
}

func (s *script) note(err error) {
	if err != nil {
		s.errs = append(s.errs, err.Error())
	}
}

func (s *script) step(word string) {
	s.t.Helper()
	ctx := s.t.Context()
	verb, text, _ := strings.Cut(word, ":")
	var a, b int
	switch {
	case verb == "w":
		s.write(1, text)
	case scan(verb, "w%d", &a):
		s.write(uint32(a), text)
	case verb == "a":
		_, err := s.w.Write(ctx, 1, []byte(text), 1<<30, true)
		s.note(err)
	case scan(verb, "p%d", &a):
		_, err := s.w.Write(ctx, 1, []byte(text), int64(a), false)
		s.note(err)
	case scan(verb, "t%d", &a):
		s.note(s.w.Truncate(ctx, int64(a)))
	case scan(verb, "f%d/%d", &a, &b):
		pid, _ := s.proc.Process(uint32(a))
		s.proc.fds[uint32(pid)] = b
		s.flush(a)
	case scan(verb, "f%d", &a):
		s.flush(a)
	case scan(verb, "h%d", &a):
		s.proc.fds[uint32(a)] = 1
	case scan(verb, "x%d", &a):
		s.leave(a)
	case scan(verb, "k%d", &a):
		pid, _ := s.proc.Process(uint32(a))
		s.proc.killed[pid] = true
		s.leave(a)
	case verb == "s":
		_, err := s.w.Fsync(ctx)
		s.note(err)
	case verb == "m":
		var ns int64
		fmt.Sscan(text, &ns)
		s.w.SetModTime(ns)
	case verb == "refuse":
		s.stream.refuse = store.ErrNoSpace
	case verb == "accept":
		s.stream.refuse = nil
	case verb == "blind":
		s.proc.blind = true
	case verb == "end":
		s.note(s.w.Release(ctx).Err)
	default:
		s.t.Fatalf("unknown step %q", word)
	}
}

func (s *script) write(tid uint32, text string) {
	n, err := s.w.Write(s.t.Context(), tid, []byte(text), s.pos, false)
	s.pos += int64(n)
	s.note(err)
}

func (s *script) flush(tid int) {
	_, err := s.w.Flush(s.t.Context(), uint32(tid))
	s.note(err)
}

func (s *script) leave(tid int) {
	pid, _ := s.proc.Process(uint32(tid))
	s.proc.fds[uint32(pid)] = 0
	s.proc.exiting[uint32(pid)] = true
	s.flush(tid)
}

func scan(s, format string, args ...any) bool {
	n, err := fmt.Sscanf(s, format, args...)
	return err == nil && n == len(args)
}

func TestRule(t *testing.T) {
	const refused = "no space left in the store"
	tests := []struct {
		name  string
		empty bool // the open made or emptied the file
		steps string
		want  []string
		errs  []string
	}{
		{name: "echo: the first close comes before the write", empty: true,
			steps: "f1/1 w:hi f1/0 end", want: []string{`"hi"`}},
		{name: "a write that nobody closes but the release", steps: "w:hi end", want: []string{`"hi"`}},
		{name: "an empty file is an empty message", empty: true, steps: "f1/1 f1/0 end", want: []string{`""`}},
		{name: "an open that ended behind the answer, as its caller was killed", empty: true, steps: "end"},
		{name: "an open that neither makes nor writes is none", steps: "f1/0 end"},
		{name: "a file emptied by truncate is an empty message", steps: "t0 f1/0 end", want: []string{`""`}},
		{name: "the same after a write", steps: "w:hi t0 f1/0 end", want: []string{`""`}},
		{name: "a subshell with a saved descriptor", empty: true,
			steps: "f1/1 w:a f1/1 w:b f1/0 end", want: []string{`"ab"`}},
		{name: "a child's exit in the middle", empty: true,
			steps: "w:a x2 w:b x3 w:c f1/0 end", want: []string{`"abc"`}},
		{name: "exec 3>: one message at exec 3>&-", empty: true,
			steps: "w:a f1/1 w:b f1/1 w:c f1/0 end", want: []string{`"abc"`}},
		{name: "exec 3> and the shell exits", empty: true, steps: "w:a f1/1 w:b x1 end", want: []string{`"ab"`}},
		{name: "any thread of the opener may close", steps: "w:a f11/0 end", want: []string{`"a"`}},
		{name: "the last thread of a program that exits", steps: "w:a x12 end", want: []string{`"a"`}},
		{name: "threads that exit don't close", steps: "w:a f11/1 w:b f12/0 end", want: []string{`"ab"`}},
		{name: "opened for a child: the release takes it", empty: true,
			steps: "f1/0 w:child x2 end", want: []string{`"child"`}},
		{name: "opener and child both write: a message of each", empty: true,
			steps: "w:one f1/0 w:two x2 end", want: []string{`"one"`, `"two"`}},
		{name: "the child wrote before the opener closed: one message", empty: true,
			steps: "h2 w2:a f1/0 w2:b x2 end", want: []string{`"ab"`}},
		{name: "the same, and the opener wrote as well: its close stores it", empty: true,
			steps: "h2 w:o w2:a f1/0 w2:b x2 end", want: []string{`"oa"`, `"b"`}},
		{name: "children that wrote and ended: the opener's close stores it", empty: true,
			steps: "h2 w2:a x2 h3 w3:b x3 f1/0 w4:c end", want: []string{`"ab"`, `"c"`}},
		{name: "a child that wrote is killed while the opener is gone", empty: true,
			steps: "h2 w2:a f1/0 w2:b k2 end", want: []string{`.killed.1 "ab"`}},
		{name: "two exits, two descriptors each", steps: "w:a x2 x2 w:b x1 x1 end", want: []string{`"ab"`}},
		{name: "a killed writer's half is kept", empty: true, steps: "f1/1 w:half k1 end", want: []string{`.killed.1 "half"`}},
		{name: "killed before it wrote: nothing", empty: true, steps: "f1/1 k1 end"},
		{name: "killed by its other thread", steps: "w:half k12 end", want: []string{`.killed.1 "half"`}},
		{name: "a killed child does not harm its parent", steps: "w:a k2 w:b f1/0 end", want: []string{`"ab"`}},
		{name: "a killed child that wrote alone", empty: true, steps: "f1/0 w:half k2 end", want: []string{`.killed.1 "half"`}},
		{name: "killed after a commit: the rest only", steps: "w:one s w:half k1 end", want: []string{`"one"`, `.killed.1 "half"`}},
		{name: "fsync commits, the next goes on", steps: "w:one s w:two s s f1/0 end", want: []string{`"one"`, `"two"`}},
		{name: "fsync of an empty file waits for its bytes", empty: true, steps: "s w:a f1/0 end", want: []string{`"a"`}},
		{name: "an unknown caller commits", steps: "w:a f0 w:b f0 end", want: []string{`"a"`, `"b"`}},
		{name: "without /proc each close commits", steps: "blind w:a f1 f1 w:b f2 end", want: []string{`"a"`, `"b"`}},
		{name: "without /proc the empty message waits", empty: true, steps: "blind f1 end", want: []string{`""`}},
		{name: "refused at close: told, and forgotten",
			steps: "w:a refuse f1/0 accept end", errs: []string{refused}},
		{name: "refused at exit: kept", steps: "w:a refuse x1 accept end",
			want: []string{`.refused.1 "a"`}, errs: []string{refused, refused}},
		{name: "refused at release: kept", steps: "f1/0 w:a refuse end",
			want: []string{`.refused.1 "a"`}, errs: []string{refused}},
		{name: "refused at fsync: the close tries again",
			steps: "w:a refuse s accept w:b f1/0 end", want: []string{`"ab"`}, errs: []string{refused}},
		{name: "an empty message that is refused leaves no draft", empty: true,
			steps: "refuse f1/0 end", errs: []string{refused}},
		{name: "utimens goes into the header", steps: "w:a m:9 f1/0 end",
			want: []string{`"a" at 1970-01-01T00:00:00.000000009Z`}},
		{name: "utimens is for one message", steps: "w:a m:9 s w:b f1/0 end",
			want: []string{`"a" at 1970-01-01T00:00:00.000000009Z`, `"b"`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newScript(t, test.empty)
			for word := range strings.FieldsSeq(test.steps) {
				s.step(word)
			}
			if got := s.stream.messages(); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
			if !slices.Equal(s.errs, test.errs) {
				t.Errorf("got errors %q, want %q", s.errs, test.errs)
			}
			if len(s.desk.peers.m) != 0 || s.desk.budget.used != 0 || s.desk.budget.loads != 0 || s.stream.scratch != 0 {
				t.Errorf("left behind: peers %v, memory %d, loads %d, scratch drafts %d",
					s.desk.peers.m, s.desk.budget.used, s.desk.budget.loads, s.stream.scratch)
			}
		})
	}
}

func TestTwoOpensOfOneProcess(t *testing.T) {
	s := newScript(t, true)
	other := s.desk.NewWriter(s.stream, Subject{Stream: s.stream, Name: "x"}, Open{Inode: 7, Thread: 11, Empty: true})
	s.step("w:a")
	s.step("f1/1") // the one that is left is the other open's
	if got, want := s.stream.messages(), []string{`"a"`}; !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	if _, err := other.Write(t.Context(), 11, []byte("b"), 0, false); err != nil {
		t.Fatal(err)
	}
	s.proc.fds[1] = 0
	if seq, err := other.Flush(t.Context(), 11); seq != 2 || err != nil {
		t.Errorf("got %d, %v; want 2, nil", seq, err)
	}
}

// TestAnOpenThatAnotherProcessStillHas is exec 3>>x; sleep 9 & exec 3>&-: the shell has closed the file with nothing to be stored, and
// its release comes when the other process has closed it. What the shell writes through its next open is one message.
func TestAnOpenThatAnotherProcessStillHas(t *testing.T) {
	tests := []struct {
		name  string
		steps string // of the second open, with what the process has left of all
	}{
		{"nothing is left of the first", "w:a f1/1 w:b f1/0 end"},
		{"its release comes in between", "w:a release1 f1/1 w:b f1/0 end"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newScript(t, false)
			first := s.w
			s.step("f1/0")
			s.w = s.desk.NewWriter(s.stream, Subject{Stream: s.stream, Name: "x"}, Open{Inode: 7, Thread: 1, Empty: true})
			for word := range strings.FieldsSeq(test.steps) {
				if word == "release1" {
					first.Release(t.Context())
					continue
				}
				s.step(word)
			}
			first.Release(t.Context())
			if got, want := s.stream.messages(), []string{`"ab"`}; !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
			if len(s.desk.peers.m) != 0 {
				t.Errorf("left behind: peers %v", s.desk.peers.m)
			}
		})
	}
}

// TestAnOpenThatIsStillThere closed one of its two descriptors with nothing to be stored: the next open's close is told from it.
func TestAnOpenThatIsStillThere(t *testing.T) {
	s := newScript(t, false)
	s.step("f1/1")
	first := s.w
	s.w = s.desk.NewWriter(s.stream, Subject{Stream: s.stream, Name: "x"}, Open{Inode: 7, Thread: 1, Empty: true})
	for _, word := range []string{"w:a", "f1/1"} {
		s.step(word)
	}
	if got, want := s.stream.messages(), []string{`"a"`}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	first.Release(t.Context())
	s.step("end")
}
