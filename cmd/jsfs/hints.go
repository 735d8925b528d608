package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"syscall"

	"jsfs/store"
	"jsfs/store/blockstore"
)

// explainStore turns an engine's refusal to open src into a sentence that says what to do.
func explainStore(src source, err error) error { return explainOpen(src, err, "") }

// explainOpen is explainStore where the flags for the store's key begin with prefix.
func explainOpen(src source, err error, prefix string) error {
	var hint string
	switch {
	case errors.Is(err, blockstore.ErrUnconverted) && errors.Is(err, store.ErrKey):
		hint = "payloads of the first generation are encrypted; give their key with --legacy-key-file FILE. Nothing was changed"
	case errors.Is(err, blockstore.ErrUnconverted):
		hint = "it holds streams of the first generation; mount it once without --read-only (-o ro), which converts them in place and keeps the old files. Nothing was changed"
	case errors.Is(err, store.ErrKey):
		hint = fmt.Sprintf("give what unlocks it with --%[1]skey-file FILE or --%[1]spassphrase, or nothing if it was made without. Nothing was changed", prefix)
	case errors.Is(err, store.ErrLocked):
		return explainLocked(src, err)
	case errors.Is(err, store.ErrVersion):
		hint = "a newer jsfs wrote it; use that version. Nothing was changed"
	case errors.Is(err, store.ErrNotStore) && hasBlocks(src.dir):
		hint = "it has a store's blocks, and lost its jsfs.store: jsfs rescue makes a new store of what is in it. Nothing was changed"
	case errors.Is(err, store.ErrNotStore):
		hint = "the directory belongs to something else; give an empty or a new one. Nothing was changed"
	case errors.Is(err, os.ErrPermission):
		hint = fmt.Sprintf("you (uid %d) may not use it", os.Geteuid())
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		hint = "this process may not have as many files open as the store has streams; raise the limit (`ulimit -n`, LimitNOFILE= of systemd). Nothing is damaged"
	case errors.Is(err, syscall.EROFS):
		hint = "it lies on a read-only file system; mount it with --read-only"
	case errors.Is(err, store.ErrNoSpace), errors.Is(err, syscall.ENOSPC):
		hint = "the disk is full; make room, or mount it with --read-only"
	default:
		return fmt.Errorf("open the store %s: %w", src.name, err)
	}
	return fmt.Errorf("open the store %s: %s: %w", src.name, hint, err)
}

// explainLocked says where a store that is in use is mounted.
func explainLocked(src source, err error) error {
	all, merr := mounts()
	if e, ok := mountOf(all, src); ok && merr == nil {
		return fmt.Errorf("the store %s is mounted at %s, and only one process may have it open; run `jsfs umount %s` first: %w", src.name, e.Point, e.Point, err)
	}
	return fmt.Errorf("the store %s is in use, and only one process may have it open: %w", src.name, err)
}

// hasBlocks says whether there are block files in dir, where a store has them.
func hasBlocks(dir string) bool {
	blocks, err := fs.Glob(os.DirFS(dir), "streams/*/*.blk")
	return err == nil && len(blocks) > 0
}

// findFusermount says how to get fusermount3 if this user needs it and it is missing.
func findFusermount() error {
	if os.Geteuid() == 0 {
		return nil
	}
	for _, name := range []string{"fusermount3", "/bin/fusermount3", "fusermount", "/bin/fusermount"} {
		if _, err := exec.LookPath(name); err == nil {
			return nil
		}
	}
	return errors.New(noFusermount)
}

// explainMount turns a failed mount into a sentence that says what to do.
func explainMount(path string, err error) error {
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("mount at %s: you (uid %d) may not mount there; as a user, mount in a directory of your own, and in a container, with CAP_SYS_ADMIN: %w", path, os.Geteuid(), err)
	}
	return fmt.Errorf("mount at %s: %w", path, err)
}
