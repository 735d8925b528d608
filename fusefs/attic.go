package fusefs

import (
	"fmt"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
)

// removedDir has a directory for each stream that was removed and is kept, named by the stream and the time of its removal. They
// show nothing: what is in a stream is shown once it is back.
type removedDir struct{}

func (removedDir) lookup(c *call, _ *stream, _ place, name string, out *fuse.EntryOut) error {
	_, byName, err := c.fs.removedStreams(c)
	if err != nil {
		return err
	}
	p, ok := removedPlace(byName[name])
	if !ok {
		return errAbsent
	}
	return c.fs.controlEntry(c, nil, p, out)
}

func (removedDir) list(c *call, _ *stream, _ place, _ *namesHandle, off uint64, l *listing) error {
	names, byName, err := c.fs.removedStreams(c)
	if err != nil {
		return err
	}
	return listByHash(names, off, func(name string, cookie uint64) (bool, error) {
		p, ok := removedPlace(byName[name])
		return !ok || l.place(nil, p, name, syscall.S_IFDIR, cookie), nil
	})
}

// removedStreams returns the names of the streams that were removed and are kept, by the time of their removal, and
// which each is.
func (fs *FS) removedStreams(c *call) ([]string, map[string]store.RemovedStream, error) {
	removed, err := fs.st.RemovedStreams(c)
	if err != nil {
		return nil, nil, err
	}
	names, byName := make([]string, len(removed)), make(map[string]store.RemovedStream, len(removed))
	for i, r := range removed {
		names[i] = mapping.RemovedName(r.Name, r.Time)
		for at := r.Time + 1; byName[names[i]].Incarnation != 0; at++ {
			names[i] = mapping.RemovedName(r.Name, at) // the clock was set back: neither must be left out
		}
		byName[names[i]] = r
	}
	return names, byName, nil
}

// removedStream returns the removed stream of an incarnation; store.ErrNotFound if it is kept no more.
func (fs *FS) removedStream(c *call, incarnation uint64) (store.RemovedStream, error) {
	removed, err := fs.st.RemovedStreams(c)
	if err != nil {
		return store.RemovedStream{}, err
	}
	for _, r := range removed {
		if r.Incarnation == incarnation {
			return r, nil
		}
	}
	return store.RemovedStream{}, fmt.Errorf("removed stream %d: %w", incarnation, store.ErrNotFound)
}

// removedShift is where the n of the place of a removed stream has its incarnation, above what says which control it is.
const removedShift = 9

// removedPlace is the place of a removed stream. ok is false if it has none, as one without incarnation.
func removedPlace(r store.RemovedStream) (p place, ok bool) {
	p = place{kind: mapping.KindControl, n: uint64(mapping.ControlRemovedStream) | r.Incarnation<<removedShift}
	return p, r.Incarnation != 0 && r.Incarnation <= mapping.MaxN>>removedShift
}

// removedIncarnation is the incarnation of the stream at a place that removedPlace gave.
func (p place) removedIncarnation() uint64 { return p.n >> removedShift }

// revive brings back the removed stream that is listed as oldName, which is moved to newName, in the root or
// elsewhere.
func (fs *FS) revive(c *call, oldName string, inRoot bool, newName string) error {
	_, byName, err := fs.removedStreams(c)
	if err != nil {
		return err
	}
	r := byName[oldName]
	if r.Incarnation == 0 {
		return errAbsent
	}
	if !inRoot || newName != r.Name && newName != oldName {
		return refuse(syscall.EPERM, "a removed stream comes back in the root of the mount, under its own name %s, and nowhere else", r.Name)
	}
	back, err := fs.st.Revive(c, r.Incarnation)
	if err != nil {
		return err
	}
	fs.streams.drop(r.Incarnation) // what is left of what it was
	fs.changed.Store(fs.now().UnixNano())
	_, err = fs.streams.enter(back)
	return err
}
