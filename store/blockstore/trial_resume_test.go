package blockstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

// newStream makes a stream, and takes it away again. Its incarnation must be a new one.
func (j *journal) newStream(s store.Store) error {
	st, err := s.Create(bg, store.Config{Name: newName})
	if errors.Is(err, store.ErrExists) {
		st, err = s.Stream(bg, newName) // from before the last stop
	}
	if err != nil {
		return fmt.Errorf("create a stream: %w", err)
	}
	if j.incs[st.Incarnation()] {
		return fmt.Errorf("incarnation %d is handed out again", st.Incarnation())
	}
	return s.Remove(bg, newName)
}

// newName is the name of the stream that newStream makes.
const newName = "NEW"

// keptRemoved demands that what is left of removed streams is still there, and that none is left in part: taking one
// for good begins with another name.
func (j *journal) keptRemoved(f vfs.FS) error {
	names, err := f.List("removed")
	if err != nil && len(j.removed) > 0 {
		return err
	}
	for _, inc := range j.removed {
		prefix := fmt.Sprintf("%016x@", inc)
		if !slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, prefix) }) {
			return fmt.Errorf("the removed stream with incarnation %d is gone", inc)
		}
	}
	for _, name := range names {
		files, err := f.List("removed/" + name)
		if err == nil && !strings.HasPrefix(name, "taken-") && !slices.Contains(files, "config") {
			return fmt.Errorf("the removed stream %s has only %v", name, files)
		}
	}
	return nil
}

// goOn appends to every stream, and demands that no sequence is handed out twice.
func (j *journal) goOn(s store.Store) error {
	names, err := s.Streams(bg)
	if err != nil {
		return err
	}
	for _, name := range names {
		st, err := s.Stream(bg, name)
		if err != nil {
			return err
		}
		js := j.streams[name]
		if js == nil {
			continue
		}
		e := store.Entry{Subject: "after", Data: []byte(afterFault)}
		seq, err := st.Append(bg, e)
		if err != nil {
			return fmt.Errorf("stream %s: append: %w", name, err)
		}
		if seq <= js.given {
			return fmt.Errorf("stream %s: sequence %d was handed out before, up to %d", name, seq, js.given)
		}
		got, err := st.Load(bg, seq, nil)
		if err != nil || !bytes.Equal(got.Data, e.Data) {
			return fmt.Errorf("stream %s: load of the new message %d: %q, %w", name, seq, got.Data, err)
		}
		js.extra = map[store.Seq]store.Entry{seq: e}
	}
	return nil
}

// verify opens a file system as it is after a stop, compares it with the journal, and
// goes on writing.
func (j *journal) verify(f vfs.FS, v view) error {
	_, err := j.resume(f, v)
	return err
}

// verifyTwice is verify, and opens and compares the store again after that.
func (j *journal) verifyTwice(f vfs.FS, v view) error {
	live, err := j.resume(f, v)
	if err != nil {
		return err
	}
	s, err := openTrial(f, trialOptions(blockstore.SyncAlways))
	if err != nil {
		return fmt.Errorf("open again: %w", err)
	}
	again, err := j.image(s, v)
	for name, before := range live {
		if after := again[name]; err == nil && !slices.Equal(after[:max(0, len(after)-1)], before) {
			err = fmt.Errorf("stream %s was %v and is %v when it is opened again", name, before, after)
		}
	}
	if err = errors.Join(err, s.Close()); err != nil {
		return fmt.Errorf("opened again: %w", err)
	}
	return nil
}

func (j *journal) resume(f vfs.FS, v view) (live map[string][]store.Seq, err error) {
	for _, js := range j.streams {
		js.extra = nil
	}
	s, err := openTrial(f, trialOptions(blockstore.SyncAlways))
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	live, err = j.image(s, v)
	if err == nil {
		err = errors.Join(j.keptRemoved(f), j.erasedBytes(f, s), j.goOn(s), j.newStream(s))
	}
	return live, errors.Join(err, s.Close())
}
