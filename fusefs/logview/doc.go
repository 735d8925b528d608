// Package logview shows the messages of one stream, or of a part of it that a query names, as one file: the
// log. Each message is framed ([Framing]: its payload, and a newline if it lacks one, or a JSON line), and a
// reader may read anywhere in it while messages are appended and removed.
//
// Its terms. While anybody has the log open there is an epoch: the layout is that of
// the messages that were live when it began, and of all that were appended since. In a
// layout no message ever moves, so the size never shrinks; what is removed leaves a
// run behind. A handle is one reader. A pass is what a handle has read in
// one go, from where it last sought to its frontier, which is where it reads on.
//
// What a reader gets:
//
//   - A pass that goes forward gives each message that is live when the frontier reaches
//     it, whole and once, and passes over runs. So the reader's position can fall behind the
//     layout's, never ahead. A message that the frontier is in the middle of is
//     completed, also if it is removed meanwhile.
//   - A position inside a pass keeps its meaning for the handle: what was read there is
//     there again, or newlines in its place if it was removed since. (Spaces, in a log of JSON lines.)
//   - Any other position is one of the layout, and begins a new pass. Inside a run, and
//     not at its first byte, it gives newlines to the run's end first.
//   - Who is in the middle of a message when that is removed gets the rest of it. If it is erased he gets newlines (spaces, in a log of JSON
//     lines) up to its last one, from when that is noted; see [Erasures].
//   - A damaged message gives its error where it stands, each time, to whoever reads
//     there; reading beyond it goes on. A message of which not even the size is left takes no room: a
//     pass tells of it, or of several in a row, with one error and then goes on.
//
// A seek costs a scan of the thousand messages around it, more only the first time that one goes to a block of the
// stream; the last four such stretches are remembered, so that who reads backwards, or several who read by turns, don't
// pay for it with each read. Memory grows with the runs and with the messages divided by a thousand, never with
// the messages. If the engine's events are lost because too many came at once, the places of
// what was removed meanwhile are guessed inside of a segment: then positions in that segment
// may be off by the size of what was removed. A forward pass is exact all the same,
// since it goes by sequences. A message that comes back after its removal is back in its place
// if it was one of the last thousand removed, else it shows when the next epoch begins.
//
// The log of a part follows no events, which don't tell a message's subject: who reads or asks for the size looks for
// what was stored since. It is scanned once, when its size is asked for or it is opened, and again only after something was removed from the stream. What was removed from it while it is open is found when
// something near is read: then positions may be off by its size within the thousand messages around it. A forward pass is exact, and
// the size never shrinks, as ever. A message that comes back to a part meanwhile may be shown or not.
package logview
