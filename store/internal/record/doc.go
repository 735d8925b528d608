// Package record is the codec of the block store's files: bytes in, values out, no
// I/O. FORMAT.md beside it is the specification; constants name its sections.
//
// Its terms. A record is a message or a control (a removal, an undeletion, a skip)
// in a block. A block has a [Header], records, and a [Footer] once it is sealed. A
// [Coder] reads and writes the records of one block: it knows the block's salt,
// which every check depends on, so that a record is valid in its own block and at
// its own offset only. An envelope is a small file kept twice; a [State] is what
// a stream keeps to know how it was left.
//
// Decoding never trusts a length, never allocates before it has checked one, and
// returns [ErrShort] where more bytes could make the input valid, [ErrBad] where
// they could not, and [store.ErrVersion] for what a later version wrote.
package record
