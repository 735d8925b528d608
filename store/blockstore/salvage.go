package blockstore

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"jsfs/store"
	"jsfs/store/blockstore/internal/firstgen"
	"jsfs/store/internal/record"
	"jsfs/store/internal/vfs"
	"jsfs/store/keys"
)

// Salvage opens a damaged store, without changing a byte of it, so that what is left can be copied out of
// it. Unlike a store that is opened read-only it does without jsfs.store, and takes what
// the disk can't read for damaged bytes. An encrypted store needs its secret, and jsfs.key, one copy of
// which must be whole: ErrKey without. Else secret is nil.
func Salvage(path string, secret *keys.Secret) (store.Store, error) {
	fsys, err := vfs.NewOSReadOnly(path)
	if err != nil {
		return nil, err
	}
	s, err := SalvageFS(fsys, secret)
	if err != nil {
		_ = fsys.Close()
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	s.closeFS = fsys.Close
	return s, nil
}

// Found returns what opening the store found to be damaged, or could not read, outside of streams.
func (st *Store) Found() []store.Damage { return slices.Clone(st.found) }

// MayLackStreams says whether the store had, or may have had, streams that are not there under their names: a directory is missing, a
// configuration is lost in both copies, or what says which streams there are can't be read.
func (st *Store) MayLackStreams() bool {
	st.mu.RLock()
	defer st.mu.RUnlock()
	if !st.reg.known || len(st.reg.missing) > 0 {
		return true
	}
	for name, s := range st.streams {
		if name == damagedName(s.inc) {
			return true
		}
	}
	for name := range st.broken {
		if strings.HasPrefix(name, damagedPrefix) {
			return true
		}
	}
	return false
}

// SalvageFS is Salvage for a store in fsys.
func SalvageFS(fsys vfs.FS, secret *keys.Secret) (*Store, error) {
	return Open(vfs.Salvage(fsys), Options{ReadOnly: true, Secret: secret, salvage: true})
}

// spares says whether err, which a file gave, is one that a store which is salvaged does without the file for.
func (o *Options) spares(err error) bool {
	return err != nil && o.salvage && !vfs.IsExhausted(err) && !errors.Is(err, store.ErrLocked)
}

// spare notes that a file or a directory can't be read, if that is to keep nobody from the rest of the store.
func (st *Store) spare(name string, err error) bool {
	if !st.opt.spares(err) {
		return false
	}
	st.note(store.Damage{File: name, Cause: fmt.Sprintf("it can't be read, and is done without: %v", err)})
	return true
}

// nameUnconverted makes streams of the first generation ones that can't be read: who salvages a store is told of them.
func (st *Store) nameUnconverted() error {
	names, err := st.fs.List(".")
	if err != nil {
		return err
	}
	for _, name := range names {
		old, err := firstgen.Holds(st.fs, name)
		if err == nil && !old || st.streams[name] != nil || st.broken[name] != nil || slices.Contains(ownNames, name) {
			continue
		}
		if err == nil {
			err = fmt.Errorf("%w: copy its directory into a new one and mount that, which converts it", ErrUnconverted)
		}
		st.broken[name] = fmt.Errorf("stream %s: %w", name, err)
	}
	return nil
}

// guessID takes the store's id from the blocks' headers: the one that most of them have. cause is why it
// can't be had from jsfs.store.
func (st *Store) guessID(cause error) error {
	votes := map[record.ID]int{}
	incs, err := st.incarnations(streamsDir)
	if err != nil {
		return errors.Join(cause, err)
	}
	for _, inc := range incs {
		names, err := st.fs.List(streamDir(inc))
		if err != nil {
			continue
		}
		for _, name := range names {
			if strings.HasSuffix(name, ".blk") {
				st.countID(streamDir(inc)+"/"+name, votes)
			}
		}
	}
	most := 0
	for id, n := range votes {
		if n > most {
			st.id, most = id, n
		}
	}
	if most == 0 {
		return fmt.Errorf("%w, and no block has a header from which the store's id could be taken", cause)
	}
	st.note(store.Damage{File: storeName, Cause: fmt.Sprintf("it can't be used (%v); the store's id is taken from the blocks", cause)})
	return nil
}

// countID counts the store's id in each copy of a block's header.
func (st *Store) countID(name string, votes map[record.ID]int) {
	f, err := st.fs.Open(name)
	if err != nil {
		return
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return
	}
	for _, off := range []int64{0, record.HeaderCopy, size - record.TrailerSize} {
		var b [record.HeaderSize]byte
		if n, _ := f.ReadAt(b[:], max(off, 0)); n < len(b) {
			continue
		}
		if h, err := record.ParseHeader(b[:]); err == nil {
			votes[h.Store]++
		}
	}
}

// mayBeStore says whether a directory without jsfs.store looks like what is left of a store.
func mayBeStore(names []string) bool { return slices.Contains(names, streamsDir) }
