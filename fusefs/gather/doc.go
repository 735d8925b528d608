// Package gather restores messages in whatever order they come.
//
// A stream takes its messages in the order of their sequences. Who copies one back from a disk brings its files in the order that
// they have there: `cp -a` goes by inode, `tar` by the directory's hash. So a message that leaves a gap is held until those below it have come. It is
// acknowledged, so it is kept in a draft, [Draft], as a JSON line, and outlives the process. What is held is stored, in order,
//
//   - when all processes that brought it, its makers, have exited, or have brought nothing for some seconds;
//   - before anything that takes sequences, or changes messages or the configuration;
//   - when a maker looks at the stream, or anybody at a message that is held;
//   - when the mount ends, or the next one begins.
//
// Everybody else sees the stream without what is held, as long as a maker is there.
package gather
