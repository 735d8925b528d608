package main

import (
	"fmt"
	"log/slog"

	"jsfs/store"
	"jsfs/store/memstore"
)

// openSource opens the engine that a source is for.
func openSource(src source, _ settings, logger *slog.Logger) (store.Store, error) {
	if src.dir == "" {
		return memstore.New(memstore.Options{Logger: logger}), nil
	}
	return nil, fmt.Errorf("source %s: this build has the memory store only; use mem:", src.dir)
}
