package blockstore

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
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

// makeGolden writes what goldenWant says into dir, in the form of kind, with removals, one of which is taken back, a gap,
// a draft, a stream without messages and a removed one. before is called before it closes the store.
func makeGolden(t *testing.T, dir string, kind goldenKind, before func()) {
	t.Helper()
	now := int64(1_700_000_000_000_000_000)
	opt := kind.options(t)
	opt.BlockSize, opt.Now = minBlockSize, func() int64 { now += 1e9; return now }
	st, err := OpenDir(dir, opt)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(err)
	ctx := t.Context()
	s, err := st.Create(ctx, store.Config{Name: "ORDERS", Subjects: []string{"orders.>"}, Description: "golden"})
	must(err)
	for seq := store.Seq(1); seq <= 11; seq++ {
		subject, data, header := goldenWant(seq)
		_, err := s.Append(ctx, store.Entry{Subject: subject, Header: []byte(header), Data: []byte(data)})
		must(err)
	}
	for _, seq := range []store.Seq{1, 6, 9} {
		_, err := s.Remove(ctx, seq)
		must(err)
	}
	must(s.Undelete(ctx, 9))
	subject, data, _ := goldenWant(1000)
	must(s.Restore(ctx, store.Msg{Meta: store.Meta{Seq: 1000, Time: 1}, Subject: subject, Data: []byte(data)}))
	d, err := s.CreateDraft(ctx, ".a draft")
	must(err)
	_, err = d.WriteAt([]byte("draft content"), 0)
	must(errors.Join(err, d.Close()))
	for _, name := range []string{"EMPTY", "REMOVED"} {
		_, err := st.Create(ctx, store.Config{Name: name})
		must(err)
	}
	must(st.Remove(ctx, "REMOVED"))
	before()
	must(st.Close())
}

// checkGolden demands that st has what makeGolden stored, but the messages lost.
func checkGolden(t *testing.T, st store.Store, lost ...store.Seq) {
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
		if slices.Contains(lost, m.Seq) && errors.As(err, new(*store.CorruptError)) {
			continue
		}
		if err != nil || msg.Subject != subject || string(msg.Data) != data || string(msg.Header) != header {
			t.Errorf("message %d: got %q %q %q, %v, want %q %q %q", m.Seq, msg.Subject, msg.Header, msg.Data, err, subject, header, data)
		}
	}
	if want := "[2 3 4 5 7 8 9 10 11 1000]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
	counts := map[string]store.Count{}
	for c, err := range s.Subjects(ctx, "", "") {
		if err != nil {
			t.Fatal(err)
		}
		counts[c.Subject] = c.Count
	}
	if want := "map[orders.0:{2 3 9} orders.1:{3 4 10} orders.2:{4 2 11} orders.restored:{1 1000 1000}]"; fmt.Sprint(counts) != want {
		t.Errorf("got subjects %v, want %s", counts, want)
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
