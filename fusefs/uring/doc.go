// Package uring carries FUSE requests over io_uring instead of reads and writes of
// /dev/fuse: an answer and the wait for the next request are one system call, and who asks
// and who answers share a core.
//
// The kernel has a queue for each possible CPU, and asks in the queue of the CPU on which the
// caller runs. An entry is room for one request and its answer. It belongs to the thread that
// armed it: the kernel copies a request into it when that thread comes by. So a worker is a thread,
// bound to that CPU, with a ring of its own and one entry. If it waits for a disk it holds up its own
// request alone. The kernel gives the next one to the entry that was armed last, so that a
// program which does one thing after another is served by one thread. When no worker is free, a
// request gets an entry from the queue's reserve, and with it a new worker. Package spinner sees to it, on two CPUs, that caller
// and worker stay where they are.
//
// FORGET, INTERRUPT and notifications stay on /dev/fuse, whose reader is not this package's.
package uring
