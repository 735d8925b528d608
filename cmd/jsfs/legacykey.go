package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"jsfs/store/legacy"
)

// readLegacyKey reads a key for payloads of the first generation: a file of 32 bytes, or of 64 hexadecimal digits,
// that nobody but its owner may read.
func readLegacyKey(path string) (legacy.Key, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", explainPath(err))
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	owner, known := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("key file %s is a %s", path, kindOf(info.Mode()))
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("key file %s: others may read it (mode %04o); `chmod 600` it", path, info.Mode().Perm())
	case known && owner.Uid != uint32(os.Geteuid()): //nolint:gosec // a uid is not negative
		return nil, fmt.Errorf("key file %s belongs to user %d, and you are user %d", path, owner.Uid, os.Geteuid())
	}
	b, err := io.ReadAll(io.LimitReader(f, 128))
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	key, err := parseLegacyKey(b)
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	return key, nil
}

func parseLegacyKey(b []byte) (legacy.Key, error) {
	if len(b) == 32 {
		return b, nil
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(b)))
	if err != nil || len(key) != 32 {
		return nil, errors.New("it has neither 32 bytes nor 64 hexadecimal digits")
	}
	return key, nil
}

// readLegacyKeys reads several.
func readLegacyKeys(paths []string) ([]legacy.Key, error) {
	var keys []legacy.Key
	for _, path := range paths {
		key, err := readLegacyKey(path)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}
