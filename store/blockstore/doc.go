// Package blockstore is the embedded engine: streams as runs of append-only block files
// in a directory. FORMAT.md in store/internal/record specifies the bytes, what a
// crash can leave, and what opening makes of it.
//
// Its terms. A block is a file of records. The newest one, the tail, grows; when it has
// its size it is sealed with a footer, and from then on nothing in it changes; a new one may take its place. A
// message is removed by a control, a record in the tail that says so; a bitmap a block keeps
// in memory who is removed. The snapshot is what readers see: it is replaced as a whole with
// every change; what was appended becomes one when somebody looks.
//
// What it promises beyond the contract in package store: what a call has stored survives
// the end of the process when the call returns, and the end of the machine's run as
// [Options].Sync says. Removals reach the disk with the next sync; what consumers did within 100 ms, or with
// [Stream.Sync]. After a crash a stream
// is a prefix of what was stored. Bytes that were damaged cost the messages that they belong to,
// and are reported; opening changes nothing on disk before the first write but for what limits take away,
// but that it converts streams of the first generation. The space of removed messages and streams is given back in the
// background, some time after they need no longer be kept, and at once when the disk is full. Memory grows with blocks
// and removals (a few bits for each message of a block that has any), and, once somebody has asked for messages by
// their subjects, with subjects (about 55 bytes each and the name, and 8 for a message of the tail). Of a tail that is
// written it keeps 8 bytes a message, one and a half more once a time was sought in it, and its subjects, where thousands come by turns
// with each message anew, of messages in sealed blocks what [Options].CacheBytes bounds.
//
// The files, by what they are about:
//
//   - a store and its options: store, options, clock, account, gate, smallfile, quarantine, update, attic, atticread
//   - opening it: open, incarnations, sealed, openstreams, survey
//   - a stream, its blocks, and what readers see of them: stream, current, block, cache, offsets, blockreader, damage, invariants_on, invariants_off
//   - opening a stream: streamopen, openconfig, blockends, replaced, replay, doubt, recover, statefile, prepare
//   - appending: append, commit, decide, limits, remembered, onsubject, expire, rotate, tailnotes, footer
//   - putting back: restore
//   - reading by sequence and time: read, loadrun, ahead, foresight, seek, times, gaps, kept
//   - finding by subject: subjects, unindex, known, table, match, tailchain, find, count, walk
//   - removing: remove, removal, purge, erase, erasecopies
//   - giving space back: reclaimer, reclaim, plan, waste, rewrite, rewritecontrols, pinned, swap, retired
//   - streams that go, come back, or are cut off: removestream, onego, removaltimes, truncate, truncatecopy, truncatedrafts, outdated
//   - drafts: drafts, draftfile, draftsize, draftname, plaindraft, draftsums, shareddraft, publishdraft, published, spentdrafts
//   - consumers, mirrors and sources: consumers, replica
//   - streams of the first generation: convert, forget
//   - looking after a store that is not mounted: check, checksums, salvage, rekey
package blockstore
