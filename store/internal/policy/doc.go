// Package policy decides what a stream's configuration makes of a message: whether it is stored,
// and what goes because of it, or because time went by. Both engines ask it, so that they
// agree. It does no I/O and takes no lock; who uses it serialises the calls.
//
// Its terms. The acts of a message are what its headers ask for. A [View] is what a
// decision needs to know of a stream. A [Window] remembers the ids inside of duplicate_window,
// [Deadlines] when messages with a Nats-TTL go, and a [Clock] whether the time can be trusted enough to
// remove messages by it.
package policy
