package mapping

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"jsfs/store"
)

func TestXattr(t *testing.T) {
	header := []byte("NATS/1.0\r\nNats-Msg-Id: x\r\nA: 1\r\nA: 2\r\n\r\n")
	m := store.Msg{Meta: store.Meta{Seq: 42, Time: 1767323045000000006}, Subject: "orders.new", Header: header}
	want := map[string]string{
		XattrSeq:                    "42",
		XattrSubject:                "orders.new",
		XattrTime:                   "2026-01-02T03:04:05.000000006Z",
		XattrHeaders:                string(header),
		XattrHeader + "Nats-Msg-Id": "x",
		XattrHeader + "A":           "1, 2",
	}
	got := make(map[string]string)
	for _, name := range XattrNames(m) {
		v, ok := Xattr(m, name)
		if !ok {
			t.Errorf("%s is named and not there", name)
		}
		got[name] = string(v)
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("attributes, got -, want +:\n%s", diff)
	}
	for _, name := range []string{"user.other", XattrHeader, XattrHeader + "a", XattrConfig, "security.capability"} {
		if v, ok := Xattr(m, name); ok {
			t.Errorf("%s is there, with %q", name, v)
		}
	}
}

func TestXattrOfAMessageWithoutHeader(t *testing.T) {
	var m store.Msg
	if got, want := XattrNames(m), []string{XattrSeq, XattrSubject, XattrTime}; !slices.Equal(got, want) {
		t.Errorf("names are %q, want %q", got, want)
	}
	if v, ok := Xattr(m, XattrHeaders); ok {
		t.Errorf("headers are there, with %q", v)
	}
}

func TestXattrListFitsTheKernel(t *testing.T) {
	header := []byte("NATS/1.0\r\n" + strings.Repeat("N", 300) + ": long\r\n")
	for i := range 7000 {
		header = fmt.Appendf(header, "H%d:\r\n", i)
	}
	m := store.Msg{Header: append(header, "\r\n"...)}
	total := 0
	for _, name := range XattrNames(m) {
		if len(name) > maxXattrName {
			t.Errorf("a name of %d bytes", len(name))
		}
		total += len(name) + 1
	}
	if total > maxXattrList || total < maxXattrList-100 {
		t.Errorf("the list takes %d bytes, want as much as fits in %d", total, maxXattrList)
	}
}

func TestStreamXattr(t *testing.T) {
	cfg := store.Config{Name: "ORDERS", Subjects: []string{"orders.>"}, MaxMsgSize: 100}
	for _, name := range StreamXattrNames() {
		v, ok := StreamXattr(cfg, name)
		var got store.Config
		if err := json.Unmarshal(v, &got); !ok || err != nil {
			t.Fatalf("%s is %q: %v", name, v, err)
		}
		if diff := cmp.Diff(got, cfg); diff != "" {
			t.Errorf("got -, want +:\n%s", diff)
		}
	}
	if _, ok := StreamXattr(cfg, XattrSeq); ok {
		t.Error("a stream has a sequence")
	}
}

