package blockstore

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"jsfs/store"
	"jsfs/store/blockstore/internal/firstgen"
	"jsfs/store/blockstore/internal/pace"
	"jsfs/store/blockstore/internal/reserve"
	"jsfs/store/internal/record"
	"jsfs/store/internal/vfs"
	"jsfs/store/internal/watch"
)

// Names in the store's directory.
const (
	storeName  = Marker
	lockName   = "lock"
	nextName   = "incarnation"
	streamsDir = "streams"
	removedDir = "removed"
	quarantine = "quarantine"
)

// Marker is the file by which a directory is known to be a store's.
const Marker = "jsfs.store"

// storeInfo is the content of jsfs.store.
type storeInfo struct {
	ID      string `json:"id"`      // 16 bytes in hexadecimal
	Created string `json:"created"` // RFC 3339
	// Encrypted says that everything that was stored is.
	Encrypted bool `json:"encrypted,omitempty"`
}

// parseInfo reads the content of jsfs.store.
func parseInfo(content []byte) (info storeInfo, id record.ID, err error) {
	if err := json.Unmarshal(content, &info); err != nil {
		return info, id, fmt.Errorf("%w: %s: %w", store.ErrNotStore, storeName, err)
	}
	if n, err := hex.Decode(id[:], []byte(info.ID)); err != nil || n != len(id) {
		return info, id, fmt.Errorf("%w: %s has no id", store.ErrNotStore, storeName)
	}
	return info, id, nil
}

