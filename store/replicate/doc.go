// Package replicate lets streams follow their origins: a mirror has the messages of one, under
// their own sequences and times; a stream with sources has the messages of several, appended in
// the order in which they came, each with the header [store.HeaderSource].
//
// Its terms. A target is a stream that follows; an origin is what it follows; a link is a goroutine that does so
// for one pair. Where a link is, its position, is the sequence of the origin up to which everything was taken.
//
// It stands on the contract alone. A target is in the store that runs the [Runner]; an origin may be anywhere: its calls
// may be slow, fail half-way, and are repeated, with growing pauses. What is promised:
//
//   - Each message that the origin has when the link gets there is taken once, in order, also
//     when calls fail, the program is killed or the power fails. A mirror's position is the last sequence of the mirror
//     itself. That of a source is in the header of each message that came from it, and survives the message: see [Target].
//   - What the origin removes later stays in the target. What it removed before, or has lost, is a gap in a
//     mirror. What it brings back after the link went by is not taken.
//   - A message that the target refuses, because of a limit for example, is tried again until it is taken, and
//     what is behind it waits. Only an empty place is passed over, never a message.
//   - A copy of a target in another store goes on where the target was, in the origin that has the name there.
//   - Of an origin that was removed and made again, a source is taken from its beginning again. A
//     mirror goes on at its own last sequence, as NATS's does, and says so.
package replicate
