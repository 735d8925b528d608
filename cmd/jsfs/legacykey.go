package main

import (
	"bytes"
	"fmt"

	"jsfs/store/keys"
	"jsfs/store/legacy"
)

// readLegacyKey reads a key for payloads of the first generation: a file of 32 bytes, or of 64 hexadecimal digits,
// that nobody but its owner may read.
func readLegacyKey(path string) (key legacy.Key, err error) {
	secret, err := keys.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	defer secret.Wipe()
	err = secret.Key(func(b []byte) error {
		key = bytes.Clone(b)
		return nil
	})
	return key, err
}

// readLegacyKeys reads several.
func readLegacyKeys(paths []string) ([]legacy.Key, error) {
	var all []legacy.Key
	for _, path := range paths {
		key, err := readLegacyKey(path)
		if err != nil {
			return nil, err
		}
		all = append(all, key)
	}
	return all, nil
}
