package fusefs

import (
	"context"
	"errors"
	"os"
	"testing"

	"jsfs/fusefs/gather"
	"jsfs/store"
)

// fullStream takes no restored message.
type fullStream struct{ store.Stream }

func (fullStream) RestoreAll(context.Context, []store.Msg) (int, error) { return 0, store.ErrNoSpace }

// Where what is held can't be stored for want of room, nothing comes before it, and room can be made.
func TestAFullStoreWithMessagesThatAreHeld(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("S", "one", "two", "three")
	s.Stream = fullStream{s.Stream}
	s.restores = gather.New(s.Stream, gather.Options{Report: func(error) {}})
	t.Cleanup(func() { s.restores.End(context.Background()) })
	held := store.Msg{Subject: "a.b", Data: []byte("nine")}
	held.Seq = 9
	ctx := t.Context()
	if err := s.restores.Restore(ctx, held, os.Getpid()); err != nil {
		t.Fatal(err)
	}
	if meta, err := s.Stat(ctx, 9); err != nil || meta.Size != 4 {
		t.Errorf("stat of what is held: %+v, %v", meta, err)
	}
	_, appended := s.Append(ctx, store.Entry{Subject: "a.b"})
	_, all := s.AppendAll(ctx, []store.Entry{{Subject: "a.b"}})
	_, loaded := s.Load(ctx, 9, nil)
	var inRun error
	for _, err := range s.LoadRun(ctx, 9, nil) {
		inRun = err
	}
	_, removed := s.Remove(ctx, 9)
	other := held
	other.Seq = 10
	for what, err := range map[string]error{"append": appended, "append of several": all, "load": loaded, "load in a run": inRun, "remove": removed, "restore": s.Restore(ctx, other)} {
		if !errors.Is(err, store.ErrNoSpace) {
			t.Errorf("%s: got %v, want no space", what, err)
		}
	}
	if live, err := s.Remove(ctx, 1); err != nil || !live {
		t.Errorf("remove of another: %v, %v", live, err)
	}
	if live, err := s.Erase(ctx, 2); err != nil || !live {
		t.Errorf("erase of another: %v, %v", live, err)
	}
	if n, err := s.Purge(ctx, store.Purge{}); err != nil || n != 1 {
		t.Errorf("purge: %d, %v", n, err)
	}
	if err := m.configure(ctx, s, store.Config{Name: "S", Description: "new"}); err != nil {
		t.Errorf("a configuration: %v", err)
	}
}
