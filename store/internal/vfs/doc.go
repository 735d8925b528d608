// Package vfs is the way by which an engine reaches the disk: a small file-system
// interface, rooted at the store's directory, so that a test can crash it before every
// change and fail it at every call.
//
// Names are relative to the root, with slashes, as [io/fs.ValidPath] wants them; "." is the
// root itself. Errors are recognised with errors.Is: fs.ErrNotExist, fs.ErrExist,
// fs.ErrClosed, syscall.ENOTEMPTY, syscall.ENOSPC, syscall.EROFS and, from Lock,
// store.ErrLocked.
//
// There are three implementations, and one conformance test runs over all of them:
// [OS] is a real directory, [Mem] is memory that knows what is durable, and [Fail] wraps
// another one and makes calls fail.
package vfs
