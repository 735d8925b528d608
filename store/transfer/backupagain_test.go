package transfer_test

import (
	"errors"
	"os"
	"testing"

	"jsfs/store"
	"jsfs/store/transfer"
)

// alike makes a stream of five messages of one size, so that counts don't tell which of them are live.
func alike(t *testing.T, s store.Store) store.Stream {
	t.Helper()
	st, err := s.Create(t.Context(), store.Config{Name: "S"})
	must(t, err)
	for range 5 {
		_, err := st.Append(t.Context(), store.Entry{Subject: "a", Data: []byte("x")})
		must(t, err)
	}
	return st
}

// TestABackupThatExistsIsComparedMessageByMessage changes a stream so that all counts stay: a file with its backup is not one of the stream as it is now.
func TestABackupThatExistsIsComparedMessageByMessage(t *testing.T) {
	mem, name := newMem(), t.TempDir()+"/b"
	st := alike(t, mem)
	backup := func() error {
		return transfer.WriteFile(t.Context(), mem, []string{"S"}, name, transfer.BackupOptions{})
	}
	_, err := st.Remove(t.Context(), 3)
	must(t, err)
	must(t, backup())
	must(t, backup()) // the same again
	must(t, st.Undelete(t.Context(), 3))
	_, err = st.Remove(t.Context(), 4)
	must(t, err)
	if err := backup(); !errors.Is(err, store.ErrExists) {
		t.Errorf("the backup has message 4 and not message 3: got %v, want ErrExists", err)
	}
}

// TestABackupLacksNoMessageThatCameBack removes the last message when a backup knows the stream's state, and brings it back when that has
// stopped, or is done.
func TestABackupLacksNoMessageThatCameBack(t *testing.T) {
	for _, done := range []bool{false, true} {
		mem, name := newMem(), t.TempDir()+"/b"
		st := alike(t, mem)
		going := moving{st, func() {
			_, err := st.Remove(t.Context(), 5)
			must(t, err)
		}}
		must(t, transfer.WriteFile(t.Context(), movingStore{mem, going}, []string{"S"}, name, transfer.BackupOptions{}))
		must(t, st.Undelete(t.Context(), 5))
		if !done {
			must(t, os.Rename(name, name+".part"))
		}
		err := transfer.WriteFile(t.Context(), mem, []string{"S"}, name, transfer.BackupOptions{})
		if done {
			if !errors.Is(err, store.ErrExists) {
				t.Errorf("the backup lacks message 5: got %v, want ErrExists", err)
			}
			continue
		}
		must(t, err)
		sameStream(t, imageOf(t, restored(t, name), "S"), imageOf(t, mem, "S"))
	}
}
