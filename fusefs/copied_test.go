package fusefs

import (
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
)

func (m *mounted) setConfigXattr(s *stream, value string) fuse.Status {
	return m.SetXAttr(nil, &fuse.SetXAttrIn{InHeader: header(s.node)}, mapping.XattrConfig, []byte(value))
}

func (m *mounted) setDirTime(s *stream) fuse.Status {
	in := &fuse.SetAttrIn{}
	in.InHeader = header(s.node)
	in.Valid, in.Mtime = fuse.FATTR_MTIME, 1
	return m.SetAttr(nil, in, &fuse.AttrOut{})
}

func (m *mounted) restore(s *stream, seq store.Seq, subject string) {
	m.t.Helper()
	if err := s.Restore(m.t.Context(), store.Msg{Meta: store.Meta{Seq: seq, Time: time.Now().UnixNano()}, Subject: subject, Data: []byte("x")}); err != nil {
		m.t.Fatal(err)
	}
}

func (m *mounted) wantReason(text string) {
	m.t.Helper()
	if got := m.reasons(); len(got) == 0 || !strings.Contains(got[len(got)-1], text) {
		m.t.Errorf("got reasons %q, want %q in the last", got, text)
	}
}

// copiedConfigs are configurations that a copy may get, before its messages or after them.
var copiedConfigs = map[string]string{
	"limits":          `{"name":"OTHER","max_msgs":2,"max_bytes":100000,"max_msgs_per_subject":2,"max_age":360000000000000000,"duplicate_window":1000000000}`,
	"discard new":     `{"max_msgs":2,"discard":"new","max_msgs_per_subject":1,"discard_new_per_subject":true}`,
	"first_seq":       `{"first_seq":10}`,
	"interest":        `{"retention":"interest"}`,
	"work queue":      `{"retention":"workqueue"}`,
	"denials":         `{"deny_delete":true,"deny_purge":true,"allow_msg_ttl":true}`,
	"sealed":          `{"sealed":true}`,
	"a mirror":        `{"mirror":{"name":"M"}}`,
	"sources":         `{"subjects":["own.>"],"sources":[{"name":"A"},{"name":"B","filter_subject":"b.>"}]}`,
	"sealed, sources": `{"sealed":true,"subjects":["own.>"],"sources":[{"name":"A"}]}`,
	"notes":           `{"description":"d","metadata":{"k":"v"},"compression":"s2","subjects":["a.b","c.>"],"max_msg_size":1000,"storage":"file"}`,
}

// A copy gets its configuration whether that comes before its messages, as from rsync, or after them, as from cp and tar.
func TestACopyGetsItsConfiguration(t *testing.T) {
	for name, value := range copiedConfigs {
		want, err := store.ParseConfig([]byte(value))
		if err != nil {
			t.Fatal(err)
		}
		for _, when := range []string{"before", "after"} {
			t.Run(name+" "+when, func(t *testing.T) {
				m := newMounted(t, Options{})
				s := m.stream("T")
				if when == "before" {
					if st := m.setConfigXattr(s, value); !st.Ok() {
						t.Fatalf("set before the messages: %v, %q", st, m.reasons())
					}
					m.setDirTime(s) // as rsync does, at once
				}
				m.restore(s, 10, "a.b")
				m.restore(s, 12, "c.d")
				if when == "after" {
					if st := m.setConfigXattr(s, value); !st.Ok() {
						t.Fatalf("set behind the messages: %v, %q", st, m.reasons())
					}
				}
				for range 2 { // rsync does it again
					if st := m.setConfigXattr(s, value); !st.Ok() {
						t.Errorf("set again: %v, %q", st, m.reasons())
					}
					if !sameConfig(want, s.Config()) {
						t.Errorf("got %+v, want %+v", s.Config(), want)
					}
					if st := m.setDirTime(s); !st.Ok() {
						t.Errorf("utimens: %v, %q", st, m.reasons())
					}
				}
				if !sameConfig(want, s.inForce()) || s.copied.held.Load() != nil {
					t.Errorf("in force is %+v, want %+v", s.inForce(), want)
				}
				if st, err := s.State(t.Context()); err != nil || st.Live.Messages != 2 || st.First != 10 || st.Last != 12 {
					t.Errorf("got %+v, %v, want messages 10 and 12", st, err)
				}
			})
		}
	}
}

// slowStore is a store in which something is done before a stream's configuration is changed.
type slowStore struct {
	store.Store
	before func()
}

func (s *slowStore) Update(ctx context.Context, cfg store.Config) error {
	once(&s.before)
	return s.Store.Update(ctx, cfg)
}

