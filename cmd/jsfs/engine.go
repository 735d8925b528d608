package main

import (
	"errors"
	"io"
	"log/slog"
	"time"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/memstore"
)

// openSource opens the engine that a source is for. Notes for people go to out.
func openSource(src source, s settings, logger *slog.Logger, out io.Writer) (store.Store, error) {
	if src.dir == "" && !s.key.given() {
		return memstore.New(memstore.Options{
			Logger: logger, MaxBytes: s.maxMemory, Limits: s.limits, KeepDeleted: s.keepDeleted, KeepLimits: s.keepLimits,
		}), nil
	}
	keys, err := readLegacyKeys(s.legacyKeys)
	if err != nil {
		return nil, err
	}
	secret, cipher, err := s.secret(src)
	if err != nil {
		return nil, err
	}
	defer secret.Wipe()
	return openBlocks(src, s, blockstore.Options{Secret: secret, Cipher: cipher, LegacyKeys: keys, Logger: logger}, out)
}

// openBlocks opens a block store as the settings say, with the keys and the logger of opt.
func openBlocks(src source, s settings, opt blockstore.Options, out io.Writer) (store.Store, error) {
	opt.Interval, opt.BlockSize, opt.ReadOnly, opt.Compression = s.interval, s.blockSize, s.readOnly, s.compression
	opt.Limits, opt.KeepDeleted, opt.KeepLimits = s.limits, s.keepDeleted, s.keepLimits
	opt.Converting = func(stream, step string, done, total int64) {
		note(out, "converting %s: %d of %d MB %s", stream, done>>20, total>>20, step)
	}
	switch s.sync {
	case "interval":
		opt.Sync = blockstore.SyncInterval
	case "never":
		opt.Sync = blockstore.SyncNever
	default:
		opt.Sync = blockstore.SyncAlways
	}
	st, err := openWhenFree(src, opt)
	if err != nil {
		return nil, explainOpen(src, err, s.key.prefix)
	}
	noteConverted(out, st)
	return st, nil
}

// freeWithin is how long a server that no longer shows a store may take to close it.
const freeWithin = 5 * time.Second

// openWhenFree opens a block store. If a server has it that does not show it any more, it is
// just about to close it, and is waited for.
func openWhenFree(src source, opt blockstore.Options) (store.Store, error) {
	for end := time.Now().Add(freeWithin); ; time.Sleep(10 * time.Millisecond) {
		st, err := blockstore.OpenDir(src.dir, opt)
		if !errors.Is(err, store.ErrLocked) || time.Now().After(end) || shown(src) {
			return st, err
		}
	}
}

// shown says whether the source is mounted somewhere.
func shown(src source) bool {
	all, err := mounts()
	_, ok := mountOf(all, src)
	return ok || err != nil
}
