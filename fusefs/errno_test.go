package fusefs

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"

	"jsfs/store"
)

func TestEverySentinelHasAnErrno(t *testing.T) {
	rows := map[error]int{}
	for _, e := range errnos {
		rows[e.err]++
	}
	for _, err := range store.Sentinels() {
		if rows[err] != 1 {
			t.Errorf("rows for %q: got %d, want 1", err, rows[err])
		}
		delete(rows, err)
		wrapped := fmt.Errorf("append to X: %w", err)
		if errno, quiet := errnoOf(wrapped); errno == 0 || errno == syscall.EIO || quiet {
			t.Errorf("errno of %q: got %v, quiet %v; want one of its own, and a line", err, errno, quiet)
		}
	}
	for err := range rows {
		t.Errorf("the table has a row for %q, which is no sentinel", err)
	}
}

func TestErrnoOf(t *testing.T) {
	for _, tt := range []struct {
		name  string
		err   error
		errno syscall.Errno
		quiet bool
	}{
		{"success is 0", nil, 0, true},
		{"damage is EIO", fmt.Errorf("load: %w", &store.CorruptError{Err: store.ErrNotFound}), syscall.EIO, false},
		{"an interrupted caller is told so, without a line", fmt.Errorf("wait: %w", context.Canceled), syscall.EINTR, true},
		{"a server that can open no more files is no broken disk", fmt.Errorf("open: %w", syscall.EMFILE), syscall.ENFILE, false},
		{"what nobody knows is EIO", errors.New("boom"), syscall.EIO, false},
		{"a refusal has its own", fmt.Errorf("x: %w", refuse(syscall.EFBIG, "too big")), syscall.EFBIG, false},
		{"a name that is not there is no error", errAbsent, syscall.ENOENT, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if errno, quiet := errnoOf(tt.err); errno != tt.errno || quiet != tt.quiet {
				t.Errorf("got %v, quiet %v; want %v, quiet %v", errno, quiet, tt.errno, tt.quiet)
			}
		})
	}
}
