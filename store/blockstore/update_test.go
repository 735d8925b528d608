package blockstore

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/record"
	"jsfs/store/internal/vfs"
)

// TestAConfigurationOfALaterVersionIsRefused demands that a stream with a setting that this
// program can't honour is not opened, and is not called damaged.
func TestAConfigurationOfALaterVersionIsRefused(t *testing.T) {
	fs := vfs.NewMem()
	s, err := Open(fs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"S", "T"} {
		if _, err := s.Create(t.Context(), store.Config{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	later := record.Envelope(record.MagicConfig, []byte(`{"name":"S","keep_forever":true}`))
	if err := replaceFile(fs, streamDir(1)+"/config", later); err != nil {
		t.Fatal(err)
	}
	s, err = Open(fs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	names, err := s.Streams(t.Context())
	if err != nil || len(names) != 2 {
		t.Fatalf("got streams %q, %v", names, err)
	}
	for _, name := range names {
		_, err := s.Stream(t.Context(), name)
		if name == "T" && err != nil {
			t.Errorf("the other stream: %v", err)
		}
		if name != "T" && (!errors.Is(err, store.ErrVersion) || !strings.Contains(err.Error(), "keep_forever")) {
			t.Errorf("stream %s: got %v, want ErrVersion that names the field", name, err)
		}
	}
}

// TestAnUpdateThatFailsIsTakenBack lets the sync of the directory fail: what the next open finds is
// what the stream goes on with.
func TestAnUpdateThatFailsIsTakenBack(t *testing.T) {
	for _, forGood := range []bool{false, true} {
		mem := vfs.NewMem()
		fs := vfs.NewFail(mem)
		s, err := Open(fs, Options{})
		if err != nil {
			t.Fatal(err)
		}
		st, err := s.Create(t.Context(), store.Config{Name: "S", Description: "old"})
		if err != nil {
			t.Fatal(err)
		}
		fs.Set(vfs.Fault{At: 1, Err: syscall.EIO, ForGood: forGood, Match: func(call, name string) bool {
			return call == "syncdir" && name == streamDir(1)
		}})
		if err := s.Update(t.Context(), store.Config{Name: "S", Description: "new"}); !errors.Is(err, syscall.EIO) {
			t.Fatalf("got %v, want %v; %v failed", err, syscall.EIO, fs.Failed())
		}
		if got := st.Config().Description; got != "old" {
			t.Errorf("the stream goes on as %q", got)
		}
		_, err = st.Append(t.Context(), store.Entry{Subject: "x"})
		if forGood != errors.Is(err, store.ErrReadOnly) || !forGood && err != nil {
			t.Errorf("append, when taking it back failed is %v: got %v", forGood, err)
		}
		fs.Set(vfs.Fault{})
		_ = s.Close()
		again, err := Open(mem.Kill(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if st, err = again.Stream(t.Context(), "S"); err != nil {
			t.Fatal(err)
		}
		if got := st.Config().Description; !forGood && got != "old" {
			t.Errorf("after reopening it is %q", got)
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
