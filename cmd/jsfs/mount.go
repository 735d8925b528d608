package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

func mountCommand() *cobra.Command {
	var (
		s                        settings
		syncArg, uid, gid, umask string
		level, carrier           string
		opts                     []string
	)
	c := &cobra.Command{
		Use:   "mount [flags] SOURCE MOUNTPOINT",
		Short: "Mount a store of streams",
		Long: `Mounts the streams of SOURCE at MOUNTPOINT and serves them until it is unmounted,
or gets SIGTERM or SIGINT (a second one forces it).

SOURCE is a directory, the store; or mem:, a store that lives as long as the
mount. What is missing of SOURCE and MOUNTPOINT is made. A mount that jsfs left dead
there is taken away first. A directory with streams of the first generation
(STREAM/messages.jsonl) is converted into a store, in place, and the old files are kept.`,
		Example: `  jsfs mount ./orders.store ./orders
  jsfs mount --daemon --sync=interval /var/lib/orders /srv/orders
  jsfs mount -o ro,allow_other,noxattr /var/lib/orders /srv/orders`,
		Args: exactArgs("a SOURCE", "a MOUNTPOINT"),
		RunE: func(c *cobra.Command, args []string) error {
			values := map[string]string{"sync": syncArg, "uid": uid, "gid": gid, "umask": umask, "log-level": level, "transport": carrier}
			if err := s.apply(c, opts, values); err != nil {
				return &exitError{exitUsage, err}
			}
			// Who reads what is said may go away, as in `jsfs mount ... | head -n 1`: the mount stays.
			signal.Ignore(syscall.SIGPIPE)
			if s.daemon && !s.detached {
				return startDaemon(c.Context(), s, args[0], args[1], c.ErrOrStderr())
			}
			return mount(c.Context(), s, args[0], args[1], c.ErrOrStderr())
		},
	}
	f := c.Flags()
	f.BoolVar(&s.daemon, "daemon", false, "return when the first listing works, and serve on in the background")
	f.BoolVar(&s.detached, "detached", false, "this is the process that --daemon started")
	_ = f.MarkHidden("detached")
	f.StringVar(&syncArg, "sync", "always", "when a message is on disk: always (when close returns), interval[=200ms] or never")
	f.StringArrayVar(&s.legacyKeys, "legacy-key-file", nil, "a key that encrypted payloads of the first generation need: a file of 32 bytes or 64 hex digits")
	f.BoolVarP(&s.readOnly, "read-only", "r", false, "change nothing; many files are read faster, as none needs to be opened")
	f.BoolVar(&s.allowOther, "allow-other", false, "let other users in, as the files' modes say")
	s.addKeyFlags(c)
	f.StringVar(&uid, "uid", "", "who owns all files (default: who mounts)")
	f.StringVar(&gid, "gid", "", "the group of all files (default: that of who mounts)")
	f.StringVar(&umask, "umask", "", "the mode bits that all files lack, octal (default 022)")
	f.StringArrayVarP(&opts, "options", "o", nil, "options as mount(8) passes them, separated by commas: "+knownOptions())
	f.StringVar(&carrier, "transport", "auto", "how requests come from the kernel: over io_uring (uring), which is faster and needs to be switched on, through /dev/fuse (dev), or auto")
	f.StringVar(&level, "log-level", "info", "what is logged: debug, info, warn or error")
	f.StringVar(&s.logFile, "log-file", "", "append the log to a file (default: standard error; with --daemon nowhere)")
	f.BoolVar(&s.debugFuse, "debug-fuse", false, "log every FUSE request")
	return c
}

// apply applies the values of -o, and then the flags that were given, which win: those in values are yet to be read, and
// the others stand in s.
func (s *settings) apply(c *cobra.Command, opts []string, values map[string]string) error {
	flags := *s
	for _, o := range opts {
		if err := s.setMountOptions(o); err != nil {
			return err
		}
	}
	for name, keep := range map[string]func(){
		"read-only":   func() { s.readOnly = flags.readOnly },
		"allow-other": func() { s.allowOther = flags.allowOther },
		"debug-fuse":  func() { s.debugFuse = flags.debugFuse },
		"key-file":    func() { s.key.file = flags.key.file },
		"cipher":      func() { s.key.cipher = flags.key.cipher },
	} {
		if c.Flags().Changed(name) {
			keep()
		}
	}
	set := map[string]func(string) error{
		"sync": s.setSync, "uid": s.setUID, "gid": s.setGID, "umask": s.setUmask, "transport": s.setTransport,
		"log-level": func(v string) error { return s.logLevel.UnmarshalText([]byte(v)) },
	}
	for name, value := range values {
		if !c.Flags().Changed(name) {
			continue
		}
		if err := set[name](value); err != nil {
			return fmt.Errorf("flag --%s: %w", name, err)
		}
	}
	return nil
}

