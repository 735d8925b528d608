package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// A server that is killed can leave threads behind. One that tells the kernel of a name waits for the directory's lock, where no signal
// ends it; the lock has a client, which waits for an answer; and the kernel gives the client up only when the last thread of the
// server is gone. So another process, the guard, sees to it that the kernel gives up the connection.

// guardCommand is what the guard runs.
func guardCommand() *cobra.Command {
	return &cobra.Command{
		Use: guardName + " PID", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			server, err := strconv.Atoi(args[0])
			if err != nil {
				return err
			}
			go answerNames(os.NewFile(4, "server"))
			return guard(server, os.NewFile(3, "abort"))
		},
	}
}

const guardName = "guard"

// serverGone is the signal that the kernel sends the guard. It is a real-time signal, which nobody else sends: it ends a mount.
const serverGone = syscall.Signal(50)

// guard waits until the server, the process that started it, is gone, and aborts its connection then.
func guard(server int, abort *os.File) error {
	runtime.LockOSThread() // the thread that asks for the signal must stay
	gone := make(chan os.Signal, 1)
	signal.Notify(gone, serverGone)
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT) // who ends a group of processes so means the server
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(serverGone), 0, 0, 0); err != nil {
		return err
	}
	// It may be gone since before that, and its threads take a while to end.
	for range 2 {
		if os.Getppid() != server || isZombie(server) {
			return abortConnection(abort)
		}
		select {
		case <-gone:
			return abortConnection(abort)
		case <-time.After(time.Second):
		}
	}
	<-gone
	return abortConnection(abort)
}

// abortConnection ends every wait for an answer. Of a connection that has ended it does nothing.
func abortConnection(abort *os.File) error {
	_, err := abort.WriteString("1")
	return err
}

// isZombie says whether a process was killed and is not gone, as it has a thread left, or as nobody has asked for its end.
func isZombie(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, ok := bytes.Cut(b, []byte(") ")) // behind the program's name
	return err == nil && ok && bytes.HasPrefix(state, []byte("Z"))
}

// startGuard starts the guard of the mount at path and returns it, and what ends it. Without one, nil, all works but what is said above, and no
// names are read ahead.
func startGuard(path string, logger *slog.Logger) (reader *names, stop func()) {
	cmd, reader, err := guardOf(path)
	if err != nil {
		logger.Debug("a server that is killed may leave its clients waiting: nothing guards the mount", "cause", err)
		return nil, func() {}
	}
	started, ended := make(chan error), make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread() // the guard gets its signal when the thread that started it ends
		err := cmd.Start()
		for _, f := range cmd.ExtraFiles {
			_ = f.Close()
		}
		started <- err
		if err == nil {
			_ = cmd.Wait() // it was killed
		}
	}()
	if err := <-started; err != nil {
		logger.Debug("the guard of the mount did not start", "cause", err)
		_ = reader.socket.Close()
		return nil, func() {}
	}
	reader.guard = cmd.Process
	return reader, func() {
		_ = cmd.Process.Kill() // it may have ended
		<-ended
		_ = reader.socket.Close()
	}
}

// guardOf is the command that guards the mount at path. Its file 3 is what aborts the connection, and no other one that gets its number later;
// its file 4 has reader at its other end.
func guardOf(path string) (cmd *exec.Cmd, reader *names, err error) {
	all, err := mounts()
	if err != nil {
		return nil, nil, err
	}
	e, ok := topmost(all, path)
	if !ok || !e.ours() {
		return nil, nil, os.ErrNotExist
	}
	_, minor, _ := strings.Cut(e.Device, ":") // what the kernel calls the connection
	abort, err := os.OpenFile("/sys/fs/fuse/connections/"+minor+"/abort", os.O_WRONLY, 0)
	if err != nil {
		return nil, nil, err
	}
	ours, theirs, err := namesSocket()
	if err != nil {
		return nil, nil, errors.Join(err, abort.Close())
	}
	cmd = exec.Command("/proc/self/exe", guardName, strconv.Itoa(os.Getpid()))
	cmd.Args[0], cmd.Dir = "jsfs", "/"
	cmd.ExtraFiles = []*os.File{abort, theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd, &names{mount: e, socket: ours, answers: json.NewDecoder(ours)}, nil
}
