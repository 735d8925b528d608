// Package mapping says how a stream looks as files: which name stands for which
// message, subject or view, which number a node has, what a message's extended
// attributes are, and how messages are framed in the log. It is pure: values in,
// values out; no I/O, no clock, no goroutine.
//
// Its terms. A name in a stream's directory is one of four kinds ([NameKind]): a
// sequence, a subject, a control file or a draft. A control file ([Control]) is a
// view of the stream, kept in its directory ".jsfs"; some have a short name that
// starts with a dot. A [Filter] says which messages a message directory shows, and is what names like
// "orders.>", "100-200" or "2026-11-22" stand for in directories of views. A node number ([Node]) is what the kernel knows a file by.
//
// It promises that what it formats it also parses back to the same value, and that
// two different values never get the same name or number where their comment says so.
package mapping
