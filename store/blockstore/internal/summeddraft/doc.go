// Package summeddraft keeps checksums of a draft that is a plain file: of each piece of it one, in memory, and on disk while the
// draft rests. What was written is read as it was, or damage is told.
//
// The package knows when sums are those of the file, and its caller when they are to be put on disk and taken from there: see
// [Sums.Keep] and [ErrKept].
package summeddraft
