package vfs

import (
	"io"
	"sync"
	"sync/atomic"
	"syscall"
)

// Fail passes calls on to another FS, counts them, and makes some fail. Nothing fails
// until a fault is set. Faults may be set while the file system is in use.
type Fail struct {
	fs FS

	mu     sync.Mutex // guards the rest
	calls  int        // that matched the fault, since it was set
	fault  Fault
	room   int64 // bytes by which files may still grow; -1 is no bound
	syncs  []string
	skip   int // the sync to swallow, counted from 1; 0 is none
	lying  bool
	failed []string
}

var _ FS = (*Fail)(nil)

// Fault says which calls fail, and how.
type Fault struct {
	// At is which matching call fails, counted from 1; 0 is none. ForGood lets all
	// later matching ones fail, too.
	At      int
	ForGood bool
	// Match restricts the calls by what they do, "create", "open", "mkdir", "rename",
	// "remove", "list", "syncdir", "lock", "usage", "bootid", "read", "write", "truncate", "sync", "size"
	// or "modtime", and by name. Nil is all of them. Closing never fails.
	Match func(call, name string) bool
	// Err is what a failing call gives; nil is EIO.
	Err error
	// Short lets a failing write store the first half of its bytes, and a failing
	// read return the first half.
	Short bool
	// Lost lets a file whose Sync failed lose what was to be synced: until it is opened again, each later Sync of it returns nil, and does
	// nothing.
	Lost bool
	// Growing spares writes over what is there, which need no room.
	Growing bool
}

// NewFail returns a Fail on top of fs without a fault.
func NewFail(fs FS) *Fail { return &Fail{fs: fs, room: -1} }

// Set replaces the fault, and starts counting anew. The zero Fault ends it.
func (f *Fail) Set(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault, f.calls = fault, 0
}

// SetRoom lets writes make files longer by n bytes in all, and then gives ENOSPC, after a
// short write where some fit. Writing over what is there needs no room. A
// negative n is no bound.
func (f *Fail) SetRoom(n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.room = n
}

// SkipSync swallows the n-th Sync or SyncDir from the start, counted from 1: it
// returns nil and does nothing.
func (f *Fail) SkipSync(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.skip = n
}

// SetLying swallows every Sync and SyncDir while on.
func (f *Fail) SetLying(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lying = on
}

// Calls tells how many calls matched since the fault was set.
func (f *Fail) Calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

// Syncs lists the syncs from the start, swallowed ones included, as "sync a/b" and
// "syncdir a".
func (f *Fail) Syncs() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.syncs...)
}

// Failed lists the calls that were made to fail, as "write a/b".
func (f *Fail) Failed() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.failed...)
}

// call counts a call, and returns the error that it must give, if any.
func (f *Fail) call(call, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fault.Match != nil && !f.fault.Match(call, name) {
		return nil
	}
	f.calls++
	if at := f.fault.At; at == 0 || f.calls < at || f.calls > at && !f.fault.ForGood {
		return nil
	}
	f.failed = append(f.failed, call+" "+name)
	err := f.fault.Err
	if err == nil {
		err = syscall.EIO
	}
	return pathError(call, name, err)
}

// swallow counts a sync and says whether it must not happen.
func (f *Fail) swallow(call, name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.syncs = append(f.syncs, call+" "+name)
	return f.lying || len(f.syncs) == f.skip
}

func (f *Fail) short() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fault.Short
}

// spares says whether writes over what is there do not fail.
func (f *Fail) spares() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fault.Growing
}

// loses says whether a sync that fails loses what was to be synced.
func (f *Fail) loses() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fault.Lost
}

// take reserves room for a file to grow by n bytes and returns how much of it there is.
func (f *Fail) take(n int64) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.room < 0 {
		return n
	}
	n = min(n, f.room)
	f.room -= n
	return n
}

func (f *Fail) file(file File, err error, name string) (File, error) {
	if err != nil {
		return nil, err
	}
	return &failFile{f: f, file: file, name: name}, nil
}

// Create implements [FS].
func (f *Fail) Create(name string) (File, error) {
	if err := f.call("create", name); err != nil {
		return nil, err
	}
	file, err := f.fs.Create(name)
	return f.file(file, err, name)
}

