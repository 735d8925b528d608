package main

import (
	"os"
	"testing"
)

// A test that comes to mount has its own binary for the mount's guard, which must not run the tests once more.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == guardName {
		os.Exit(exitUsage)
	}
	os.Exit(m.Run())
}