// Who writes a configuration, while one that was read or held back before is put in force, has his.
func TestAConfigurationIsWrittenWhileAnotherOneIsGiven(t *testing.T) {
	for name, give := range map[string]func(m *mounted, s *stream){
		"held back": func(m *mounted, s *stream) { m.setDirTime(s) },
		"sealed":    func(m *mounted, s *stream) { _ = m.seal(t.Context(), s) },
		"a copy's":  func(m *mounted, s *stream) { m.setConfigXattr(s, `{"max_msgs":9}`) },
	} {
		t.Run(name, func(t *testing.T) {
			m := newMounted(t, Options{})
			s := m.stream("T")
			if name == "held back" {
				if st := m.setConfigXattr(s, `{"sources":[{"name":"A"}]}`); !st.Ok() {
					t.Fatal(st)
				}
				m.restore(s, 1, "a")
			}
			written := make(chan error, 1)
			m.FS.st = &slowStore{m.st, func() {
				go func() { written <- m.configure(t.Context(), s, store.Config{Name: "T", Description: "mine"}) }()
				select {
				case err := <-written:
					written <- err
				case <-time.After(50 * time.Millisecond): // as long as a fault has to show itself
				}
			}}
			give(m, s)
			err := <-written
			if got := s.Config(); err == nil && got.Description != "mine" || err != nil && !got.Sealed {
				t.Errorf("it was written (%v), and is %+v", err, got)
			}
		})
	}
}

// Who appends or removes while a copy gets its configuration does so under that one, or the copy does not get it: limits never come over a
// message that had none when it was stored.
func TestNobodyUsesAStreamWhileACopyGetsItsConfiguration(t *testing.T) {
	for name, tt := range map[string]struct {
		use  func(ctx context.Context, s *stream) error
		want error
	}{
		"append": {func(ctx context.Context, s *stream) error {
			_, err := s.Append(ctx, store.Entry{Subject: "a.b"})
			return err
		}, store.ErrSubject},
		"append several": {func(ctx context.Context, s *stream) error {
			_, err := s.AppendAll(ctx, []store.Entry{{Subject: "a.b"}, {Subject: "a.b"}})
			return err
		}, store.ErrSubject},
		"remove": {func(ctx context.Context, s *stream) error {
			_, err := s.Remove(ctx, 3)
			return err
		}, store.ErrDenied},
		"purge": {func(ctx context.Context, s *stream) error {
			_, err := s.Purge(ctx, store.Purge{})
			return err
		}, store.ErrDenied},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMounted(t, Options{})
			s := m.stream("T")
			m.restore(s, 3, "a.b")
			used := make(chan error, 1)
			m.FS.st = &slowStore{m.st, func() {
				go func() { used <- tt.use(t.Context(), s) }()
				select {
				case err := <-used:
					used <- err
				case <-time.After(50 * time.Millisecond): // as long as a fault has to show itself
				}
			}}
			wantStatus(t, "set the configuration", m.setConfigXattr(s, `{"subjects":["x.>"],"deny_delete":true,"deny_purge":true}`), 0)
			if err := <-used; !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if st, err := s.State(t.Context()); err != nil || st.Live.Messages != 1 || st.Last != 3 {
				t.Errorf("got %+v, %v, want message 3 alone", st, err)
			}
		})
	}
}

// A configuration that somebody chose, and messages that are no copies, are left alone.
func TestWhatIsNoCopyKeepsItsConfiguration(t *testing.T) {
	appends := func(m *mounted, s *stream) { m.append(s, "mine") }
	for name, tt := range map[string]struct {
		before func(m *mounted, s *stream)
		value  string
		st     fuse.Status
		reason string
	}{
		"a configuration that was written": {func(m *mounted, s *stream) {
			_ = m.configure(m.t.Context(), s, store.Config{Name: "T", Description: "mine"})
		}, `{"max_msgs":1}`, fuse.EPERM, "stream T has a configuration already"},
		"one that was copied":         {func(m *mounted, s *stream) { m.setConfigXattr(s, `{"max_msgs":7}`) }, `{"max_msgs":1}`, fuse.EPERM, "has a configuration already"},
		"messages that were appended": {appends, `{"max_msgs":1}`, fuse.EPERM, "more than a copy"},
		"a copy that was appended to": {func(m *mounted, s *stream) { m.restore(s, 4, "a"); m.append(s, "mine") }, `{"max_msgs":1}`, fuse.EPERM, "more than a copy"},
		"a copy some of which was removed": {func(m *mounted, s *stream) {
			m.restore(s, 4, "a")
			_, _ = s.Remove(m.t.Context(), 4)
		}, `{"max_msgs":1}`, fuse.EPERM, "more than a copy"},
		"the same":             {appends, `{"name":"OLD","subjects":[">"],"max_msgs":-1,"metadata":{},"sources":[]}`, fuse.OK, ""},
		"no JSON":              {nil, `max_msgs: 1`, fuse.EINVAL, "not valid"},
		"JSON of another kind": {nil, `[]`, fuse.EINVAL, "no JSON object"},
		"an unknown field":     {nil, `{"colour":1}`, fuse.EINVAL, "not known: colour"},
		"a bad value":          {nil, `{"max_msgs":-7}`, fuse.EINVAL, "max_msgs"},
		"itself as its source": {nil, `{"sources":[{"name":"T"}]}`, fuse.EINVAL, "a cycle"},
		"itself as its mirror": {func(m *mounted, s *stream) { m.restore(s, 4, "a") }, `{"mirror":{"name":"T"}}`, fuse.EINVAL, "a cycle"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMounted(t, Options{})
			s := m.stream("T")
			if tt.before != nil {
				tt.before(m, s)
			}
			was, state := s.Config(), first(s.State(t.Context()))
			if st := m.setConfigXattr(s, tt.value); st != tt.st {
				t.Errorf("got %v, want %v", st, tt.st)
			}
			if tt.reason != "" {
				m.wantReason(tt.reason)
			}
			if !sameConfig(was, s.Config()) || !sameConfig(was, s.inForce()) {
				t.Errorf("the configuration was %+v and is %+v", was, s.Config())
			}
			if now := first(s.State(t.Context())); now != state {
				t.Errorf("the state was %+v and is %+v", state, now)
			}
		})
	}
}

