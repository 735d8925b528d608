package fusefs

import (
	"errors"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/store"
)

// What is held back until the messages are there is in force for all but restores, and at the end of the mount for these, too.
func TestWhatACopyHoldsBackIsInForceForOthers(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("T")
	if st := m.setConfigXattr(s, `{"sealed":true}`); !st.Ok() {
		t.Fatal(st)
	}
	if _, err := s.Append(t.Context(), store.Entry{Subject: "a"}); err == nil {
		t.Error("a message was appended to a stream that is sealed")
	}
	if n, err := s.AppendAll(t.Context(), []store.Entry{{Subject: "a"}}); err == nil || n != 0 {
		t.Errorf("%d messages were appended to a stream that is sealed: %v", n, err)
	}
	m.restore(s, 3, "a")
	o := m.stream("O")
	if st := m.setConfigXattr(o, `{"subjects":["own"],"sources":[{"name":"A"}]}`); !st.Ok() {
		t.Fatal(st)
	}
	if n, err := o.AppendAll(t.Context(), []store.Entry{{Subject: "own"}, {Subject: "other"}, {Subject: "own"}}); n != 1 || !errors.Is(err, store.ErrSubject) {
		t.Errorf("of three lines, the second on another's subject: got %d, %v, want 1, %v", n, err, store.ErrSubject)
	}
	for name, remove := range map[string]func() error{
		"remove":  func() error { _, err := s.Remove(t.Context(), 3); return err },
		"erase":   func() error { _, err := s.Erase(t.Context(), 3); return err },
		"purge":   func() error { _, err := s.Purge(t.Context(), store.Purge{}); return err },
		"compact": func() error { _, err := s.Compact(t.Context(), 4); return err },
	} {
		if err := remove(); !errors.Is(err, store.ErrSealed) {
			t.Errorf("%s in a stream that is sealed: got %v, want %v", name, err, store.ErrSealed)
		}
	}
	if s.inForce().Sealed {
		t.Fatal("it is sealed before its messages are there")
	}
	m.drain()
	if !s.inForce().Sealed || s.copied.held.Load() != nil {
		t.Errorf("after the mount: got %+v, want a sealed stream", s.inForce())
	}
}

// When the server is killed in the middle of a copy, nothing stays of what `sealed` set: nobody could take it back.
func TestAKilledCopyOfASealedStreamIsNotSealed(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("T")
	wantStatus(t, "set the configuration", m.setConfigXattr(s, `{"sealed":true,"deny_delete":true,"deny_purge":true,"max_msgs":9}`), 0)
	m.restore(s, 3, "a")
	m.restore(s, 4, "a")
	m = mountedOn(t, m.st, Options{})
	m.walk("T")
	s = first(m.streams.named(t.Context(), "T"))
	if got := s.Config(); got.Sealed || got.DenyDelete || got.DenyPurge || got.MaxMsgs != 9 {
		t.Errorf("got %+v", got)
	}
	if ok, err := s.Remove(t.Context(), 3); !ok || err != nil {
		t.Errorf("remove: got %v, %v", ok, err)
	}
	if n, err := s.Purge(t.Context(), store.Purge{}); n != 1 || err != nil {
		t.Errorf("purge: got %d, %v", n, err)
	}
}

// Who truncates a stream, or removes it whole, in the middle of a copy does that to the stream as it was to be.
func TestWhatIsHeldBackIsNotDroppedByACommand(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("T")
	wantStatus(t, "set the configuration", m.setConfigXattr(s, `{"subjects":["own"],"sources":[{"name":"A"}]}`), 0)
	m.restore(s, 1, "a")
	m.restore(s, 2, "a")
	want := s.Config()
	m.ctl("T", "truncate 1 force\n")
	next, err := m.st.Stream(t.Context(), "T")
	if err != nil || next.Incarnation() == s.Incarnation() {
		t.Fatalf("it is no other stream: %v", err)
	}
	if got := next.Config(); !sameConfig(got, want) {
		t.Errorf("truncated it has %+v, want %+v", got, want)
	}
	sealed := m.stream("S")
	wantStatus(t, "set the configuration", m.setConfigXattr(sealed, `{"sealed":true}`), 0)
	m.restore(sealed, 1, "a")
	m.restore(sealed, 2, "a")
	if st := m.tryCtl("S", "truncate 1 force\n"); st != fuse.EROFS {
		t.Errorf("truncate one that is to be sealed: got %v, want EROFS", st)
	}
	if !sealed.Config().Sealed || sealed.inForce().Sealed {
		t.Errorf("it has %+v, and %+v in force", sealed.Config(), sealed.inForce())
	}
	m.restore(sealed, 3, "a")
	m.ctl("S", "remove force\n")
	if _, err := m.st.Stream(t.Context(), "S"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("removed, it is there: %v", err)
	}
}

// Who writes a configuration has that, whatever was held back.
func TestAWrittenConfigurationEndsTheHold(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("T")
	if st := m.setConfigXattr(s, `{"sources":[{"name":"A"}]}`); !st.Ok() {
		t.Fatal(st)
	}
	m.restore(s, 1, "a")
	want := store.Config{Name: "T", Description: "mine"}
	if err := m.configure(t.Context(), s, want); err != nil {
		t.Fatal(err)
	}
	m.setDirTime(s)
	m.drain()
	if !sameConfig(want, s.Config()) || !sameConfig(want, s.inForce()) {
		t.Errorf("got %+v, and %+v in force, want %+v", s.Config(), s.inForce(), want)
	}
}
