package publish

import (
	"slices"
	"strings"
	"testing"
)

// closesScript plays the calls for one open of a control file. Its steps, one a word:
//
//	wP        process P writes a part of a command
//	d         the command is done, by a newline
//	hP        process P has one descriptor
//	fP/N      process P closes a descriptor, and has N for writing left
//	xP        process P exits
//	kP        the same, killed by a signal
//	blind     /proc can't be read
//	end       release
//
// Process 1 is the opener. A command that a close finds whole is done, as that of a control file is.
type closesScript struct {
	t     *testing.T
	proc  *fakeProc
	c     *Closes
	due   bool
	whole []string // the steps that found a command whole
}

func (s *closesScript) step(word string) {
	var a, b int
	whole := false
	switch {
	case scan(word, "w%d", &a):
		s.c.Wrote(uint32(a))
		s.due = true
	case word == "d":
		s.done()
	case scan(word, "h%d", &a):
		s.proc.fds[uint32(a)] = 1
	case scan(word, "f%d/%d", &a, &b):
		s.proc.fds[uint32(a)] = b
		whole = s.c.Flush(uint32(a), s.due)
	case scan(word, "x%d", &a), scan(word, "k%d", &a):
		s.proc.killed[a] = word[0] == 'k'
		s.proc.fds[uint32(a)], s.proc.exiting[uint32(a)] = 0, true
		whole = s.c.Flush(uint32(a), s.due)
	case word == "blind":
		s.proc.blind = true
	case word == "end":
		whole = s.c.Release() && s.due
	default:
		s.t.Fatalf("unknown step %q", word)
	}
	if whole {
		s.whole = append(s.whole, word)
		s.done()
	}
}

func (s *closesScript) done() {
	s.c.Done()
	s.due = false
}

func TestWhenWhatWasWrittenIsWhole(t *testing.T) {
	tests := []struct {
		name  string
		steps string
		whole []string
	}{
		{"the opener's close", "f1/1 w1 f1/0 end", []string{"f1/0"}},
		{"nothing is written", "f1/0 end", nil},
		{"nothing waits", "w1 d f1/0 end", nil},
		{"a child's exit in the middle", "w1 x2 w1 f1/0 end", []string{"f1/0"}},
		{"a child that began it is in the middle", "h2 w2 f1/0 w2 x2 end", []string{"end"}},
		{"a child that began it has ended", "h2 w2 x2 f1/0 end", []string{"f1/0"}},
		{"opener and child wrote it", "h2 w2 w1 f1/0 w2 x2 end", []string{"f1/0", "end"}},

		{"the opener wrote the one before", "h2 w1 d w2 f1/0 w2 x2 end", []string{"end"}},
		{"the opener began the one before, and a child ended it", "h2 h3 w1 w2 d w3 f1/0 w3 x3 x2 end", []string{"end"}},
		{"a close was the end of the one before", "blind w1 f1/1 end", []string{"f1/1"}},
		{"many children wrote those before", "h2 h3 h4 h5 h6 w2 d w3 d w4 d w5 d w6 f1/0 end", []string{"end"}},
		{"who wrote the one before still has the file open", "h2 w2 d h3 w3 x3 f1/0 end", []string{"f1/0"}},

		{"its writer is killed", "w1 k1 end", nil},
		{"a child that wrote it is killed", "h2 w2 f1/0 k2 end", nil},
		{"a killed child does not harm its parent", "w1 k2 w1 f1/0 end", []string{"f1/0"}},
		{"who began the one before was killed, and another ended it", "h2 w1 k1 w2 d w2 x2 end", []string{"end"}},
		{"an unknown caller", "w1 f0/0 end", []string{"f0/0"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			proc := &fakeProc{killed: map[int]bool{}, fds: map[uint32]int{1: 1}, exiting: map[uint32]bool{}}
			desk := NewDesk(proc, nil)
			s := &closesScript{t: t, proc: proc, c: desk.NewCloses(Open{Inode: 7, Thread: 1})}
			for word := range strings.FieldsSeq(test.steps) {
				s.step(word)
			}
			if !slices.Equal(s.whole, test.whole) {
				t.Errorf("%s: whole by %q, want %q", test.steps, s.whole, test.whole)
			}
			if len(desk.peers.m) != 0 {
				t.Errorf("left behind: peers %v", desk.peers.m)
			}
		})
	}
}
