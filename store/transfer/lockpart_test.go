package transfer

import (
	"errors"
	"os"
	"testing"

	"jsfs/store"
)

// TestAFinishedBackupIsNotWrittenOver opens the file of a backup that somebody else finishes before it is locked.
func TestAFinishedBackupIsNotWrittenOver(t *testing.T) {
	name := t.TempDir() + "/b"
	f, err := os.Create(name + partSuffix)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Rename(name+partSuffix, name); err != nil {
		t.Fatal(err)
	}
	if err := lockPart(f, name+partSuffix); !errors.Is(err, store.ErrExists) {
		t.Errorf("a file that is a finished backup: got %v, want ErrExists", err)
	}
	next, err := os.Create(name + partSuffix)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	if err := lockPart(f, name+partSuffix); !errors.Is(err, store.ErrExists) {
		t.Errorf("while the next one is begun: got %v, want ErrExists", err)
	}
	if err := lockPart(next, name+partSuffix); err != nil {
		t.Errorf("the one that is begun: %v", err)
	}
}
