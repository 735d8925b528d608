// Package store is the contract between jsfs and the engines that keep its
// messages: types, roles, errors, configuration and the rules for names and
// subjects. It does no I/O and imports the standard library only.
//
// Its terms. A [Store] holds streams. A [Stream] is a named, ordered log of
// messages. A message has a sequence number ([Seq]: 1, 2, 3 …, never reused), a
// subject, a header block, a time and a payload. A message is live until it is
// removed; what was removed, and what damage has made unreadable, are told apart.
//
// A stream is used through small roles: [Reader], [Finder], [Writer], [Purger], [Keeper], [Follower], [Drafts],
// [Replica] and [Consumers]. A [Store] adds administration, and an [Attic] of what was removed. Engines stand below this
// package (store/blockstore, store/memstore) and all pass the conformance suite
// in store/storetest; the memory store is the model that the others must agree with.
//
// What every engine promises:
//
//   - A call that returns an error changed nothing, unless its comment says what
//     may have changed.
//   - What a call has changed when it returns nil is seen by every call that starts later.
//   - A sequence number is never handed out twice, and a message never changes.
//   - Every method may be called concurrently, and may be slow: it honours its context
//     while it waits. An engine on local disk waits only for disk syncs.
//   - Bytes given to an engine belong to the caller again when the call returns.
package store
