package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"jsfs/mapping"
	"jsfs/store"
)

// mountedStream is a stream's directory in a mount.
type mountedStream struct {
	dir    string // absolute, symbolic links resolved
	stream string
	point  string // where it is mounted
}

// findMounted finds the stream's directory in a mount that arg names; nil if it lies in no mount of ours.
func findMounted(arg string) (*mountedStream, error) {
	if arg == "" {
		return nil, usageError("the path is empty; give a stream's directory in a mount, or SOURCE/STREAM")
	}
	all, err := mounts()
	if err != nil {
		return nil, err
	}
	dir, err := resolve(arg)
	if nobodyServes(err) {
		return nil, fmt.Errorf("the mount that %s is in has no server any more; unmount it, or mount it again: %w", arg, err)
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("%s: %w", arg, explainPath(err))
	}
	if err != nil {
		return nil, nil //nolint:nilerr // what is wrong with a SOURCE is said by who opens it
	}
	e, ok := mountAround(all, dir)
	if !ok || !e.ours() {
		return nil, nil
	}
	usage := func(format string, args ...any) (*mountedStream, error) {
		return nil, usageError(format, args...)
	}
	name, below, deep := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(dir, e.Point), "/"), "/")
	switch _, err := os.Stat(filepath.Join(dir, ".jsfs", "ctl")); {
	case err == nil:
		return &mountedStream{dir: dir, stream: filepath.Base(dir), point: e.Point}, nil
	case nobodyServes(err):
		return nil, fmt.Errorf("the mount at %s has no server any more; unmount it, or mount it again: %w", e.Point, err)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%s: %w", arg, explainPath(err))
	case name == "":
		return usage("%s is a whole mount; give the directory of one stream in it, for example %s", arg, filepath.Join(arg, "ORDERS"))
	case deep:
		return usage("%s lies in a stream's directory; give that, %s, and say with --subject, --seq and --keep which of its messages (%s) are to go",
			arg, filepath.Join(e.Point, name), below)
	}
	return nil, fmt.Errorf("there is no stream %s in the mount at %s: %w", name, e.Point, store.ErrNotFound)
}

// inMount purges a stream that is mounted, and returns how many messages went.
func (p *purging) inMount(at *mountedStream) (int64, error) {
	if p.dryRun {
		if err := at.mayPurge(); err != nil {
			return 0, err
		}
		return wouldPurge(p.what, at.count)
	}
	f, err := os.OpenFile(at.control("ctl"), os.O_RDWR, 0)
	if err != nil {
		return 0, at.explain(err)
	}
	if _, err = f.WriteString(purgeLine(p.what)); err != nil {
		return 0, errors.Join(at.explain(err), f.Close())
	}
	answer := make([]byte, 64)
	n, _ := f.ReadAt(answer, 0) // its end is no error
	if err := f.Close(); err != nil {
		return 0, at.explain(err)
	}
	number, _, _ := strings.Cut(string(answer[:n]), "\n")
	went, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("it is done, but the mount at %s, which another version serves, does not say how many messages went", at.point)
	}
	return went, nil
}

// purgeLine is the command to a stream's ctl file.
func purgeLine(p store.Purge) string {
	line := "purge"
	if p.Subject != "" {
		line += " subject=" + p.Subject
	}
	if p.Below != 0 {
		line += fmt.Sprintf(" seq=%d", p.Below)
	}
	if p.Keep != 0 {
		line += fmt.Sprintf(" keep=%d", p.Keep)
	}
	return line + "\n"
}

// control is the path of a control file of the stream.
func (at *mountedStream) control(elem ...string) string {
	return filepath.Join(append([]string{at.dir, ".jsfs"}, elem...)...)
}

// count counts messages as the views show them.
func (at *mountedStream) count(subject string, to store.Seq) (int64, error) {
	path := []string{"info"}
	if to != 0 {
		path = append([]string{"range", mapping.FormatRange(1, to), ".jsfs"}, path...)
	}
	var name string
	if subject != "" && subject != ">" {
		name = mapping.EscapeSubject(subject)
		path = append([]string{"subjects", name, ".jsfs"}, path...)
	}
	text, err := os.ReadFile(at.control(path...))
	switch {
	case errors.Is(err, fs.ErrNotExist) && mapping.IsHashed(name) && store.IsLiteral(subject):
		return 0, nil // such a name is there only for what has messages
	case errors.Is(err, fs.ErrNotExist) && mapping.IsHashed(name), errors.Is(err, syscall.ENAMETOOLONG):
		return 0, errors.New("the pattern is too long for a name in the mount, so what it matches can't be counted there; unmount the store, and give SOURCE/STREAM")
	case err != nil:
		return 0, at.explain(err)
	}
	var info struct {
		Messages *int64 `json:"messages"`
	}
	if err := json.Unmarshal(text, &info); err != nil || info.Messages == nil {
		return 0, fmt.Errorf("%s does not say how many messages there are", at.control(path...))
	}
	return *info.Messages, nil
}

// mayPurge says what in the stream's configuration keeps it from being purged.
func (at *mountedStream) mayPurge() error {
	text, err := os.ReadFile(at.control("config"))
	if err != nil {
		return at.explain(err)
	}
	var cfg store.Config
	if err := json.Unmarshal(text, &cfg); err != nil {
		return fmt.Errorf("%s: %w", at.control("config"), err)
	}
	cfg.Name = at.stream
	return cfg.CheckPurge()
}

// explain adds to a refusal what the mount says about it.
func (at *mountedStream) explain(err error) error {
	var errno syscall.Errno
	switch {
	case !errors.As(err, &errno):
		return err
	case nobodyServes(err):
		return fmt.Errorf("the mount at %s has no server any more: %w", at.point, errno)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("you (uid %d) may not do it: %w", os.Geteuid(), errno)
	}
	list := filepath.Join(at.point, ".jsfs", "errors")
	text, rerr := os.ReadFile(list)
	if rerr != nil {
		return fmt.Errorf("%w; why stands in %s", errno, list)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if _, why, ok := strings.Cut(lines[i], " "+at.stream+"/.jsfs/ctl "); ok {
			_, why, _ = strings.Cut(why, " ") // after the errno's name
			return fmt.Errorf("%s: %w", why, errno)
		}
	}
	return errno
}
