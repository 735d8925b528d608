// Package scan finds out what a block says from its records alone, without its footer: of the tail when a stream
// is opened, of a block whose footer is damaged, and when a check compares the two.
//
// It reads and changes nothing else: what the findings mean for a stream is its caller's. Nothing in it may be used
// by several goroutines at the same time.
package scan