func first[T any](v T, _ error) T { return v }

// What was there before the mount is no copy, as far as it knows.
func TestWhatWasThereBeforeTheMountIsNoCopy(t *testing.T) {
	old := newMounted(t, Options{})
	s := old.stream("T")
	old.restore(s, 4, "a")
	old.stream("E")
	m := mountedOn(t, old.st, Options{})
	for name, want := range map[string]fuse.Status{"T": fuse.EPERM, "E": fuse.OK} {
		m.walk(name)
		s, err := m.streams.named(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if st := m.setConfigXattr(s, `{"max_msgs":7}`); st != want {
			t.Errorf("%s: got %v, want %v", name, st, want)
		}
	}
}

// What mkdir gives is nobody's choice, whatever it is.
func TestWhatMkdirGivesIsReplaced(t *testing.T) {
	m := newMounted(t, Options{Subjects: []string{"a.>"}, Compression: store.CompressionS2})
	if st := m.Mkdir(nil, &fuse.MkdirIn{InHeader: header(mapping.Root)}, "T", &fuse.EntryOut{}); !st.Ok() {
		t.Fatal(st)
	}
	s := first(m.streams.named(t.Context(), "T"))
	if got := s.Config(); got.Compression != store.CompressionS2 || !slices.Equal(got.Subjects, []string{"a.>"}) {
		t.Errorf("mkdir made %+v", got)
	}
	want := store.Config{Name: "T", MaxAge: time.Hour}
	if st := m.setConfigXattr(s, `{"name":"S","max_age":3600000000000}`); !st.Ok() || !sameConfig(want, s.Config()) {
		t.Errorf("got %v, %+v, want %+v", st, s.Config(), want)
	}
}

// A directory without a configuration is copied onto a stream: rsync -X removes what the original lacks.
func TestRemovingAConfiguration(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("T", "x")
	h := header(s.node)
	if st := m.RemoveXAttr(nil, &h, mapping.XattrConfig); !st.Ok() {
		t.Errorf("where nobody chose one: got %v", st)
	}
	if err := m.configure(t.Context(), s, store.Config{Name: "T", MaxMsgs: 7}); err != nil {
		t.Fatal(err)
	}
	if st := m.RemoveXAttr(nil, &h, mapping.XattrConfig); st != fuse.EPERM {
		t.Errorf("where somebody chose one: got %v, want EPERM", st)
	}
	m.wantReason("which can't be taken away")
	in := &fuse.SetXAttrIn{InHeader: h, Flags: xattrCreate}
	if st := m.SetXAttr(nil, in, mapping.XattrConfig, []byte(`{}`)); st != fuse.Status(syscall.EEXIST) {
		t.Errorf("with XATTR_CREATE: got %v, want EEXIST", st)
	}
}

// rsync sets the directory's time at its end if that is in another second than it should be: so it must be as long as the copy is not complete,
// and no longer.
func TestADirectoryHasNoTimeUntilTheCopyIsComplete(t *testing.T) {
	for _, written := range []bool{false, true} {
		m := newMounted(t, Options{})
		s := m.stream("T")
		look := func() (seconds, timeout uint64) {
			var out fuse.AttrOut
			wantStatus(t, "stat", m.GetAttr(nil, &fuse.GetAttrIn{InHeader: header(s.node)}, &out), 0)
			return out.Mtime, out.AttrValid
		}
		wantStatus(t, "set the configuration", m.setConfigXattr(s, `{"sealed":true}`), 0)
		m.restore(s, 10, "a.b")
		s.unnamed.Store(time.Now().UnixNano()) // as after a draft that became the message
		if seconds, timeout := look(); seconds != 0 || timeout != 0 {
			t.Errorf("before the copy is complete: got the time %d, good for %d s, want 0 and 0", seconds, timeout)
		}
		if written {
			cfg := s.inForce()
			cfg.Description = "chosen"
			if err := m.configure(t.Context(), s, cfg); err != nil {
				t.Fatal(err)
			}
		} else {
			wantStatus(t, "complete it", m.setDirTime(s), 0)
		}
		if seconds, timeout := look(); seconds == 0 || timeout == 0 {
			t.Errorf("the copy is complete, and its directory has the time %d, good for %d s", seconds, timeout)
		}
	}
}
