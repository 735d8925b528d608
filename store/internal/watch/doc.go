// Package watch carries events from those who change a stream to those who follow it. A
// [Hub] is where they are posted; a [Sub] is a bounded queue below it. A hub may have a
// parent, to which it passes everything on: a store has one, each of its streams one below it.
//
// Whoever posts never waits. A queue that is full drops what is in it, and tells its
// owner so: that is the price of never waiting.
package watch
