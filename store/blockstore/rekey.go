package blockstore

import (
	"errors"
	"fmt"
	"io/fs"

	"jsfs/store"
	"jsfs/store/internal/record"
	"jsfs/store/internal/vfs"
	"jsfs/store/keys"
)

// Rekey makes fresh what unlocks the encrypted store at path, instead of old, durably. The store must not be open. What is
// stored stays as it is: the data key is the same, in another envelope. It gives store.ErrKey if old is not the
// right one, or the store is not encrypted; then nothing was changed. After a crash old or fresh unlocks it.
func Rekey(path string, old, fresh *keys.Secret) error {
	fsys, err := vfs.NewOS(path)
	if err != nil {
		return err
	}
	defer fsys.Close()
	if err := RekeyFS(fsys, old, fresh); err != nil {
		return fmt.Errorf("store %s: %w", path, err)
	}
	return nil
}

// RekeyFS is Rekey for a store in fsys.
func RekeyFS(fsys vfs.FS, old, fresh *keys.Secret) (err error) {
	b, err := readFile(fsys, storeName)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: there is no %s in it", store.ErrNotStore, storeName)
	}
	if err != nil {
		return err
	}
	content, _, err := record.OpenEnvelope(record.MagicStore, b)
	if err != nil {
		return fmt.Errorf("%s: %w", storeName, err)
	}
	info, id, err := parseInfo(content)
	if err != nil {
		return err
	}
	if !info.Encrypted {
		return fmt.Errorf("%w: the store was made without a key, and stays so", store.ErrKey)
	}
	before, err := unlock(fsys, Options{Secret: old}) // before even the lock is made
	before.Wipe()
	if err != nil {
		return err
	}
	lock, err := fsys.Lock(lockName)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	key, err := unlock(fsys, Options{Secret: old}) // again: nobody else can change it now
	if err != nil {
		return err
	}
	defer key.Wipe()
	content, err = keys.Wrap(key, fresh, id)
	if err != nil {
		return err
	}
	return diskError(replaceFile(fsys, keyName, record.Envelope(keys.Magic, content)))
}
