package vfs

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Mem is a file system in memory that knows which of its bytes and names are durable:
// see [Mem.Crash]. It has no limit until [Mem.SetLimit].
type Mem struct {
	// Hook, if set, is called before every change with its name, as in "write a/b 0+512"
	// or "syncdir a". No lock is held meanwhile, so it may call Crash and Kill. Set it
	// before the Mem is shared.
	Hook func(op string)

	// mu guards everything below, and the inodes.
	mu    sync.Mutex
	root  *inode
	locks map[string]bool
	boot  int
	used  int64 // bytes of pages and directories that names or open files reach
	limit int64 // for used; 0 is none
}

var _ FS = (*Mem)(nil)

// inode is a file or a directory.
type inode struct {
	// Of a directory: the names now, the names that are durable, and what was
	// changed between, in order. entries is nil for a file.
	entries, synced map[string]*inode
	pending         []dirOp

	// Of a file: the bytes now and the durable ones.
	data, durable content

	mtime int64
	links int // names that lead here
	opens int
}

// dirOp is a change of one directory that is not durable yet. It takes the name del
// away and then lets the name add lead to ino; either may be "".
type dirOp struct {
	del, add string
	ino      *inode
}

func (op dirOp) apply(entries map[string]*inode) {
	delete(entries, op.del)
	if op.add != "" {
		entries[op.add] = op.ino
	}
}

func newDir() *inode {
	return &inode{entries: map[string]*inode{}, synced: map[string]*inode{}, mtime: time.Now().UnixNano(), links: 1}
}

// NewMem returns an empty file system.
func NewMem() *Mem {
	return &Mem{root: newDir(), locks: map[string]bool{}, boot: 1}
}

// SetLimit bounds the space that files and directories take, in whole pages of 4,096
// bytes; what goes beyond it gives ENOSPC. 0 is no limit.
func (m *Mem) SetLimit(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.limit = bytes
}

func (m *Mem) hook(format string, args ...any) {
	if m.Hook != nil {
		m.Hook(fmt.Sprintf(format, args...))
	}
}

