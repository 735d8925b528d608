// Package uring carries FUSE requests over io_uring instead of reads and writes of
// /dev/fuse: an answer and the wait for the next request are one system call, and who asks
// and who answers share a core.
//
// The kernel has a queue for each possible CPU, and asks in the queue of the CPU on which the
// caller runs. A worker is a thread, bound to that CPU, with a ring and one entry: room for a request
// and its answer. An entry belongs to the thread that armed it. So a worker that waits
// for a disk holds up its own request alone, as its only entry is taken; the kernel gives the next one to
// another worker, the one that was armed last, so that a program which does one thing
// after another is served by one thread. A queue whose last free worker was taken gets one
// more: there are as many as there were requests at the same time, and one.
//
// FORGET, INTERRUPT and notifications stay on /dev/fuse, whose reader is not this package's.
package uring
