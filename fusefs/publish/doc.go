// Package publish turns what programs write into messages. It knows files that are
// open, processes and streams, but nothing of FUSE.
//
// Its terms. An open is what open(2) makes: one or more descriptors, in one process
// or in several, until the last of them is closed. Its opener is the process that
// called open(2). A commit appends what was written through the open since the last
// commit, as one message.
//
// A FUSE server is told FLUSH for every descriptor that is closed, by whichever
// process, and RELEASE once all are. A shell closes descriptors before and between
// writes, a child's exit closes its own, and a killed program closes all of them
// just as an orderly one does. The rule by which a FLUSH commits:
//
//  1. Something was written since the last commit, and
//  2. the caller is the opener, any of its threads, and
//  3. the opener has no other descriptor of this open left, and
//  4. the opener was not killed by a signal.
//
// One case is left to Release although the rule holds: the opener wrote nothing itself, and
// a process that did still has the file open. It opened the file for a child, which is in the
// middle of its message.
//
// Where that can't be known (the caller's pid is 0, /proc can't be read), a FLUSH with data
// commits. Fsync commits always. Release takes what is left: what was written
// through an inherited descriptor, and the empty message of a file that was made or
// emptied and never written. A RELEASE without any FLUSH is of an open(2) that failed behind
// our answer, as its caller was killed: then there is no empty message. What a killed program leaves is kept as a draft
// .killed.N; what is refused when nobody can be told any more, as .refused.N.
//
// [Writer] is an open of a name for a subject: one message, of whatever was
// written anywhere in the file. [Lines] is an open of a log: a message a line, appended
// before the write returns; the rule holds for its last line while that lacks a newline.
//
// [Closes] is an open of a file that is no message's, as that of commands: the rule says when what was written is whole. Who wrote
// a command says nothing of the next one.
//
// What the package promises: a message is appended whole, with the bytes that were
// written and no others; no more memory is taken than the [Budget] allows, whatever is
// written at whatever offset; an error that a writer can be told is returned to it.
package publish
