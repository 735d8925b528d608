// Package fusefs shows a store.Store as a file system, over FUSE.
//
// Its terms. A node is an inode; its number is made by package mapping from a kind,
// the incarnation of a stream and a number alone, so that messages, directories and
// control files need no table: what was listed, looked up or read leaves nothing
// behind. An object is a node that has a name but no number of its own: a subject
// node or a draft; objects live in a table for as long as the kernel knows them. A message
// directory shows the messages of a stream that a filter lets through; the stream's own shows all. A
// view is a message directory other than the stream's own, or a file or directory that is made
// from one; views live in a table of their own, likewise. A place is what a node number stands for. A
// handle is an open file that has state; what is open without state has handle 0.
//
// What users may see, and for how long it may be stale, is in SEMANTICS.md.
//
// Locks. Every lock in this package is a leaf: none is held while another is taken,
// while the store is called, or while the kernel is told something. One goroutine
// (notifier) tells the kernel what changed; a handler never does, because the
// kernel may hold the very lock that the notification needs until the handler answers.
// A draft has the exceptions of the first kind: its name (draftNames) is locked while the store renames, removes, makes or opens
// what has it, and its node while it becomes a message, in this order. Who reads or writes what he has open needs no name.
// So has the configuration of a stream: who gives it one has a lock (copied.choosing) until the store has it, which the first who appends or removes
// something takes, too, whatever he holds of a draft.
// So have restored messages that are held (package gather): whoever needs them waits while they are stored.
// Of the second kind there are two. One is the prefetcher where requests come over io_uring: there each has a
// thread, and the prefetcher waits only for messages behind the one that is asked for.
// The other is a draft that becomes a message: before its locks are taken, the kernel is
// asked for the pages that it has of it. It locks page after page for that, and may wait for a READ or WRITE of one, whose handler takes
// no lock that is held then; that of the inode, which it holds for a RENAME, it needs for none of them.
package fusefs
