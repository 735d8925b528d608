package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// readyWithin is how long a daemon may say nothing until its mount lists. Opening a large store
// after a crash is part of it; converting an old one takes longer, and tells how far it is.
const readyWithin = 5 * time.Minute

// startDaemon runs this command line again in a process that has no terminal, and waits until
// the mount lists, which this process may try and the serving one may not.
//
// The child writes to a pipe until it serves, and then lets go of it (see detach): what it says is passed
// on to out, and the pipe's end means that there is a mount, or no child.
func startDaemon(ctx context.Context, s settings, sourceArg, pointArg string, out io.Writer) error {
	secret, handed, err := s.hand(sourceArg, pointArg)
	if err != nil {
		return err
	}
	if secret != nil {
		defer func() { _ = secret.Close() }()
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find my own program: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	child := exec.Command(self, daemonArgs(os.Args, handed)...)
	if secret != nil {
		child.ExtraFiles = []*os.File{secret} // descriptor 3
	}
	child.Stdout, child.Stderr = w, w
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = child.Start()
	_ = w.Close()
	if err != nil {
		return fmt.Errorf("start the daemon: %w", err)
	}
	ended := make(chan int, 1)
	go func() {
		_ = child.Wait() // its outcome is that it ended too early
		ended <- child.ProcessState.ExitCode()
	}()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	late := time.AfterFunc(readyWithin, cancel)
	defer late.Stop()
	said := make(chan struct{})
	go func() {
		_, _ = io.Copy(hearing{out, func() { late.Reset(readyWithin) }}, r)
		close(said)
	}()
	if err := awaitListing(ctx, pointArg, said, ended); err != nil {
		_ = child.Process.Signal(syscall.SIGTERM)
		return err
	}
	return nil
}

// hearing is a writer that tells when something is written. It takes everything, also where nobody
// reads it any more: who writes must not wait for that.
type hearing struct {
	io.Writer
	heard func()
}

func (h hearing) Write(p []byte) (int, error) {
	h.heard()
	_, _ = h.Writer.Write(p)
	return len(p), nil
}

// daemonArgs is the command line that the child gets: that of the parent, or what mount(8)'s
// form of it means, and a flag more.
func daemonArgs(args []string, handed string) []string {
	argv := args[1:]
	if len(argv) == 0 || argv[0] != "mount" {
		argv, _ = helperArgs(argv) // it was good when this process started
	}
	more := []string{"--detached"}
	if handed != "" {
		more = append(more, "--handed="+handed)
	}
	return slices.Insert(slices.Clone(argv), 1, more...)
}

// awaitListing returns nil when the daemon has detached and its mount lists. said is closed when the daemon has detached or ended; its
// exit code comes from ended.
func awaitListing(ctx context.Context, pointArg string, said <-chan struct{}, ended <-chan int) error {
	select {
	case <-said:
	case <-ctx.Done():
		return fmt.Errorf("the mount did not work, and said nothing for %v", readyWithin)
	}
	for {
		select {
		case code := <-ended: // the child has said why
			if code != exitUsage {
				code = exitFailed
			}
			return &exitError{code, nil}
		case <-ctx.Done():
			return fmt.Errorf("the mount did not list within %v", readyWithin)
		case <-time.After(5 * time.Millisecond):
		}
		all, err := mounts()
		if err != nil {
			return err
		}
		path, err := resolve(pointArg)
		if err != nil {
			continue
		}
		if e, ok := topmost(all, path); ok && e.ours() && probe(path) == nil {
			return nil
		}
	}
}

// detach lets go of the terminal, the pipe to the parent and the working directory. What is written
// to standard error from then on, which only a crashing program does, goes to the log file.
func detach(logFile string) error {
	sink := os.DevNull
	if logFile != "" {
		sink = logFile
	}
	f, err := os.OpenFile(sink, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return errors.Join(
		os.Chdir("/"),
		unix.Dup3(int(f.Fd()), 1, 0),
		unix.Dup3(int(f.Fd()), 2, 0),
	)
}