// mount mounts and serves until the mount has ended. Notes for people go to out.
func mount(ctx context.Context, s settings, sourceArg, pointArg string, out io.Writer) (err error) {
	src, err := parseSource(sourceArg)
	if err != nil {
		return err
	}
	point, err := checkMountPoint(pointArg, src, s.nonEmpty)
	if err != nil {
		return err
	}
	if err := checkFUSE(); err != nil {
		return err
	}
	logger, closeLog, err := openLog(s, out)
	if err != nil {
		return err
	}
	defer closeLog()

	made, said, err := prepare(src, point, s.readOnly, out)
	defer func() {
		if errors.As(err, new(*notServedError)) {
			unmakeDirs(made)
		}
	}()
	if err != nil {
		return &notServedError{err}
	}
	s.point = point.path
	st, err := openSource(src, s, logger, out)
	if err != nil {
		return &notServedError{err}
	}
	for _, what := range said {
		note(out, "made %s", what)
	}
	err = serve(ctx, s, st, src, point.path, logger, out)
	if closeErr := st.Close(); closeErr != nil {
		err = errors.Join(err, fmt.Errorf("close the store %s: %w", src.name, closeErr))
	}
	return err
}

// notServedError is an error that came up before the mount worked.
type notServedError struct{ error }

func (e *notServedError) Unwrap() error { return e.error }

// prepare takes a dead mount away and makes the directories that are missing. It returns
// those that it made, also when it fails, and what is to be said of them once they stay.
func prepare(src source, point mountPoint, readOnly bool, out io.Writer) (made, said []string, err error) {
	if point.dead {
		if err := detachDead(point.path); err != nil {
			return nil, nil, err
		}
		note(out, "took away a dead mount at %s", point.path)
		point.missing = false
	}
	if src.dir != "" {
		dirs, err := prepareStore(src, readOnly)
		made = append(made, dirs...)
		if err != nil {
			return made, nil, err
		}
		if len(dirs) > 0 {
			said = append(said, "the store "+src.dir)
		}
	}
	if point.missing {
		dirs, err := makeDirs(point.path, 0o755)
		made = append(made, dirs...)
		if err != nil {
			return made, nil, fmt.Errorf("make the mount point: %w", explainPath(err))
		}
		said = append(said, "the mount point "+point.path)
	}
	return made, said, nil
}

// prepareStore makes the store's directory if it is missing.
func prepareStore(src source, readOnly bool) ([]string, error) {
	_, err := os.Stat(src.dir)
	if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if readOnly {
		return nil, fmt.Errorf("source %s does not exist; a read-only mount makes no store", src.dir)
	}
	dirs, err := makeDirs(src.dir, 0o700)
	if err != nil {
		return dirs, fmt.Errorf("make the store's directory: %w", explainPath(err))
	}
	return dirs, syncDirs(dirs)
}

// note tells people what was done.
func note(out io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(out, "jsfs: "+format+"\n", args...)
}

// openLog returns the logger that the settings ask for, and what closes its file.
func openLog(s settings, out io.Writer) (*slog.Logger, func(), error) {
	opts := &slog.HandlerOptions{Level: s.logLevel}
	if s.logFile == "" {
		return slog.New(slog.NewTextHandler(out, opts)), func() {}, nil
	}
	f, err := os.OpenFile(s.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("log file: %w", explainPath(err))
	}
	return slog.New(slog.NewTextHandler(f, opts)), func() { _ = f.Close() }, nil
}

// checkFUSE says what keeps this user from mounting at all.
func checkFUSE() error {
	const device = "/dev/fuse"
	if _, err := os.Stat(device); err != nil {
		return fmt.Errorf("this system has no FUSE: load it with `modprobe fuse`, or give the container the device /dev/fuse and CAP_SYS_ADMIN: %w", err)
	}
	if err := unix.Access(device, unix.R_OK|unix.W_OK); err != nil {
		return fmt.Errorf("you (uid %d) may not open %s; root lets everybody with `chmod 666 %s`: %w", os.Geteuid(), device, device, err)
	}
	return findFusermount()
}
