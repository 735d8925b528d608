package blockstore

import (
	"errors"
	"fmt"
	"io"

	"jsfs/store"
	"jsfs/store/blockstore/internal/summeddraft"
)

// draft is an open draft.
type draft struct {
	draftFile
	s    *Stream
	name string     // of its file; "" if the draft has no name
	size *draftSize // nil if it is not counted
}

// draftFile is where the content of a draft is: a file, or what a sealed one has.
type draftFile interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Size() (int64, error)
	ModTime() (int64, error)
	Sync() error
}

// there returns nil unless the draft is another stream's by now.
func (d *draft) there() error {
	if d.name != "" && d.s.draftsGone.Load() {
		return fmt.Errorf("draft of a stream that was truncated: %w", store.ErrClosed)
	}
	return nil
}

// change does what changes the draft's content, while it is not copied. Its size is end then if it is not more.
func (d *draft) change(end int64, do func() error) error {
	for {
		err := d.tryChange(end, do)
		if p, ok := d.draftFile.(*plainOpening); !ok || !errors.Is(err, summeddraft.ErrKept) {
			return err
		} else if err := p.changeable(); err != nil {
			return fmt.Errorf("remove the checksums of the draft: %w", diskError(err))
		}
	}
}

func (d *draft) tryChange(end int64, do func() error) error {
	d.s.draftIO.RLock()
	defer d.s.draftIO.RUnlock()
	if err := d.there(); err != nil {
		return err
	}
	return diskError(d.size.change(d.draftFile, end, do))
}

func (d *draft) ReadAt(p []byte, off int64) (int, error) {
	if err := d.there(); err != nil {
		return 0, err
	}
	return d.draftFile.ReadAt(p, off)
}

func (d *draft) WriteAt(p []byte, off int64) (int, error) {
	n := 0
	err := d.withRoom(d.s.settled, func() error {
		return d.change(off+int64(len(p)), func() (err error) {
			n, err = d.draftFile.WriteAt(p, off)
			return err
		})
	})
	return n, err
}

// withRoom is that of the stream for who is outside of the gate; first comes before each attempt.
func (d *draft) withRoom(first func(do func() error) error, do func() error) error {
	for {
		err := first(do)
		if e, full := wantsRoom(err); !full || !d.s.st.reclaimer.makeRoom(bg, e) {
			return err
		}
	}
}

func (d *draft) Truncate(size int64) error {
	return d.withRoom(func(do func() error) error { return do() }, func() error { // it may give space back
		return d.change(size, func() error { return d.draftFile.Truncate(size) })
	})
}

func (d *draft) Size() (int64, error) {
	if err := d.there(); err != nil {
		return 0, err
	}
	return d.draftFile.Size()
}

func (d *draft) ModTime() (int64, error) {
	if err := d.there(); err != nil {
		return 0, err
	}
	return d.draftFile.ModTime()
}

// Sync makes the draft's bytes and its name durable.
func (d *draft) Sync() error {
	err := d.change(0, d.draftFile.Sync) // a sealed one writes what is missing
	if err == nil && d.name != "" {
		err = d.s.fs.SyncDir(d.s.draftDir())
	}
	if err != nil {
		return fmt.Errorf("sync draft: %w", err)
	}
	return nil
}