// Open implements [FS].
func (f *Fail) Open(name string) (File, error) {
	if err := f.call("open", name); err != nil {
		return nil, err
	}
	file, err := f.fs.Open(name)
	return f.file(file, err, name)
}

// Mkdir implements [FS].
func (f *Fail) Mkdir(name string) error {
	if err := f.call("mkdir", name); err != nil {
		return err
	}
	return f.fs.Mkdir(name)
}

// Rename implements [FS].
func (f *Fail) Rename(from, to string) error {
	if err := f.call("rename", from); err != nil {
		return err
	}
	return f.fs.Rename(from, to)
}

// Remove implements [FS].
func (f *Fail) Remove(name string) error {
	if err := f.call("remove", name); err != nil {
		return err
	}
	return f.fs.Remove(name)
}

// List implements [FS].
func (f *Fail) List(dir string) ([]string, error) {
	if err := f.call("list", dir); err != nil {
		return nil, err
	}
	return f.fs.List(dir)
}

// SyncDir implements [FS].
func (f *Fail) SyncDir(dir string) error {
	if err := f.call("syncdir", dir); err != nil {
		return err
	}
	if f.swallow("syncdir", dir) {
		return nil
	}
	return f.fs.SyncDir(dir)
}

// Lock implements [FS].
func (f *Fail) Lock(name string) (io.Closer, error) {
	if err := f.call("lock", name); err != nil {
		return nil, err
	}
	return f.fs.Lock(name)
}

// Usage implements [FS].
func (f *Fail) Usage() (Usage, error) {
	if err := f.call("usage", "."); err != nil {
		return Usage{}, err
	}
	return f.fs.Usage()
}

// BootID implements [FS].
func (f *Fail) BootID() (string, error) {
	if err := f.call("bootid", "."); err != nil {
		return "", err
	}
	return f.fs.BootID()
}

// failFile is an open file of a Fail.
type failFile struct {
	f    *Fail
	file File
	name string
	lost atomic.Bool // see Fault.Lost
}

func (f *failFile) ReadAt(p []byte, off int64) (int, error) {
	err := f.f.call("read", f.name)
	if err == nil {
		return f.file.ReadAt(p, off)
	}
	if !f.f.short() {
		return 0, err
	}
	n, rerr := f.file.ReadAt(p[:len(p)/2], off)
	if rerr != nil {
		err = rerr
	}
	return n, err
}

func (f *failFile) WriteAt(p []byte, off int64) (int, error) {
	size, err := f.file.Size()
	if err != nil {
		return 0, err
	}
	if off+int64(len(p)) <= size && f.f.spares() {
		return f.file.WriteAt(p, off)
	}
	if err := f.f.call("write", f.name); err != nil {
		if !f.f.short() {
			return 0, err
		}
		n, werr := f.file.WriteAt(p[:len(p)/2], off)
		if werr != nil {
			err = werr
		}
		return n, err
	}
	grow := min(int64(len(p)), max(0, off+int64(len(p))-size))
	fits := len(p) - int(grow-f.f.take(grow))
	if fits == len(p) {
		return f.file.WriteAt(p, off)
	}
	n := 0
	if fits > 0 {
		n, err = f.file.WriteAt(p[:fits], off)
	}
	if err == nil {
		err = pathError("write", f.name, syscall.ENOSPC)
	}
	return n, err
}

func (f *failFile) Truncate(size int64) error {
	if err := f.f.call("truncate", f.name); err != nil {
		return err
	}
	return f.file.Truncate(size)
}

func (f *failFile) Sync() error {
	if err := f.f.call("sync", f.name); err != nil {
		f.lost.Store(f.lost.Load() || f.f.loses())
		return err
	}
	if f.f.swallow("sync", f.name) || f.lost.Load() {
		return nil
	}
	return f.file.Sync()
}

func (f *failFile) Size() (int64, error) {
	if err := f.f.call("size", f.name); err != nil {
		return 0, err
	}
	return f.file.Size()
}

func (f *failFile) ModTime() (int64, error) {
	if err := f.f.call("modtime", f.name); err != nil {
		return 0, err
	}
	return f.file.ModTime()
}

func (f *failFile) WillNeed(off, n int64) { f.file.WillNeed(off, n) }

func (f *failFile) Close() error { return f.file.Close() }