func pathError(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// findLocked returns the inode that name leads to.
func (m *Mem) findLocked(op, name string) (*inode, error) {
	if !fs.ValidPath(name) {
		return nil, pathError(op, name, syscall.EINVAL)
	}
	ino := m.root
	if name == "." {
		return ino, nil
	}
	for part := range strings.SplitSeq(name, "/") {
		if ino.entries == nil {
			return nil, pathError(op, name, syscall.ENOTDIR)
		}
		if ino = ino.entries[part]; ino == nil {
			return nil, pathError(op, name, syscall.ENOENT)
		}
	}
	return ino, nil
}

// parentLocked returns the directory that name is in, and the last part of name.
func (m *Mem) parentLocked(op, name string) (*inode, string, error) {
	if name == "." {
		return nil, "", pathError(op, name, syscall.EINVAL)
	}
	dir, err := m.findLocked(op, path.Dir(name))
	switch {
	case err != nil:
		return nil, "", err
	case !fs.ValidPath(name):
		return nil, "", pathError(op, name, syscall.EINVAL)
	case dir.entries == nil:
		return nil, "", pathError(op, name, syscall.ENOTDIR)
	}
	return dir, path.Base(name), nil
}

func (m *Mem) changeLocked(dir *inode, op dirOp) {
	op.apply(dir.entries)
	dir.pending = append(dir.pending, op)
	dir.mtime = time.Now().UnixNano()
}

// addLocked makes name lead to a new inode.
func (m *Mem) addLocked(op, name string, ino *inode) error {
	dir, base, err := m.parentLocked(op, name)
	if err != nil {
		return err
	}
	if dir.entries[base] != nil {
		return pathError(op, name, syscall.EEXIST)
	}
	if m.limit > 0 && m.used+pageSize > m.limit && ino.entries != nil {
		return pathError(op, name, syscall.ENOSPC)
	}
	m.used += ino.space()
	m.changeLocked(dir, dirOp{add: base, ino: ino})
	return nil
}

// space is what an inode takes up.
func (i *inode) space() int64 {
	if i.entries != nil {
		return pageSize
	}
	return i.data.space()
}

// dropLocked takes a name off an inode, and frees it if nothing else leads to it.
func (m *Mem) dropLocked(ino *inode) {
	ino.links--
	if ino.links == 0 && ino.opens == 0 {
		m.used -= ino.space()
	}
}

// Create implements [FS].
func (m *Mem) Create(name string) (File, error) {
	m.hook("create %s", name)
	m.mu.Lock()
	defer m.mu.Unlock()
	ino := &inode{mtime: time.Now().UnixNano(), links: 1, opens: 1}
	if err := m.addLocked("create", name, ino); err != nil {
		return nil, err
	}
	return &memFile{m: m, ino: ino, name: name}, nil
}

// Open implements [FS].
func (m *Mem) Open(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ino, err := m.findLocked("open", name)
	if err != nil {
		return nil, err
	}
	if ino.entries != nil {
		return nil, pathError("open", name, syscall.EISDIR)
	}
	ino.opens++
	return &memFile{m: m, ino: ino, name: name}, nil
}

// Mkdir implements [FS].
func (m *Mem) Mkdir(name string) error {
	m.hook("mkdir %s", name)
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.addLocked("mkdir", name, newDir())
}

// Rename implements [FS]. Inside a directory it is one change, durable or not; between
// two it is two changes, as POSIX promises no more.
func (m *Mem) Rename(from, to string) error {
	m.hook("rename %s %s", from, to)
	m.mu.Lock()
	defer m.mu.Unlock()
	fromDir, fromBase, err := m.parentLocked("rename", from)
	if err != nil {
		return err
	}
	toDir, toBase, err := m.parentLocked("rename", to)
	if err != nil {
		return err
	}
	ino, old := fromDir.entries[fromBase], toDir.entries[toBase]
	switch {
	case ino == nil:
		return pathError("rename", from, syscall.ENOENT)
	case ino == old:
		return nil
	case ino.entries != nil && strings.HasPrefix(to+"/", from+"/"):
		return pathError("rename", to, syscall.EINVAL)
	case old == nil:
	case old.entries != nil && ino.entries == nil:
		return pathError("rename", to, syscall.EISDIR)
	case old.entries == nil && ino.entries != nil:
		return pathError("rename", to, syscall.ENOTDIR)
	case len(old.entries) > 0:
		return pathError("rename", to, syscall.ENOTEMPTY)
	}
	if old != nil {
		m.dropLocked(old)
	}
	if fromDir == toDir {
		m.changeLocked(fromDir, dirOp{del: fromBase, add: toBase, ino: ino})
		return nil
	}
	m.changeLocked(toDir, dirOp{add: toBase, ino: ino})
	m.changeLocked(fromDir, dirOp{del: fromBase})
	return nil
}

// Remove implements [FS].
func (m *Mem) Remove(name string) error {
	m.hook("remove %s", name)
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.parentLocked("remove", name)
	if err != nil {
		return err
	}
	switch ino := dir.entries[base]; {
	case ino == nil:
		return pathError("remove", name, syscall.ENOENT)
	case len(ino.entries) > 0:
		return pathError("remove", name, syscall.ENOTEMPTY)
	default:
		m.dropLocked(ino)
	}
	m.changeLocked(dir, dirOp{del: base})
	return nil
}

// List implements [FS].
func (m *Mem) List(dir string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ino, err := m.dirLocked("list", dir)
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(ino.entries)), nil
}

// SyncDir implements [FS].
func (m *Mem) SyncDir(dir string) error {
	m.hook("syncdir %s", dir)
	m.mu.Lock()
	defer m.mu.Unlock()
	ino, err := m.dirLocked("syncdir", dir)
	if err != nil {
		return err
	}
	ino.synced, ino.pending = maps.Clone(ino.entries), nil
	return nil
}

func (m *Mem) dirLocked(op, dir string) (*inode, error) {
	ino, err := m.findLocked(op, dir)
	if err == nil && ino.entries == nil {
		err = pathError(op, dir, syscall.ENOTDIR)
	}
	return ino, err
}

// Lock implements [FS]. The lock file is made as a change that needs no sync: which
// name it has survives a crash or not, and nothing depends on it.
func (m *Mem) Lock(name string) (io.Closer, error) {
	m.mu.Lock()
	held := m.locks[name]
	_, err := m.findLocked("lock", name)
	m.locks[name] = true
	m.mu.Unlock()
	if held {
		return nil, lockedError(os.Getpid())
	}
	if err != nil {
		f, err := m.Create(name)
		if err != nil {
			m.unlock(name)
			return nil, err
		}
		_ = f.Close()
	}
	return &memLock{free: func() { m.unlock(name) }}, nil
}

func (m *Mem) unlock(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.locks, name)
}

// memLock is a held lock.
type memLock struct {
	once sync.Once
	free func()
}

func (l *memLock) Close() error {
	l.once.Do(l.free)
	return nil
}

// Usage implements [FS]. Without a limit there is 1 TiB.
func (m *Mem) Usage() (Usage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	total := m.limit
	if total == 0 {
		total = 1 << 40
	}
	return Usage{Total: uint64(total), Free: uint64(max(0, total-m.used)), BlockSize: pageSize}, nil //nolint:gosec // both are at least 0
}

// BootID implements [FS]: it is another one after a Crash.
func (m *Mem) BootID() (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return fmt.Sprintf("boot-%d", m.boot), nil
}
