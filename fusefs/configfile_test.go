package fusefs

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// writeControl opens a control file, writes pieces, and closes it; it returns the first refusal.
func (m *mounted) writeControl(path string, pieces ...string) fuse.Status {
	m.t.Helper()
	node := m.walk(path).NodeId
	open, st := m.openAt(node, syscall.O_WRONLY|syscall.O_TRUNC)
	if !st.Ok() {
		return st
	}
	defer m.Release(nil, &fuse.ReleaseIn{InHeader: header(node), Fh: open.Fh})
	off := 0
	for _, p := range pieces {
		in := &fuse.WriteIn{InHeader: header(node), Fh: open.Fh, Offset: uint64(off)}
		n, st := m.Write(nil, in, []byte(p))
		if off += int(n); !st.Ok() || int(n) < len(p) {
			_ = m.Flush(nil, &fuse.FlushIn{InHeader: header(node), Fh: open.Fh})
			return st
		}
	}
	return m.Flush(nil, &fuse.FlushIn{InHeader: header(node), Fh: open.Fh})
}

func TestConfigIsWrittenWhole(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("S", "1")
	if st := m.writeControl("S/.jsfs/config", `{"subjects":["a.`, `*"],"description":"x"}`+"\n"); !st.Ok() {
		t.Fatalf("a good configuration: %v, %v", st, m.reasons())
	}
	if c := s.Config(); len(c.Subjects) != 1 || c.Subjects[0] != "a.*" || c.Description != "x" {
		t.Errorf("the configuration is %+v", c)
	}
	shown := m.cat("S/.jsfs/config")
	if !strings.Contains(shown, `"description": "x"`) || !strings.HasSuffix(shown, "}\n") {
		t.Errorf("it shows %q", shown)
	}
	if st := m.writeControl("S/.jsfs/config", shown); !st.Ok() || m.cat("S/.jsfs/config") != shown {
		t.Errorf("what it shows, written back: %v, then it shows %q", st, m.cat("S/.jsfs/config"))
	}
	if st := m.writeControl("S/.jsfs/config"); !st.Ok() || m.cat("S/.jsfs/config") != shown {
		t.Errorf("opened and closed: %v, then it shows %q", st, m.cat("S/.jsfs/config"))
	}
}

func TestBadConfigsAreRefusedAndChangeNothing(t *testing.T) {
	m := newMounted(t, Options{})
	m.stream("S", "1")
	before := m.cat("S/.jsfs/config")
	for _, tt := range []struct {
		name, text string
		want       syscall.Errno
		reason     string
	}{
		{"no JSON", "hello\n", syscall.EINVAL, "configuration"},
		{"half of it", `{"subjects":[`, syscall.EINVAL, "configuration"},
		{"an unknown field", `{"colour":"red"}`, syscall.EINVAL, "colour"},
		{"a bad subject", `{"subjects":["a..b"]}`, syscall.EINVAL, "subjects"},
		{"another name", `{"name":"T"}`, syscall.EINVAL, "name"},
		{"too much", strings.Repeat(" ", maxControl+1), syscall.EFBIG, "at most"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if st := m.writeControl("S/.jsfs/config", tt.text); st != fuse.Status(tt.want) {
				t.Errorf("got %v, want %v", st, tt.want)
			}
			if r := m.reasons(); len(r) == 0 || !strings.Contains(r[len(r)-1], tt.reason) {
				t.Errorf("the reason given is %q, want %q in it", r, tt.reason)
			}
			if after := m.cat("S/.jsfs/config"); after != before {
				t.Errorf("it became %q", after)
			}
		})
	}
}

func TestCtl(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       syscall.Errno
		left       int
	}{
		{"purge of all", "purge\n", 0, 0},
		{"without a newline", "purge", 0, 0},
		{"below a sequence", "purge seq=4\n", 0, 3},
		{"all but the newest", "purge keep=2\n", 0, 2},
		{"of a subject", "purge subject=a.*\n", 0, 0},
		{"of a subject that nobody has", "purge subject=b\n", 0, 6},
		{"compact", "compact 3\n", 0, 4},
		{"several commands", "purge keep=5\n\nsync\ncompact 4\n", 0, 3},
		{"what follows a bad one is not done", "purge keep=5\nbad\npurge\n", syscall.EINVAL, 5},
		{"an empty subject is not all", "purge subject=\n", syscall.EINVAL, 6},
		{"a bad number", "purge keep=-1\n", syscall.EINVAL, 6},
		{"a bad sequence", "compact 0\n", syscall.EINVAL, 6},
		{"an unknown argument", "purge all=yes\n", syscall.EINVAL, 6},
		{"too long", strings.Repeat("x", maxControl+1), syscall.EFBIG, 6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMounted(t, Options{})
			s := m.stream("S", "1", "2", "3", "4", "5", "6")
			st := m.writeControl("S/.jsfs/ctl", tt.text)
			if tt.want != 0 && st.Ok() { // a part of it was taken: the rest says why not
				st = m.writeControl("S/.jsfs/ctl", tt.text[strings.Index(tt.text, "bad"):])
			}
			if st != fuse.Status(tt.want) {
				t.Errorf("got %v, want %v: %v", st, tt.want, m.reasons())
			}
			if state, err := s.State(t.Context()); err != nil || state.Live.Messages != int64(tt.left) {
				t.Errorf("left: got %d, %v, want %d", state.Live.Messages, err, tt.left)
			}
		})
	}
}

func TestCtlSeals(t *testing.T) {
	m := newMounted(t, Options{})
	m.stream("S", "1")
	if st := m.writeControl("S/.jsfs/ctl", "seal\n"); !st.Ok() {
		t.Fatal(st)
	}
	if st := m.writeControl("S/.jsfs/ctl", "purge\n"); st != fuse.Status(syscall.EROFS) {
		t.Errorf("purge of a sealed stream: got %v, want EROFS", st)
	}
	if !strings.Contains(m.cat("S/.jsfs/ctl"), "purge") {
		t.Error("reading ctl does not tell what it takes")
	}
}

func TestTheMountsSettingsCanBeRead(t *testing.T) {
	m := newMounted(t, Options{SeqWidth: 6, Subjects: []string{"a.>"}, Settings: map[string]any{"sync": "never"}, Umask: ref(uint32(0o27)), UID: ref(uint32(7))})
	content := m.cat(".jsfs/config")
	var got map[string]any
	if err := json.Unmarshal([]byte(content), &got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{"seq_width": 6.0, "sync": "never", "umask": "0027", "uid": 7.0, "control": "hidden", "ro": false} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if size := m.walk(".jsfs/config").Size; size != uint64(len(content)) {
		t.Errorf("its size is %d, want %d", size, len(content))
	}
	if _, st := m.openAt(m.walk(".jsfs/config").NodeId, syscall.O_WRONLY); st != fuse.EPERM {
		t.Errorf("written: got %v, want EPERM", st)
	}
}
