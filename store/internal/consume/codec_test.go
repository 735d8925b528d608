package consume

import (
	"bytes"
	"errors"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"encoding/hex"

	"github.com/google/go-cmp/cmp"

	"jsfs/store"
)

// example is the consumer of FORMAT.md.
func example() store.ConsumerState {
	return store.ConsumerState{
		Config:  store.ConsumerConfig{Name: "c", AckWait: time.Second}.WithDefaults(),
		Created: 1_700_000_000_000_000_000,
		Deliveries: store.Deliveries{
			Delivered: at(7, 12), AckFloor: at(3, 8),
			Pending: []store.PendingDelivery{
				{Seq: 9, Consumer: 4, Time: 1_700_000_001_000_000_000, Due: 1_700_000_002_000_000_000, Count: 1},
				{Seq: 12, Consumer: 6, Time: 1_700_000_001_000_000_500, Due: 1_700_000_002_000_000_500, Count: 2},
			},
			Spent: []store.Spent{{Seq: 2, Count: 5}, {Seq: 8, Count: 5}},
		},
	}
}

func TestDecodeReadsWhatEncodeWrites(t *testing.T) {
	full := example()
	full.Config.FilterSubjects, full.Config.BackOff = []string{"a", "b.*"}, []time.Duration{time.Second, 5 * time.Second}
	full.Config = full.Config.WithDefaults()
	full.Resume, full.Delivered = 1<<63, at(math.MaxUint64, math.MaxUint64)
	empty := store.ConsumerState{
		Config:     store.ConsumerConfig{Name: "none", AckPolicy: store.AckNone}.WithDefaults(),
		Deliveries: store.Deliveries{Pending: []store.PendingDelivery{}, Spent: []store.Spent{}},
	}
	for _, want := range []store.ConsumerState{example(), full, empty} {
		b, err := Encode(&want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(b)
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("%v (-want +got):\n%s", err, d)
		}
		for n := range b {
			if _, err := Decode(b[:n]); err == nil {
				t.Errorf("the first %d of %d bytes are a consumer", n, len(b))
			}
		}
	}
}

func TestDecodeTellsALaterVersionFromDamage(t *testing.T) {
	r := example()
	b, err := Encode(&r)
	if err != nil {
		t.Fatal(err)
	}
	later := bytes.Replace(b, []byte(`"max_waiting"`), []byte(`"max_dancing"`), 1)
	if _, err := Decode(later); !errors.Is(err, store.ErrVersion) {
		t.Errorf("a field that is not known: got %v", err)
	}
	wrong := bytes.Replace(b, []byte(`"explicit"`), []byte(`"implicit"`), 1)
	if _, err := Decode(wrong); err == nil || errors.Is(err, store.ErrVersion) {
		t.Errorf("a policy that is none: got %v", err)
	}
}

// TestFormatExample reads the example that the specification has.
func TestFormatExample(t *testing.T) {
	text, err := os.ReadFile("../record/FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)```hex consumer\n(.*?)```").FindSubmatch(text)
	if m == nil {
		t.Fatal("FORMAT.md has no example of a consumer")
	}
	want, err := hex.DecodeString(strings.Join(strings.Fields(string(m[1])), ""))
	if err != nil {
		t.Fatal(err)
	}
	r := example()
	got, err := Encode(&r)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v: got % x", err, got)
	}
	back, err := Decode(want)
	if d := cmp.Diff(r, back); err != nil || d != "" {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}

// FuzzDecode demands that whatever is decoded is a consumer that can be, and that it is encoded to what decodes to the same.
func FuzzDecode(f *testing.F) {
	r := example()
	b, _ := Encode(&r)
	f.Add(b)
	f.Add(b[:len(b)-2])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Decode(b)
		if err != nil {
			return
		}
		if err := NewState(r.Config.AckPolicy, 0).Replace(r.Deliveries); err != nil {
			t.Fatalf("%+v can't be: %v", r, err)
		}
		again, err := Encode(&r)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(again)
		if d := cmp.Diff(r, back); err != nil || d != "" {
			t.Fatalf("%v (-want +got):\n%s", err, d)
		}
	})
}
