package fusefs

import (
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
)

// writing is what the writing half remembers of a stream.
type writing struct{}

// renaming is a RENAME in one stream's directory or between two.
type renaming struct {
	from, to         *stream
	old, target      mapping.Name
	oldName, newName string
	flags            uint32
}

// lookupObject finds a subject node or a draft, and enters it in the table.
func (fs *FS) lookupObject(*call, *stream, mapping.Name, string) (uint64, object, error) {
	return 0, nil, errAbsent
}

// createObject makes a file that is to become a message, or a draft, and opens it.
func (fs *FS) createObject(*call, *stream, mapping.Name, string, *fuse.CreateIn) (id uint64, obj object, h handle, flags uint32, err error) {
	return 0, nil, nil, 0, errNotImpl
}

// mknodObject makes one without opening it.
func (fs *FS) mknodObject(*call, *stream, mapping.Name, string, *fuse.MknodIn) (uint64, object, error) {
	return 0, nil, errNotImpl
}

// unlinkObject removes a draft, or hides a subject node.
func (fs *FS) unlinkObject(*call, *stream, mapping.Name, string) error {
	return errAbsent
}

// renameObject renames a draft, or refuses.
func (fs *FS) renameObject(*call, renaming) error {
	return errNotImpl
}

// noteUnlink remembers that the caller's process removed a message.
func (fs *FS) noteUnlink(*call, *stream, store.Seq) {}

// setLogAttr answers truncate and utimens on a log.
func (fs *FS) setLogAttr(*call, *stream, handle, *fuse.SetAttrIn) error {
	return refuse(syscall.EPERM, "a log can't be changed")
}

// openLogWriter opens a log for appending.
func (fs *FS) openLogWriter(*call, *stream, *fuse.OpenIn) (handle, uint32, error) {
	return nil, 0, errNotImpl
}
