package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"jsfs/fusefs"
	"jsfs/store"
)

// serve mounts st at path and returns when it is unmounted: by umount, or because of a signal.
func serve(ctx context.Context, s settings, st store.Store, src source, path string, logger *slog.Logger, out io.Writer) error {
	st, metrics, err := measured(st)
	if err != nil {
		return &notServedError{err}
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer signal.Stop(signals)

	srv, err := fusefs.Mount(path, st, fusefs.Options{
		ReadOnly:    s.readOnly,
		Unchanging:  s.readOnly, // a block store is locked, and a memory store is ours alone
		AllowOther:  s.allowOther,
		UID:         s.uid,
		GID:         s.gid,
		Umask:       s.umask,
		NoXattr:     s.noXattr,
		SeqWidth:    s.seqWidth,
		ListControl: s.listed,
		Subjects:    s.subjects,
		Compression: s.compression,
		Durable:     s.sync != "interval" && s.sync != "never",
		Transport:   fusefs.Transport(s.transport),
		Source:      src.name,
		Settings:    s.ofEngine(src),
		Version:     versionLine(),
		Metrics:     metrics,
		Logger:      logger,
		Debug:       s.debugFuse,
	})
	if err != nil {
		return &notServedError{explainMount(path, err)}
	}
	addProcessors(srv.Transport())
	reader, stopGuard := startGuard(path, logger)
	defer stopGuard()
	if reader != nil {
		srv.ReadNamesBy(reader)
	}
	note(out, "%s is mounted at %s", src.name, path)
	if s.detached {
		if err := detach(s.logFile); err != nil {
			logger.Error("detach from the terminal", "error", err)
		}
	}
	ended := make(chan struct{})
	go func() {
		srv.Wait()
		close(ended)
	}()
	return awaitEnd(ctx, srv, src, path, signals, ended, logger)
}

// How many threads may run Go code besides one for each CPU. One of them keeps a CPU from idling while requests
// come (fusefs/spinner); over io_uring each CPU has one that waits for requests.
const (
	spareForDev   = 1
	spareForUring = 3
)

// addProcessors lets more threads run Go code than there are CPUs, unless the user has said how many. Go takes a thread that waits in
// the kernel, or gives its CPU away, for one that runs until its monitor looks, which is up to 10 ms later. So long nobody else was
// woken: over io_uring who waits in follow got a message 10 ms late, and through /dev/fuse payloads were not sent ahead.
func addProcessors(carrier fusefs.Transport) {
	if os.Getenv("GOMAXPROCS") != "" {
		return
	}
	spare := spareForDev
	if carrier == fusefs.TransportUring {
		spare = spareForUring
	}
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + spare)
}

// ofEngine returns what .jsfs/config says besides what the mount itself knows: how the engine was opened. Nothing
// secret is among it.
func (s *settings) ofEngine(src source) map[string]any {
	keep := cmp.Or(s.keepDeleted, store.DefaultKeep)
	m := map[string]any{"keep_deleted": max(keep, 0).String(), "keep_limits": "no"}
	if s.keepLimits {
		m["keep_limits"] = "yes"
	}
	for name, n := range map[string]int64{
		"max_streams": int64(s.limits.MaxStreams), "max_consumers": int64(s.limits.MaxConsumers),
		"max_storage": s.limits.MaxStorage, "max_memory": s.maxMemory,
	} {
		if n != 0 {
			m[name] = n
		}
	}
	if src.dir == "" {
		return m
	}
	m["sync"] = s.sync
	if s.sync == "interval" && s.interval != 0 {
		m["sync"] = s.sync + "=" + s.interval.String()
	}
	if s.sync == "" {
		m["sync"] = "always"
	}
	if s.blockSize != 0 {
		m["block_size"] = s.blockSize
	}
	if s.compression != "" {
		m["compression"] = s.compression
	}
	return m
}

// awaitEnd returns when the mount has ended. The first signal asks for that, and the second
// one takes the mount out of the tree whoever uses it.
func awaitEnd(ctx context.Context, srv *fusefs.Server, src source, path string, signals <-chan os.Signal, ended <-chan struct{}, logger *slog.Logger) error {
	asked := ctx.Done()
	for n := 0; ; {
		select {
		case <-ended:
			if n == 0 && isShown(src, path) {
				return fmt.Errorf("the kernel gave up the mount at %s, which is dead now: somebody aborted its connection (`umount -f`, /sys/fs/fuse/connections); mount it again", path)
			}
			return nil
		case sig := <-signals:
			logger.Info("unmounting", "signal", sig.String())
			n++
		case <-asked:
			asked = nil
			n++
		}
		if n == 1 {
			go func() { // it waits for writers; a second signal must get through meanwhile
				if err := srv.Unmount(); err != nil {
					logger.Error("the mount is in use; end who uses it (`fuser -vm` lists them) and signal again, which forces it", "mountpoint", path, "error", err)
				}
			}()
			continue
		}
		if err := srv.Detach(); err != nil && isShown(src, path) {
			return fmt.Errorf("force the unmounting of %s: %w", path, err)
		}
		return nil // where it was taken away before, too
	}
}

// isShown says whether src is still mounted at path. What was unmounted is gone from there before its connection ends.
func isShown(src source, path string) bool {
	all, err := mounts()
	e, ok := topmost(all, path)
	return err == nil && ok && e.ours() && e.Source == src.name
}
