// Package transfer moves streams: from one store to another, into files, and back. It
// works on the contract in package store alone, so between any two engines.
//
// Its terms. An origin is where the messages of a stream come from: a stream, or a backup
// of one. A copy has the origin's configuration, its live messages under
// their own sequences and times, and its consumers with all that they remember; what the origin removed or skipped is skipped in it, and it ends
// at the same last sequence. A backup is a file in the form that FORMAT.md beside this package
// specifies: a part for each stream, a line for each message.
//
// What it promises. A copy and a backup of a stream that is written meanwhile are what it had up to
// the last sequence at their beginning; what is removed meanwhile may be in them or not. Consumers are as they were at the beginning, and
// never know of a message that is not there: so nothing is passed over that was not acknowledged. What stopped
// half way is gone on with by the same call: what is there already is compared with the
// origin, message by message, and a stream or a file that is anything else than a beginning of it is
// refused with store.ErrExists and not touched. When a call returns nil, what it made is durable and was
// counted; with Options.Verify it was also read back and its checksum compared. Messages that the
// origin lost to damage are left out, and named in the Result. No message of a backup is
// used before a checksum behind it was found right.
package transfer
