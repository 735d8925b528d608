package blockstore

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

func TestManyStreamsAreOpenedAndToldInOneLine(t *testing.T) {
	mem := vfs.NewMem()
	st, err := Open(mem, Options{Sync: SyncNever})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		s, err := st.Create(t.Context(), store.Config{Name: fmt.Sprintf("S%02d", i)})
		if err != nil {
			t.Fatal(err)
		}
		for range i {
			if _, err := s.Append(t.Context(), store.Entry{Subject: "x", Data: []byte("12345")}); err != nil {
				t.Fatal(err)
			}
		}
	}
	killed := mem.Kill()
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	// One stream's configuration is gone: the others must not suffer.
	f, err := killed.Open(streamDir(7) + "/config")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(0); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	again, err := Open(killed, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = again.Close() }()
	names, err := again.Streams(t.Context())
	if err != nil || len(names) != 40 {
		t.Errorf("got %d streams, %v, want 40", len(names), err)
	}
	for i := range 40 {
		s, err := again.Stream(t.Context(), fmt.Sprintf("S%02d", i))
		if i == 6 {
			if err == nil && s.Config().Name == "S06" {
				t.Errorf("a stream without a configuration was opened under its name")
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if state, err := s.State(t.Context()); err != nil || state.Live.Messages != int64(i) {
			t.Errorf("stream %d: got %d messages, %v, want %d", i, state.Live.Messages, err, i)
		}
	}
	lines := 0 // of the streams the first one was never written to
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "store opened") {
			lines++
			for _, want := range []string{"level=WARN", "unclean=39", "bytes="} {
				if !strings.Contains(line, want) {
					t.Errorf("the line is %q, want %q in it", line, want)
				}
			}
		}
	}
	if lines != 1 {
		t.Errorf("got %d lines about the opened store, want 1:\n%s", lines, log.String())
	}
}

// A start after a clean stop is told in one line, too, and in no other.
func TestAStoreThatWasClosedIsToldInOneLine(t *testing.T) {
	mem := vfs.NewMem()
	for round, want := range []string{"streams=0 messages=0 bytes=0", "streams=1 messages=1 bytes=5", "streams=1 messages=2 bytes=10"} {
		var log bytes.Buffer
		st, err := Open(mem, Options{Sync: SyncNever, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `level=INFO msg="store opened" `+want+" unclean=0 ") {
			t.Errorf("start %d: got %q, want a line with %q", round, got, want)
		}
		if round == 0 {
			if _, err := st.Create(t.Context(), store.Config{Name: "S"}); err != nil {
				t.Fatal(err)
			}
		}
		s, err := st.Stream(t.Context(), "S")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Append(t.Context(), store.Entry{Subject: "x", Data: []byte("12345")}); err != nil {
			t.Fatal(err)
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
