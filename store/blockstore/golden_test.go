package blockstore

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"jsfs/store"
)

// goldenWant is what testdata/v1 holds: sequence, subject, payload, header.
func goldenWant(seq store.Seq) (subject, data, header string) {
	if seq == 1000 {
		return "orders.restored", "\xff\x00\x01", ""
	}
	data = strings.Repeat(fmt.Sprintf("message %d ", seq), 25)
	if seq%2 == 0 {
		data, header = data+"\n", fmt.Sprintf("NATS/1.0\r\nNumber: %d\r\n\r\n", seq)
	}
	return fmt.Sprintf("orders.%d", seq%3), data, header
}

// The directories below testdata were written once, by the version that they are named after.
// They are never written again: what a version wrote, every later one reads.
func TestGoldenStoreOfVersion1(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/v1")); err != nil {
		t.Fatal(err)
	}
	report, err := Check(dir)
	if err != nil || len(report.Damage) != 0 || len(report.Streams) != 2 {
		t.Fatalf("check: got %+v, %v", report, err)
	}
	for _, readOnly := range []bool{true, false} {
		st, err := OpenDir(dir, Options{ReadOnly: readOnly, BlockSize: minBlockSize})
		if err != nil {
			t.Fatal(err)
		}
		checkGolden(t, st)
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func checkGolden(t *testing.T, st store.Store) {
	t.Helper()
	ctx := t.Context()
	names, err := st.Streams(ctx)
	if err != nil || fmt.Sprint(names) != "[EMPTY ORDERS]" {
		t.Errorf("got streams %v, %v", names, err)
	}
	s, err := st.Stream(ctx, "ORDERS")
	if err != nil {
		t.Fatal(err)
	}
	var got []store.Seq
	for m, err := range s.Scan(ctx, store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m.Seq)
		subject, data, header := goldenWant(m.Seq)
		msg, err := s.Load(ctx, m.Seq, nil)
		if err != nil || msg.Subject != subject || string(msg.Data) != data || string(msg.Header) != header {
			t.Errorf("message %d: got %q %q %q, %v, want %q %q %q", m.Seq, msg.Subject, msg.Header, msg.Data, err, subject, header, data)
		}
	}
	if want := "[2 3 4 5 7 8 9 10 11 1000]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
	cfg := s.Config()
	if fmt.Sprint(cfg.Subjects) != "[orders.>]" || cfg.Description != "golden" || s.Incarnation() != 1 {
		t.Errorf("got configuration %+v, incarnation %d", cfg, s.Incarnation())
	}
	d, err := s.OpenDraft(ctx, ".a draft")
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 13)
	if _, err := d.ReadAt(buf, 0); err != nil || !bytes.Equal(buf, []byte("draft content")) {
		t.Errorf("draft: got %q, %v", buf, err)
	}
	_ = d.Close()
}

func TestAStoreOfALaterVersionIsRefusedAndNotChanged(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/future")); err != nil {
		t.Fatal(err)
	}
	for _, readOnly := range []bool{true, false} {
		if _, err := OpenDir(dir, Options{ReadOnly: readOnly}); !errors.Is(err, store.ErrVersion) {
			t.Errorf("read-only %v: got %v, want ErrVersion", readOnly, err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name := e.Name(); name != storeName && name != streamsDir {
			t.Errorf("%s was made", name)
		}
	}
}