func TestInfo(t *testing.T) {
	cfg := store.Config{Name: "ORDERS"}
	mirror := store.Config{Name: "M", Mirror: &store.Source{Name: "ORDERS", FilterSubject: "orders.>"}}
	sourced := store.Config{Name: "S", Sources: []store.Source{{Name: "A"}, {Name: "B"}}}
	for _, c := range []struct {
		name     string
		cfg      store.Config
		st       store.State
		subjects *uint64
		damage   []store.Damage
		origins  []store.SourceState
		want     string
	}{
		{
			"an empty stream has no times", cfg, store.State{First: 1}, new(uint64), nil, nil,
			`{"name": "ORDERS", "subjects": [">"], "messages": 0, "bytes": 0, "log_bytes": 0,
			"first_seq": 1, "last_seq": 0, "num_subjects": 0, "num_deleted": 0, "num_lost": 0, "consumer_count": 0}`,
		},
		{
			"a damaged one says what is lost", cfg,
			store.State{
				First: 2, Last: 5, FirstTime: 1e9, LastTime: 2e9, Deleted: 1, Lost: 1,
				Live: store.Totals{Messages: 2, Payload: 10, Log: 12, JSON: 100},
			},
			nil, []store.Damage{{Stream: "ORDERS", File: "1.blk", Offset: 7, Length: 3, First: 4, Last: 4, Cause: "checksum"}}, nil,
			`{"name": "ORDERS", "subjects": [">"], "messages": 2, "bytes": 10, "log_bytes": 12,
			"first_seq": 2, "first_ts": "1970-01-01T00:00:01.000000000Z",
			"last_seq": 5, "last_ts": "1970-01-01T00:00:02.000000000Z", "num_deleted": 1, "num_lost": 1, "consumer_count": 0,
			"damage": [{"stream": "ORDERS", "file": "1.blk", "offset": 7, "length": 3, "first_seq": 4, "last_seq": 4,
			"cause": "checksum"}]}`,
		},
		{
			"a mirror says how far it is", mirror, store.State{First: 1}, nil, nil,
			[]store.SourceState{{Source: *mirror.Mirror, Lag: 3, Active: 1e9}},
			`{"name": "M", "subjects": [], "messages": 0, "bytes": 0, "log_bytes": 0,
			"first_seq": 1, "last_seq": 0, "num_deleted": 0, "num_lost": 0, "consumer_count": 0,
			"mirror": {"name": "ORDERS", "filter_subject": "orders.>", "lag": 3, "active": 4000000000}}`,
		},
		{
			"a stream with sources says it of each", sourced, store.State{First: 1}, nil, nil,
			[]store.SourceState{{Source: sourced.Sources[0], Error: "not found"}, {Source: sourced.Sources[1], Active: 9e9}},
			`{"name": "S", "subjects": [], "messages": 0, "bytes": 0, "log_bytes": 0,
			"first_seq": 1, "last_seq": 0, "num_deleted": 0, "num_lost": 0, "consumer_count": 0, "sources": [
			{"name": "A", "lag": 0, "active": -1, "error": {"description": "not found"}},
			{"name": "B", "lag": 0, "active": 0}]}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Info(c.cfg, c.st, c.subjects, c.damage, c.origins, 5e9)
			var g, w any
			if err := json.Unmarshal(got, &g); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(c.want), &w); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(g, w); diff != "" {
				t.Errorf("got -, want +:\n%s", diff)
			}
			if !strings.HasPrefix(string(got), "{\n  \"name\": ") || !strings.HasSuffix(string(got), "}\n") {
				t.Errorf("it is not indented, or has no newline at its end:\n%s", got)
			}
			if strings.Contains(string(got), `\u003e`) {
				t.Errorf("the subject is escaped:\n%s", got)
			}
		})
	}
}

func TestControls(t *testing.T) {
	found := map[Control]bool{ControlDir: true, ControlRootDir: true}
	for dir := range controls {
		for _, own := range []bool{true, false} {
			for _, c := range dir.Children(own) {
				found[c] = true
				if got, ok := dir.Child(c.String(), own); !ok || got != c {
					t.Errorf("%q is control %d, want %d", c.String(), got, c)
				}
				if !dir.IsDir() || c.IsRoot() != (dir == ControlRootDir) {
					t.Errorf("%q should not be in %q", c, dir)
				}
				if c.Short() == "" {
					continue
				}
				n, err := ParseName(c.Short(), DefaultWidth)
				if want := (Name{Kind: NameControl, Control: c}); err != nil || n != want {
					t.Errorf("%q is %+v, %v, want %+v", c.Short(), n, err, want)
				}
			}
		}
	}
	for c := range controls {
		if !found[c] && c.String() != "" {
			t.Errorf("%q is in no directory", c)
		}
	}
	for _, c := range ControlDir.Children(false) {
		if _, ok := ControlDir.Child(c.String(), true); !ok {
			t.Errorf("%q is in a view's directory, and not in a stream's", c)
		}
	}
	if c, ok := ControlDir.Child("README", true); ok {
		t.Errorf("a stream has the root's control %d", c)
	}
	if c, ok := ControlDir.Child("config", false); ok {
		t.Errorf("a view has the stream's control %d", c)
	}
	if ControlLog.IsDir() || ControlLog.IsLink() || !ControlFirst.IsLink() {
		t.Error("the log is a directory or a link, or first is none")
	}
}

func TestHeaderFromXattrs(t *testing.T) {
	const block = "NATS/1.0\r\nB: 2\r\nA: 1\r\nA: 3\r\n\r\n"
	for _, c := range []struct {
		name  string
		attrs map[string]string
		want  string
		err   error
	}{
		{"none", nil, "", nil},
		{"a message's place alone", map[string]string{XattrSeq: "3", XattrSubject: "a", XattrTime: "x"}, "", nil},
		{"fields, by name", map[string]string{XattrHeader + "B": "2", XattrHeader + "A": "1"}, "NATS/1.0\r\nA: 1\r\nB: 2\r\n\r\n", nil},
		{"the block has all of them", map[string]string{XattrHeaders: block, XattrHeader + "A": "1, 3", XattrSeq: "3"}, block, nil},
		{"a block that is none", map[string]string{XattrHeaders: "x"}, "x", store.ErrInvalid},
		{"a value with a line break", map[string]string{XattrHeader + "A": "1\r\nB: 2"}, "", store.ErrInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			attrs := map[string][]byte{}
			for name, value := range c.attrs {
				attrs[name] = []byte(value)
			}
			got, err := HeaderFromXattrs(attrs)
			if string(got) != c.want || !errors.Is(err, c.err) {
				t.Errorf("got %q, %v, want %q, %v", got, err, c.want, c.err)
			}
		})
	}
	for name, want := range map[string]bool{XattrSeq: true, XattrHeaders: true, XattrHeader + "A": true, XattrHeader: false, XattrHeader + "a b": false, XattrConfig: false} {
		if got := CanBeSet(name); got != want {
			t.Errorf("CanBeSet(%q) is %v", name, got)
		}
	}
}

func TestWithoutHeader(t *testing.T) {
	const block = "NATS/1.0\r\nA: 1\r\nB: 2\r\nA: 3\r\n\r\n"
	for name, want := range map[string]string{
		"A": "NATS/1.0\r\nB: 2\r\n\r\n", "B": "NATS/1.0\r\nA: 1\r\nA: 3\r\n\r\n", "a": block,
	} {
		if got := string(WithoutHeader([]byte(block), name)); got != want {
			t.Errorf("without %s: got %q, want %q", name, got, want)
		}
	}
	if got := WithoutHeader([]byte("NATS/1.0\r\nA: 1\r\n\r\n"), "A"); len(got) != 0 {
		t.Errorf("without its only field: got %q", got)
	}
	if got := string(WithoutHeader([]byte("x"), "A")); got != "x" {
		t.Errorf("of a malformed block: got %q", got)
	}
}
