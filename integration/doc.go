// Package integration tests the built binary: real mounts, real tools, another
// user, kill -9. It imports nothing of jsfs, and the tests never touch a mount from
// the process that serves it.
//
// The harness is in main_test.go (the binary, the tools), mount_harness_test.go (a mount
// and its server) and shell_harness_test.go (commands). A test reads:
//
//	m := mount(t)
//	m.sh("mkdir S; echo hi > S/x")
//	if got, want := m.sh("cat S/*"), "hi\n"; got != want { … }
//
// A script of sh ends at its first command that fails; one that must fail is written `! command || wrong`. What each name in a mount
// is for stands as scripts in testdata/rows (rows_test.go).
//
// Everything fails, and nothing is skipped, where FUSE or a tool is missing.
package integration
