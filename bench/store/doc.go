// Package store measures the embedded block store beside nats-server's file store: the
// same work, in one run. It is a module of its own, so that jsfs itself does not depend on
// nats-server. The figures of interest are cpu-ns/op: all CPU time of the process,
// background work and kernel included.
//
//	cd bench/store && go test -bench . -count 6 | benchstat -col /store -
package store
