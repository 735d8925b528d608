// Package memstore keeps streams in memory: a slice of messages for each and one mutex. It
// is the engine behind "mem:", for scratch and for tests, and it is the model with
// which the other engines must agree; so it stays plain.
//
// Nothing in it survives the end of the process; within that, every promise of
// package store holds. What was removed is kept, and can be undeleted, until its
// space is needed: then all of it is forgotten at once.
package memstore
