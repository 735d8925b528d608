package fusefs

import (
	"fmt"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
)

// call is one request, and the context of what is done for it, which an interruption ends.
// It must not be used once the request is answered.
type call struct {
	fs  *FS
	op  string
	hdr *fuse.InHeader
	interruption
	name string // the name that the request gives in the directory hdr.NodeId, or ""
}

func (fs *FS) call(op string, hdr *fuse.InHeader, cancel <-chan struct{}, name string) *call {
	return &call{fs: fs, op: op, hdr: hdr, interruption: interruption{cancel: cancel}, name: name}
}

// status turns what came of the call into the answer. Refusals get their line in
// .jsfs/errors here, and nowhere else.
func (c *call) status(err error) fuse.Status {
	if err == nil {
		return fuse.OK
	}
	errno, quiet := errnoOf(err)
	if !quiet {
		c.report(errno, err)
	}
	return fuse.Status(errno)
}

// report enters what went wrong into .jsfs/errors, for a call that can't be refused
// any more as well.
func (c *call) report(errno syscall.Errno, err error) {
	c.fs.errors.add(c.fs.now(), c.op, c.fs.path(c.hdr.NodeId, c.name), errno, err.Error())
}

// recover, deferred by every handler, ends the call. It turns a panic into EIO, and makes the stream read-only for
// which the handler worked.
func (c *call) recover(st *fuse.Status) {
	c.end()
	r := recover()
	if r == nil {
		return
	}
	*st = fuse.EIO
	c.report(syscall.EIO, fmt.Errorf("a bug in jsfs, please report it: %v", r))
	c.fs.opt.Logger.Error("panic in a handler", "call", c.op, "panic", r, "stack", string(debug.Stack()))
	if s, _, err := c.fs.split(c.hdr.NodeId); err == nil && s != nil {
		s.broken.Store(true)
	}
}

// path names a node, and a name in it, for people.
func (fs *FS) path(node uint64, name string) string {
	var parts []string
	switch kind, incarnation, n := mapping.SplitNode(node); {
	case node == mapping.Root:
	case kind == mapping.KindView:
		if v := fs.views.get(node); v != nil {
			parts = append(parts, v.stream.name, v.path)
		} else {
			parts = append(parts, "(forgotten)")
		}
	case kind == mapping.KindControl && mapping.Control(n) == mapping.ControlRootDir:
		parts = append(parts, mapping.DirName)
	case kind == mapping.KindControl && mapping.Control(n) == mapping.ControlRemovedStream:
		parts = append(parts, mapping.DirName, mapping.ControlRemoved.String(), "(removed stream)")
	case kind == mapping.KindControl && mapping.Control(n).IsRoot():
		parts = append(parts, mapping.DirName, mapping.Control(n).String())
	default:
		stream := "(removed stream)"
		if s := fs.streams.byNode(incarnation); s != nil {
			stream = s.name
		}
		parts = append(parts, stream)
		switch kind {
		case mapping.KindMessage:
			parts = append(parts, mapping.FormatSeq(store.Seq(n), fs.opt.SeqWidth))
		case mapping.KindControl:
			parts = append(parts, mapping.DirName)
			if c := (place{n: n}).control(); c != mapping.ControlDir {
				parts = append(parts, c.String())
			}
		case mapping.KindSubject, mapping.KindDraft:
			subject, file, ok := strings.Cut(fs.objects.nameOf(node), "\x00")
			if ok {
				parts = append(parts, mapping.DirName, mapping.ControlSubjects.String(), mapping.EscapeSubject(subject), file)
			} else {
				parts = append(parts, subject)
			}
		}
	}
	if name != "" {
		parts = append(parts, name)
	}
	if len(parts) == 0 {
		return "/"
	}
	return strings.Join(parts, "/")
}
