package store_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"jsfs/store"
)

func TestCheckName(t *testing.T) {
	rows := []struct {
		name string
		want error
	}{
		{"ORDERS", nil},
		{"a", nil},
		{"-rf", nil},
		{"42", nil},
		{"日本", nil},
		{"%2F~#", nil},
		{strings.Repeat("n", store.MaxName), nil},
		{"", store.ErrInvalid},
		{".", store.ErrInvalid},
		{"a.b", store.ErrInvalid},
		{"a*", store.ErrInvalid},
		{">", store.ErrInvalid},
		{"a/b", store.ErrInvalid},
		{`a\b`, store.ErrInvalid},
		{"a b", store.ErrInvalid},
		{"a\nb", store.ErrInvalid},
		{"a\x00", store.ErrInvalid},
		{"a\x7f", store.ErrInvalid},
		{"a\xff", store.ErrInvalid},
		{strings.Repeat("n", store.MaxName+1), store.ErrNameTooLong},
	}
	for _, r := range rows {
		if err := store.CheckName(r.name); !errors.Is(err, r.want) {
			t.Errorf("CheckName(%.40q): got %v, want %v", r.name, err, r.want)
		}
	}
}

func TestConfigDefaults(t *testing.T) {
	got := store.Config{Name: "S"}.WithDefaults()
	want := store.Config{Name: "S", Subjects: []string{">"}, MaxMsgSize: store.DefaultMaxMsgSize}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	full := store.Config{Name: "S", Subjects: []string{"a"}, MaxMsgSize: 5}
	if d := cmp.Diff(full, full.WithDefaults()); d != "" {
		t.Errorf("what is set was changed (-want +got):\n%s", d)
	}
}

func TestConfigCheck(t *testing.T) {
	good := store.Config{Name: "S", Subjects: []string{"a.*", "b.>"}, MaxMsgSize: 1}
	if err := good.Check(); err != nil {
		t.Errorf("a good one: %v", err)
	}
	rows := []struct {
		name  string
		cfg   store.Config
		want  error
		field string
	}{
		{"no name", store.Config{MaxMsgSize: 1}, store.ErrInvalid, "name"},
		{"a bad subject", store.Config{Name: "S", Subjects: []string{"a", "b..c"}, MaxMsgSize: 1}, store.ErrSubject, "subjects"},
		{"no size", store.Config{Name: "S"}, store.ErrInvalid, "max_msg_size"},
		{"too large a size", store.Config{Name: "S", MaxMsgSize: store.MaxMsgSize + 1}, store.ErrInvalid, "max_msg_size"},
	}
	for _, r := range rows {
		err := r.cfg.Check()
		if !errors.Is(err, r.want) || !strings.Contains(err.Error(), r.field) {
			t.Errorf("%s: got %v, want %v that names %s", r.name, err, r.want, r.field)
		}
	}
}

func TestDefaultSubject(t *testing.T) {
	rows := []struct {
		subjects []string
		want     string
	}{
		{nil, "orders"},
		{[]string{">"}, "orders"},
		{[]string{"a.*", "b.>"}, "orders"},
		{[]string{"a.*", "b.new", "c"}, "b.new"},
	}
	for _, r := range rows {
		if got := (store.Config{Name: "ORDERS", Subjects: r.subjects}).DefaultSubject(); got != r.want {
			t.Errorf("%q: got %q, want %q", r.subjects, got, r.want)
		}
	}
}

func TestCheckEntryReportsInOrder(t *testing.T) {
	cfg := store.Config{Name: "S", Subjects: []string{"a.*"}, MaxMsgSize: 100}
	long := strings.Repeat("x", store.MaxHeader+1)
	rows := []struct {
		name   string
		e      store.Entry
		sealed bool
		want   error
	}{
		{"a good one", store.Entry{Subject: "a.b", Data: make([]byte, 100)}, false, nil},
		{"header and payload count together", store.Entry{Subject: "a.b", Header: make([]byte, 1), Data: make([]byte, 100)}, false, store.ErrTooLarge},
		{"a long header", store.Entry{Subject: "a.b", Header: []byte(long)}, false, store.ErrTooLarge},
		{"a subject of another stream comes before the size", store.Entry{Subject: "b", Data: make([]byte, 101)}, false, store.ErrSubject},
		{"a subject that is none", store.Entry{Subject: "a.*"}, false, store.ErrSubject},
		{"sealed comes before all", store.Entry{Subject: "a..b"}, true, store.ErrSealed},
	}
	for _, r := range rows {
		c := cfg
		c.Sealed = r.sealed
		if err := c.CheckEntry(r.e); !errors.Is(err, r.want) {
			t.Errorf("%s: got %v, want %v", r.name, err, r.want)
		}
	}
}
