package publish

// Proc answers questions about the processes that call. Pids are those that FUSE
// requests carry: of a thread, 0 for a caller whose pid is not known.
type Proc interface {
	// Process returns the process that a thread belongs to.
	Process(tid uint32) (pid int, err error)
	// Writable counts the descriptors on a file, by its inode number, that are
	// open for writing in the descriptor table of a thread. all says how many
	// descriptors of any kind it met; a process that is on its way out has none. It
	// may stop counting above enough.
	Writable(tid uint32, inode uint64, enough int) (n, all int, err error)
	// Killed says whether the process is being ended by a signal.
	Killed(pid int) (bool, error)
}
