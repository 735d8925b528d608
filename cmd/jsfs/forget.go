package main

import (
	"errors"
	"fmt"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/keys"
)

// forgetting is what check was asked to do with converted files of the first generation, and with streams that are missing.
type forgetting struct {
	on   bool
	keys []string // files with keys for their payloads

	missing bool // streams whose directories are missing, too
}

var errNotForgotten = errors.New("not every file of the first generation could be removed; what the store lacks of it stands above")

// do removes the files that a check found in a store, if that was asked for, and returns what became of them. secret unlocks
// the store, nil if it is not encrypted.
func (f forgetting) do(src source, secret *keys.Secret, found []blockstore.MigratedFile) ([]blockstore.MigratedFile, error) {
	if !f.on {
		return found, nil
	}
	legacyKeys, err := readLegacyKeys(f.keys)
	if err != nil {
		return found, err
	}
	files, err := blockstore.ForgetMigrated(src.dir, blockstore.Options{Secret: secret, LegacyKeys: legacyKeys})
	if err != nil {
		return files, explainStore(src, err)
	}
	return files, nil
}

// doMissing forgets the streams whose directories are missing, if that was asked for, and returns the directories.
func (f forgetting) doMissing(src source, secret *keys.Secret) ([]string, error) {
	if !f.missing {
		return nil, nil
	}
	dirs, err := blockstore.ForgetMissing(src.dir, blockstore.Options{Secret: secret})
	if err != nil {
		return dirs, explainStore(src, err)
	}
	return dirs, nil
}

// sayMigrated says what became of a converted file.
func sayMigrated(m blockstore.MigratedFile) string {
	switch {
	case m.Forgotten && m.Removed > 0:
		return fmt.Sprintf("removed %s: the store has its %s, of which %d were removed since", m.File, store.NumberOf(m.Messages, "message"), m.Removed)
	case m.Forgotten:
		return fmt.Sprintf("removed %s: the store has its %s", m.File, store.NumberOf(m.Messages, "message"))
	case m.Left != "":
		return fmt.Sprintf("kept %s: %s", m.File, m.Left)
	}
	return fmt.Sprintf("converted: %s, %s; --forget-migrated removes it", m.File, store.NumberOf(m.Bytes, "byte"))
}
