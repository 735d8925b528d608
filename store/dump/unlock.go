package dump

import (
	"errors"
	"fmt"
	"io/fs"

	"jsfs/store"
	"jsfs/store/internal/record"
	"jsfs/store/internal/vfs"
	"jsfs/store/keys"
)

// keyFile has the envelope of an encrypted store's key.
const keyFile = "jsfs.key"

// unlock takes the data key of the store in a directory out of its envelope, which also tells the store's id.
func (d *dumper) unlock(dir string) error {
	fsys, err := vfs.NewOSReadOnly(dir)
	if err != nil {
		return err
	}
	defer func() { _ = fsys.Close() }()
	home := dumper{fs: vfs.Salvage(fsys)}
	b, err := home.whole(keyFile)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s has no %s: it was made without a key, or the envelope of the key is missing", store.ErrKey, dir, keyFile)
	}
	if err != nil {
		return err
	}
	content, _, err := record.OpenEnvelope(keys.Magic, b)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", store.ErrKey, keyFile, err)
	}
	d.id = keys.Place(content)
	d.key, err = keys.Unwrap(content, d.opt.Secret, d.id)
	return err
}

// close ends the dump, and wipes its key.
func (d *dumper) close() error {
	d.key.Wipe()
	return d.out.Flush()
}
