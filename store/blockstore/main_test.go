package blockstore_test

import (
	"os"
	"runtime/debug"
	"testing"
)

// TestMain lets garbage wait: the trials make many short-lived stores in memory, and would collect half of the time.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(1 << 30) // from there on it is collected as usual
	os.Exit(m.Run())
}
