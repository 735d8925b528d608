package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

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
	want := store.Config{
		Name: "S", Subjects: []string{">"}, MaxMsgSize: store.DefaultMaxMsgSize, Discard: store.DiscardOld,
		DuplicateWindow: 2 * time.Minute, Compression: store.CompressionNone, Retention: store.RetentionLimits,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	full := store.Config{
		Name: "S", Subjects: []string{"a"}, MaxMsgSize: 5, MaxMsgs: 1, MaxBytes: 2, MaxAge: time.Hour, MaxMsgsPerSubject: 3,
		Discard: store.DiscardNew, DiscardNewPerSubject: true, DuplicateWindow: time.Minute, FirstSeq: 9,
		DenyDelete: true, AllowRollup: true, AllowMsgTTL: true, Compression: store.CompressionS2,
		Retention: store.RetentionInterest, MaxConsumers: 7,
	}
	if d := cmp.Diff(full, full.WithDefaults()); d != "" {
		t.Errorf("what is set was changed (-want +got):\n%s", d)
	}
	none := store.Config{Name: "S", MaxMsgs: -1, MaxBytes: -1, MaxMsgsPerSubject: -1, MaxMsgSize: -1, MaxConsumers: -1}.WithDefaults()
	want.MaxMsgSize = store.MaxMsgSize
	if d := cmp.Diff(want, none); d != "" {
		t.Errorf("-1 is not no limit (-want +got):\n%s", d)
	}
	short := store.Config{Name: "S", MaxAge: time.Minute}.WithDefaults()
	if short.DuplicateWindow != time.Minute {
		t.Errorf("with max_age of a minute: got a window of %v", short.DuplicateWindow)
	}
}

func TestConfigCheck(t *testing.T) {
	good := store.Config{Name: "S", Subjects: []string{"a.*", "b.>"}, MaxMsgSize: 1}
	if err := good.WithDefaults().Check(); err != nil {
		t.Errorf("a good one: %v", err)
	}
	if err := good.Check(); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("without defaults: got %v, want %v", err, store.ErrInvalid)
	}
	rows := []struct {
		name  string
		edit  func(c *store.Config)
		want  error
		field string
	}{
		{"no name", func(c *store.Config) { c.Name = "" }, store.ErrInvalid, "name"},
		{"a bad subject", func(c *store.Config) { c.Subjects = []string{"a", "b..c"} }, store.ErrSubject, "subjects"},
		{"a subject twice", func(c *store.Config) { c.Subjects = []string{"a", "b", "a"} }, store.ErrInvalid, "subjects: not valid: a is there twice"},
		{"subjects that overlap", func(c *store.Config) { c.Subjects = []string{"a.*", "b", "*.c"} }, store.ErrInvalid, "a.* and *.c overlap"},
		{"a negative size", func(c *store.Config) { c.MaxMsgSize = -2 }, store.ErrInvalid, "max_msg_size"},
		{"too large a size", func(c *store.Config) { c.MaxMsgSize = store.MaxMsgSize + 1 }, store.ErrInvalid, "max_msg_size"},
		{"negative messages", func(c *store.Config) { c.MaxMsgs = -2 }, store.ErrInvalid, "max_msgs"},
		{"negative bytes", func(c *store.Config) { c.MaxBytes = -5 }, store.ErrInvalid, "max_bytes"},
		{"negative messages on a subject", func(c *store.Config) { c.MaxMsgsPerSubject = -2 }, store.ErrInvalid, "max_msgs_per_subject"},
		{"a negative age", func(c *store.Config) { c.MaxAge = -1 }, store.ErrInvalid, "max_age"},
		{"a short age", func(c *store.Config) { c.MaxAge = 99 * time.Millisecond }, store.ErrInvalid, "max_age"},
		{"a negative window", func(c *store.Config) { c.DuplicateWindow = -1 }, store.ErrInvalid, "duplicate_window"},
		{"a short window", func(c *store.Config) { c.DuplicateWindow = 1 }, store.ErrInvalid, "duplicate_window"},
		{"a window over the age", func(c *store.Config) { c.MaxAge, c.DuplicateWindow = time.Second, time.Minute }, store.ErrInvalid, "duplicate_window"},
		{"an unknown way to discard", func(c *store.Config) { c.Discard = "none" }, store.ErrInvalid, "discard"},
		{"an unknown compression", func(c *store.Config) { c.Compression = "zip" }, store.ErrInvalid, "compression"},
		{"rollups without purging", func(c *store.Config) { c.AllowRollup, c.DenyPurge = true, true }, store.ErrInvalid, "allow_rollup_hdrs"},
		{"new is refused on a subject, but not discarded", func(c *store.Config) { c.DiscardNewPerSubject, c.MaxMsgsPerSubject = true, 1 },
			store.ErrInvalid, "discard_new_per_subject"},
		{"new is refused on a subject without a limit", func(c *store.Config) { c.DiscardNewPerSubject, c.Discard = true, store.DiscardNew },
			store.ErrInvalid, "discard_new_per_subject"},
		{"a long description", func(c *store.Config) { c.Description = strings.Repeat("d", store.MaxDescription+1) }, store.ErrInvalid, "description"},
		{"much metadata", func(c *store.Config) { c.Metadata = map[string]string{"k": strings.Repeat("v", store.MaxMetadata)} }, store.ErrInvalid, "metadata"},
	}
	for _, r := range rows {
		c := store.Config{Name: "S"}
		r.edit(&c)
		err := c.WithDefaults().Check()
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
		if err := c.CheckEntry(&r.e); !errors.Is(err, r.want) {
			t.Errorf("%s: got %v, want %v", r.name, err, r.want)
		}
	}
}
