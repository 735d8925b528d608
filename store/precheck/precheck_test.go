package precheck_test

import (
	"errors"
	"testing"

	"jsfs/store"
	"jsfs/store/memstore"
	"jsfs/store/precheck"
)

// What Check refuses Append refuses for the same reason, and what it lets pass Append stores.
func TestCheckSaysWhatAppendSays(t *testing.T) {
	for _, tt := range []struct {
		name, header string
		cfg          store.Config
		want         error
	}{
		{name: "nothing that acts", header: "X: y"},
		{name: "an id", header: "Nats-Msg-Id: 1"},
		{name: "a TTL that is not allowed", header: "Nats-TTL: 5s", want: store.ErrDenied},
		{name: "one that is", header: "Nats-TTL: 5s", cfg: store.Config{AllowMsgTTL: true}},
		{name: "one that is none", header: "Nats-TTL: soon", cfg: store.Config{AllowMsgTTL: true}, want: store.ErrInvalid},
		{name: "a rollup that is not allowed", header: "Nats-Rollup: sub", want: store.ErrDenied},
		{name: "one that is", header: "Nats-Rollup: sub", cfg: store.Config{AllowRollup: true}},
		{name: "one that is none", header: "Nats-Rollup: some", cfg: store.Config{AllowRollup: true}, want: store.ErrInvalid},
		{name: "the last sequence holds", header: "Nats-Expected-Last-Sequence: 2"},
		{name: "it does not", header: "Nats-Expected-Last-Sequence: 1", want: store.ErrExpected},
		{name: "the subject's holds", header: "Nats-Expected-Last-Subject-Sequence: 1"},
		{name: "it does not hold", header: "Nats-Expected-Last-Subject-Sequence: 2", want: store.ErrExpected},
		{name: "that of a pattern holds", header: "Nats-Expected-Last-Subject-Sequence: 2\r\nNats-Expected-Last-Subject-Sequence-Subject: >"},
		{name: "a repetition, which does nothing, asks for what is not allowed", header: "Nats-Msg-Id: of b\r\nNats-Rollup: sub"},
		{name: "another stream is expected", header: "Nats-Expected-Stream: T", want: store.ErrExpected},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.cfg.Name, tt.cfg.Subjects = "S", []string{">"}
			s, err := memstore.New(memstore.Options{}).Create(t.Context(), tt.cfg)
			if err != nil {
				t.Fatal(err)
			}
			for _, subject := range []string{"a", "b"} {
				if _, err := s.Append(t.Context(), store.Entry{Subject: subject, Header: []byte("NATS/1.0\r\nNats-Msg-Id: of " + subject + "\r\n\r\n")}); err != nil {
					t.Fatal(err)
				}
			}
			e := store.Entry{Subject: "a", Header: []byte("NATS/1.0\r\n" + tt.header + "\r\n\r\n")}
			if got := precheck.Check(t.Context(), s, &e); !errors.Is(got, tt.want) || (tt.want == nil) != (got == nil) {
				t.Errorf("Check: got %v, want %v", got, tt.want)
			}
			if _, got := s.Append(t.Context(), e); !errors.Is(got, tt.want) || (tt.want == nil) != (got == nil) {
				t.Errorf("Append: got %v, want %v", got, tt.want)
			}
		})
	}
}
