// Command jsfs mounts message streams as a file system, and looks after their stores.
//
// It wires the parts together: flags, sources, signals, mounting and unmounting. A
// SOURCE names a store; an engine (store/blockstore, store/memstore) opens it; fusefs
// shows it. Only this package knows engines, and only the process of `jsfs mount` serves:
// whatever has to look at a mount (`--daemon`, `umount`, repairing a dead mount)
// does so from another process, or before the mount exists.
package main
