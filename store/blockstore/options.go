package blockstore

import (
	"fmt"
	"log/slog"
	"time"

	"jsfs/store"
	"jsfs/store/internal/record"
	"jsfs/store/keys"
	"jsfs/store/legacy"
)

// Sync says when what was stored is on disk.
type Sync int

// The sync policies. Whatever the policy, what was stored survives the end of the
// process, Stream.Sync makes everything before it durable, and a block is durable before the next
// one gets its first record.
const (
	// SyncAlways: a call that stores returns after the message is on disk. Calls that
	// run at the same time share one disk sync.
	SyncAlways Sync = iota
	// SyncInterval: what was stored is on disk after Options.Interval and a disk sync.
	SyncInterval
	// SyncNever: when the operating system sees fit.
	SyncNever
)

// String returns the policy's name on the command line.
func (s Sync) String() string {
	switch s {
	case SyncAlways:
		return "always"
	case SyncInterval:
		return "interval"
	case SyncNever:
		return "never"
	}
	return fmt.Sprintf("Sync(%d)", int(s))
}

// Options say how a store is opened. The zero value is ready to use.
type Options struct {
	// Sync is the sync policy, Interval the time of SyncInterval: 200 ms unless set, 1 s
	// at most. Removals reach the disk after as long with SyncAlways.
	Sync     Sync
	Interval time.Duration
	// BlockSize is the size in bytes at which a block is sealed: 8 MiB unless set, and no more than a 64th of the disk (a 128th of
	// one below 16 MiB). A message that is larger has a block of its own.
	BlockSize int64
	// LegacyKeys open the encrypted payloads of streams of the first generation, as a key that is the Secret does.
	LegacyKeys []legacy.Key
	// Converting, if it is set, is called every few seconds while such a stream is converted: what is being done with
	// its file, and how many of the file's bytes are done.
	Converting func(stream, step string, done, total int64)
	// Compression is what streams get that are created without saying: none unless set.
	Compression store.Compression
	// Secret unlocks an encrypted store. A store is encrypted if it was made with a Secret, with Cipher, AES unless
	// set; one that was not stays so. Open keeps no reference to it.
	Secret *keys.Secret
	Cipher keys.Cipher
	// Limits bound what the store takes.
	Limits store.AccountLimits
	// ReadOnly opens a store that exists without changing a byte of it.
	ReadOnly bool
	// asked gives space back only when Reclaim is called, or when the disk is full: for tests.
	asked bool
	// salvage does without what is missing of the store; see Salvage.
	salvage bool
	// Now gives the time that is stored with a message, in nanoseconds since the Unix epoch.
	Now func() int64
	// Logger is told what nobody else can be told; nil is silent.
	Logger *slog.Logger
	// KeepDeleted is for how long what was removed is kept at least, so that it can be brought back: 24 h unless set;
	// nothing is kept if it is negative. KeepLimits keeps what limits, ages and rollups remove, too.
	KeepDeleted time.Duration
	KeepLimits  bool
	// CacheBytes bounds the memory for indexes of sealed blocks: 64 MiB unless set.
	CacheBytes int64
	// MaxFiles bounds the open files of sealed blocks: 256 unless set.
	MaxFiles int
}

const (
	defaultInterval  = 200 * time.Millisecond
	maxInterval      = time.Second
	defaultBlockSize = 8 << 20
	minBlockSize     = record.DataStart + 1024
	maxBlockSize     = 1 << 30
	// blocksOfDisk is how many blocks a disk has room for at least; twice as many where that makes them small.
	blocksOfDisk    = 64
	defaultCache    = 64 << 20
	defaultMaxFiles = 256
)

func (o Options) withDefaults() Options {
	if o.Interval == 0 {
		o.Interval = defaultInterval
	}
	if o.BlockSize == 0 {
		o.BlockSize = defaultBlockSize
	}
	if o.Now == nil {
		o.Now = new(clock).now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.KeepDeleted == 0 {
		o.KeepDeleted = store.DefaultKeep
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = defaultCache
	}
	if o.MaxFiles == 0 {
		o.MaxFiles = defaultMaxFiles
	}
	return o
}

func (o Options) validate() error {
	switch {
	case o.Sync < SyncAlways || o.Sync > SyncNever:
		return fmt.Errorf("sync policy %v: %w", o.Sync, store.ErrInvalid)
	case o.Interval < time.Millisecond || o.Interval > maxInterval:
		return fmt.Errorf("sync interval %v: %w: it is not between 1ms and %v", o.Interval, store.ErrInvalid, maxInterval)
	case o.Cipher != 0 && (!o.Cipher.Known() || o.Secret == nil):
		return fmt.Errorf("cipher %v: %w: it is not known, or there is no key for it", o.Cipher, store.ErrInvalid)
	case o.CacheBytes < 0 || o.MaxFiles < 1:
		return fmt.Errorf("cache of %d bytes and %d files: %w", o.CacheBytes, o.MaxFiles, store.ErrInvalid)
	}
	if err := CheckBlockSize(o.BlockSize); err != nil {
		return err
	}
	return o.Limits.Check()
}

// CheckBlockSize returns nil if blocks can have that size, in bytes; else store.ErrInvalid with what it may be.
func CheckBlockSize(n int64) error {
	if n < minBlockSize || n > maxBlockSize {
		return fmt.Errorf("block size %d: %w: it is not between %d and %d", n, store.ErrInvalid, minBlockSize, maxBlockSize)
	}
	return nil
}
