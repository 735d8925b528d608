package store_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jsfs/store"
)

func TestParseConfigReadsWhatMarshalWrites(t *testing.T) {
	for _, want := range []store.Config{
		{},
		store.Config{Name: "S"}.WithDefaults(),
		{
			Name: "S", Description: "d", Metadata: map[string]string{"k": "<v>"}, Subjects: []string{"a.>", "b"},
			MaxMsgs: 1, MaxBytes: 2, Discard: store.DiscardNew, MaxAge: time.Hour, MaxMsgsPerSubject: 3, DiscardNewPerSubject: true,
			MaxMsgSize: 4, DuplicateWindow: time.Minute, FirstSeq: 1<<64 - 1, Compression: store.CompressionS2,
			Retention: store.RetentionWorkQueue, MaxConsumers: 5,
			Sealed: true, DenyDelete: true, DenyPurge: true, AllowRollup: true, AllowMsgTTL: true,
		},
	} {
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := store.ParseConfig(b)
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("%s: %v (-want +got):\n%s", b, err, d)
		}
	}
}

// TestParseConfigReadsNATS reads what nats-server 2.15 shows of a stream.
func TestParseConfigReadsNATS(t *testing.T) {
	got, err := store.ParseConfig([]byte(`{"name":"ORDERS","subjects":["orders.\u003e"],"retention":"limits","max_consumers":-1,
		"max_msgs":1000,"max_bytes":-1,"max_age":3600000000000,"max_msgs_per_subject":-1,"max_msg_size":-1,"discard":"old",
		"storage":"file","num_replicas":1,"duplicate_window":120000000000,"compression":"s2","allow_direct":true,"mirror_direct":false,
		"sealed":false,"deny_delete":false,"deny_purge":false,"allow_rollup_hdrs":true,"consumer_limits":{},"allow_msg_ttl":true}`))
	want := store.Config{
		Name: "ORDERS", Subjects: []string{"orders.>"}, MaxMsgs: 1000, MaxBytes: -1, MaxAge: time.Hour, MaxMsgsPerSubject: -1,
		MaxMsgSize: -1, Discard: store.DiscardOld, DuplicateWindow: 2 * time.Minute, Compression: store.CompressionS2,
		AllowRollup: true, AllowMsgTTL: true, Retention: store.RetentionLimits, MaxConsumers: -1,
	}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	if err := got.WithDefaults().Check(); err != nil {
		t.Error(err)
	}
}

func TestParseConfigRefuses(t *testing.T) {
	rows := []struct {
		name, json string
		words      []string // that the error has
		unknown    []string
	}{
		{"what is no JSON", `{`, []string{"configuration"}, nil},
		{"a list", `[]`, []string{"configuration", "no JSON object, but array"}, nil},
		{"null", `null`, []string{"configuration", "no JSON object, but null"}, nil},
		{"text for a number", `{"max_msgs":"many"}`, []string{"max_msgs", "string"}, nil},
		{"a fraction of a nanosecond", `{"max_age":1.5}`, []string{"max_age"}, nil},
		{"a mirror with a typo", `{"mirror":{"name":"A","filter_subjekt":"a"}}`, []string{"mirror: ", "not known: filter_subjekt"}, []string{"filter_subjekt"}},
		{"a source that begins at no time", `{"name":"S","sources":[{"name":"A","opt_start_time":"noon"}]}`, []string{"sources: ", "opt_start_time", "noon"}, nil},
		{"fields of later versions", `{"name":"S","zeta":1,"alpha":null}`, []string{"alpha, zeta"}, []string{"alpha", "zeta"}},
		{"another case", `{"NAME":"S"}`, []string{"NAME"}, []string{"NAME"}},
		{"a source of another account", `{"sources":[{"name":"A","external":{"api":"x"},"subject_transforms":[{"src":"a","dest":"b"}]}]}`,
			[]string{"external is not to be had, as", "its own store", "subject_transforms", "leave it out"}, []string{"external", "subject_transforms"}},
		{"a mirror that renames subjects", `{"mirror":{"name":"A","subject_transforms":[{}]}}`, []string{"messages keep their subjects"}, []string{"subject_transforms"}},
		{"a typo and what NATS has", `{"placement":{"tags":["a"]},"frob":1}`, []string{"not known: frob;", "placement is one of NATS's"}, []string{"frob", "placement"}},
		{"what NATS has and streams here lack", `{"num_replicas":3,"allow_msg_counter":true}`, nil, []string{"allow_msg_counter", "num_replicas"}},
	}
	for _, r := range rows {
		_, err := store.ParseConfig([]byte(r.json))
		if !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: got %v, want %v", r.name, err, store.ErrInvalid)
			continue
		}
		for _, w := range r.words {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q does not say %s", r.name, err, w)
			}
		}
		var unknown *store.UnknownFieldError
		if errors.As(err, &unknown) != (r.unknown != nil) || unknown != nil && !slices.Equal(unknown.Fields, r.unknown) {
			t.Errorf("%s: got unknown fields %+v, want %v", r.name, unknown, r.unknown)
		}
	}
}

func TestParseConsumerConfigNamesTheField(t *testing.T) {
	for json, want := range map[string]string{
		`{"opt_start_time":"noon"}`:                `opt_start_time: not valid: parsing time "noon"`,
		`{"name":"c","opt_start_time":1700000000}`: `opt_start_time: not valid: `,
		`{"backoff":["1s"]}`:                       `backoff: not valid: it can't be a JSON string`,
		`{"max_deliver":1.5,"ack_wait":true}`:      `ack_wait: not valid: it can't be a JSON bool`,
	} {
		if _, err := store.ParseConsumerConfig([]byte(json)); !errors.Is(err, store.ErrInvalid) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", json, err, want)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(`{"name":"S","subjects":["a"],"max_age":1}`))
	f.Add([]byte(`{"num_replicas":1,"x":{}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := store.ParseConfig(b)
		if err != nil {
			return
		}
		out, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		again, err := store.ParseConfig(out)
		if err != nil {
			t.Fatalf("%s becomes %s: %v", b, out, err)
		}
		if d := cmp.Diff(c.WithDefaults(), again.WithDefaults()); d != "" {
			t.Errorf("(-first +again):\n%s", d)
		}
	})
}
