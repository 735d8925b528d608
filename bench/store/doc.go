// Package store measures the embedded block store beside nats-server's file store: the
// same work, in one run. It is a module of its own, so that jsfs itself does not depend on
// nats-server.
//
//	bench/store/run > table.md
//
// makes the table, medians of five runs of each. A single row is had by
//
//	cd bench/store && go test -bench Append/subjects=1/ -benchtime 1x
//
// Each benchmark does a fixed amount of work, so -benchtime is to be 1x. The figures of interest are cpu-ns/op: all CPU time of
// the process, background work and its part in the kernel included.
package store