// OpenDir opens the store in a directory of the operating system, and makes both if they are
// missing, unless opt says ReadOnly.
func OpenDir(path string, opt Options) (store.Store, error) {
	fsys, err := openDir(path, opt.ReadOnly)
	if err != nil {
		return nil, err
	}
	s, err := Open(fsys, opt)
	if err != nil {
		_ = fsys.Close()
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	s.closeFS = fsys.Close
	return s, nil
}

// boundedBlock is the block size on a disk for which that much may be too large: what stays of a block must fit into the reserve,
// which is as large as a block, when the block is written anew on a full disk. Of small blocks two must fit, which become one.
func boundedBlock(fsys vfs.FS, size int64) int64 {
	if u, err := fsys.Usage(); err == nil {
		most := int64(u.Total / blocksOfDisk)
		if most < mergedUrgently {
			most /= 2
		}
		size = min(size, max(most, minBlockSize))
	}
	return size
}

func openDir(path string, readOnly bool) (*vfs.OS, error) {
	if readOnly {
		return vfs.NewOSReadOnly(path)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	return vfs.NewOS(path)
}

// Open opens the store in fsys, and makes one if fsys is empty. Streams of the first generation that lie
// there are converted; see [Store.Conversion]. It gives store.ErrNotStore if something else is there,
// store.ErrKey, before anything is changed, if they need a key that is not there, store.ErrVersion for a store of a later version, and
// store.ErrLocked if it is open already.
func Open(fsys vfs.FS, opt Options) (*Store, error) {
	begun := time.Now()
	opt = opt.withDefaults()
	if err := opt.validate(); err != nil {
		return nil, err
	}
	opt.BlockSize = boundedBlock(fsys, opt.BlockSize)
	if err := checkPlace(fsys, opt.ReadOnly, opt.salvage); err != nil {
		return nil, err
	}
	if !opt.ReadOnly {
		if err := surveyLegacy(fsys, opt); err != nil {
			return nil, err
		}
	}
	key, err := unlock(fsys, opt)
	if err != nil {
		return nil, err
	}
	lock, err := fsys.Lock(lockName)
	unlocked := opt.spares(err)
	if unlocked {
		lock = io.NopCloser(nil)
	} else if err != nil {
		return nil, err
	}
	st := &Store{
		key: key,
		fs:  fsys, opt: opt, lock: lock, hub: watch.NewHub(nil), gate: newGate(),
		cache:   &cache{fs: fsys, maxBytes: opt.CacheBytes, maxFiles: opt.MaxFiles},
		reserve: reserve.New(fsys, opt.Logger), pace: pace.New(backgroundBytes),
		streams: map[string]*Stream{}, broken: map[string]error{}, stays: map[string]uint64{}, closeFS: func() error { return nil },
		sumsUntil: sync.OnceValue(func() time.Time { return time.Now().Add(sumsAtStop) }),
	}
	if unlocked {
		st.note(store.Damage{File: lockName, Cause: fmt.Sprintf("it can't be used, so nobody is kept from writing to the store: %v", err)})
	}
	if err := st.load(); err != nil {
		for _, s := range st.streams {
			_ = s.close()
		}
		_ = lock.Close()
		st.key.Wipe()
		return nil, err
	}
	st.opt.Secret = nil // it is the caller's
	st.logOpened(time.Since(begun))
	st.startLinks()
	st.startReclaiming()
	return st, nil
}

// checkPlace refuses a directory with something else in it, before anything is made there.
func checkPlace(fsys vfs.FS, readOnly, salvage bool) error {
	names, err := fsys.List(".")
	if err != nil {
		return err
	}
	if slices.Contains(names, storeName) {
		return checkVersion(fsys, salvage)
	}
	if salvage && mayBeStore(names) {
		return nil
	}
	firstGeneration := false
	for _, name := range names {
		switch name {
		case lockName, storeName + ".new", keyName + ".new", "lost+found": // a store that was about to be made
		case firstgen.FileName:
			return fmt.Errorf("%w: it is one stream of the first generation; give the directory that it is in", store.ErrNotStore)
		case keyName:
			if err := checkKeyFile(fsys); err != nil {
				return err
			}
		default:
			old, err := firstgen.Holds(fsys, name)
			if err != nil {
				return err
			}
			if !old {
				return fmt.Errorf("%w: there is no %s in it, but %q", store.ErrNotStore, storeName, name)
			}
			firstGeneration = true
		}
	}
	switch {
	case readOnly && firstGeneration:
		return ErrUnconverted
	case readOnly:
		return fmt.Errorf("%w: there is no %s in it", store.ErrNotStore, storeName)
	}
	return nil
}

// checkVersion refuses a store of a later version, before even the lock is made in it.
func checkVersion(fsys vfs.FS, salvage bool) error {
	b, err := readFile(fsys, storeName)
	if err != nil && !salvage { // else load does without it
		return err
	}
	if _, _, err = record.OpenEnvelope(record.MagicStore, b); record.IsVersion(err) {
		return fmt.Errorf("%s: %w", storeName, err)
	}
	return nil
}

// load reads the store, or makes it.
func (st *Store) load() error {
	err := st.readInfo()
	if err != nil && st.opt.salvage && !record.IsVersion(err) {
		err = st.guessID(err)
	}
	if err != nil {
		return err
	}
	st.links = st.newLinks()
	boot, err := st.fs.BootID()
	if err != nil {
		return fmt.Errorf("boot id: %w", err)
	}
	sum := sha256.Sum256([]byte(boot))
	copy(st.boot[:], sum[:])
	if !st.opt.ReadOnly {
		if err := st.makeDirs(); err != nil {
			return diskError(err)
		}
		st.merged = min(mergedUrgently, 2*boundedBlock(st.fs, mergedUrgently))
		most := max(st.opt.BlockSize, st.merged)
		st.reserve.Open(most + most/8 + 2*diskPage) // a block with its footer
	}
	incs, err := st.incarnations(streamsDir)
	if err != nil {
		return err
	}
	if err := st.readRegister(incs); err != nil {
		return err
	}
	st.syncRemoved()
	if incs, err = st.settleReplaced(incs); err != nil {
		return err
	}
	if err := st.loadStreams(incs); err != nil {
		return err
	}
	st.countRemovedLocked()
	st.countUnreadLocked()
	return st.convertAll()
}

func (st *Store) readInfo() error {
	b, err := readFile(st.fs, storeName)
	if errors.Is(err, fs.ErrNotExist) && !st.opt.ReadOnly {
		return st.makeInfo()
	}
	if err != nil {
		return err
	}
	content, damaged, err := record.OpenEnvelope(record.MagicStore, b)
	switch {
	case record.IsVersion(err):
		return fmt.Errorf("%s: %w", storeName, err)
	case err != nil:
		return fmt.Errorf("%w: %w", store.ErrNotStore, &store.CorruptError{File: storeName, Err: err})
	case damaged:
		st.note(store.Damage{File: storeName, Length: int64(len(b)), Cause: "one copy is damaged"})
	}
	info, id, err := parseInfo(content)
	if err != nil {
		return err
	}
	st.id = id
	if !info.Encrypted {
		return nil
	}
	if st.key == nil { // it was made while this call looked
		return fmt.Errorf("%w: the store is encrypted", store.ErrKey)
	}
	if _, damaged, err := readKeyEnvelope(st.fs); err != nil || damaged {
		st.note(store.Damage{File: keyName, Cause: "one copy of the key's envelope is damaged"})
	}
	return nil
}

func (st *Store) makeInfo() error {
	_, _ = rand.Read(st.id[:]) // never fails
	if err := st.makeKey(); err != nil {
		return diskError(err)
	}
	info := storeInfo{hex.EncodeToString(st.id[:]), time.Unix(0, st.opt.Now()).UTC().Format(time.RFC3339), st.key != nil}
	b, err := json.Marshal(info)
	if err != nil {
		return err
	}
	return diskError(replaceFile(st.fs, storeName, record.Envelope(record.MagicStore, b)))
}

// makeDirs makes the directories that are missing, and takes away what a crash left of
// streams that were never created.
func (st *Store) makeDirs() error {
	made := false
	for _, dir := range []string{streamsDir, removedDir, quarantine} {
		m, err := mkdirIfMissing(st.fs, dir)
		if err != nil {
			return err
		}
		made = made || m
	}
	if made {
		if err := st.fs.SyncDir("."); err != nil {
			return err
		}
	}
	if err := st.removeTrees(streamsDir, isTempDir); err != nil {
		return err
	}
	return st.removeTrees(removedDir, isTaken) // removed streams that were being taken
}

// removeTrees takes away the directories in dir whose names are such. They have them for good first: a crash may give them others else, with
// what is left in them.
func (st *Store) removeTrees(dir string, such func(name string) bool) error {
	names, err := st.fs.List(dir)
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !such(name) })
	if len(names) == 0 {
		return nil
	}
	if err := st.fs.SyncDir(dir); err != nil {
		return err
	}
	for _, name := range names {
		st.removeTree(dir + "/" + name)
	}
	return nil
}

// removeTree takes away a directory that was to become a stream, or was one. What can't be
// removed stays, and does no harm.
func (st *Store) removeTree(dir string) {
	names, _ := st.fs.List(dir)
	for _, name := range names {
		if st.fs.Remove(dir+"/"+name) != nil {
			st.removeTree(dir + "/" + name)
		}
	}
	_ = st.fs.Remove(dir)
}

const tempPrefix = "new-"

func isTempDir(name string) bool {
	return len(name) > len(tempPrefix) && name[:len(tempPrefix)] == tempPrefix
}
