package replicate

import (
	"errors"
	"testing"

	"jsfs/store"
)

func TestHeadersOfMessagesFromSources(t *testing.T) {
	src := store.Source{Name: "A", FilterSubject: "x.*"}
	const from = "Nats-Stream-Source: A 7 x.* > x.y id-1\r\n\r\n"
	for _, r := range []struct{ name, header, want string }{
		{"a message without header gets one", "", "NATS/1.0\r\n" + from},
		{"a block without fields stays one", "NATS/1.0\r\n\r\n", "NATS/1.0\r\n" + from},
		{"a status stays", "NATS/1.0 200 OK\r\nA: b\r\n\r\n", "NATS/1.0 200 OK\r\nA: b\r\n" + from},
		{"fields stay in order, and repeat", "NATS/1.0\r\nA: 1\r\nB:2\r\nA: 3\r\n\r\n", "NATS/1.0\r\nA: 1\r\nB:2\r\nA: 3\r\n" + from},
		{"what is for the origin goes", "NATS/1.0\r\nNats-Expected-Stream: A\r\nNats-Batch-Id: 3\r\nNats-Msg-Id: 5\r\n\r\n", "NATS/1.0\r\nNats-Msg-Id: 5\r\n" + from},
		{"an older source goes", "NATS/1.0\r\nNats-Stream-Source: Z 1 > > q\r\nNats-Stream-Sources: kept\r\n\r\n", "NATS/1.0\r\nNats-Stream-Sources: kept\r\n" + from},
	} {
		t.Run(r.name, func(t *testing.T) {
			m := store.Msg{Meta: store.Meta{Seq: 7}, Subject: "x.y", Header: []byte(r.header), Data: []byte("d")}
			e, err := entry(m, src, "id-1")
			if err != nil || string(e.Header) != r.want || string(m.Header) != r.header || !e.Sourced {
				t.Errorf("got %q, %v, want %q", e.Header, err, r.want)
			}
			key, p, ok := origin(e.Header)
			if !ok || key != src.Key() || p != (place{7, "id-1"}) {
				t.Errorf("read back: got %q, %+v, %v", key, p, ok)
			}
		})
	}
	for _, bad := range []string{"A: b\r\n\r\n", "NATS/1.0\r\nA: b", "NATS/1.0", "\r\n\r\n"} {
		if _, err := entry(store.Msg{Header: []byte(bad)}, src, ""); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("header %q: got %v, want ErrInvalid", bad, err)
		}
	}
}

func TestPlacesInHeaders(t *testing.T) {
	for _, r := range []struct {
		name, value, key string
		want             place
		ok               bool
	}{
		{"of nats-server 2.10", "ORDERS 42 > > orders.new", "ORDERS >", place{Seq: 42}, true},
		{"of nats-server 2.15, with an identity", "ORDERS 42 a.* > a.b kX9", "ORDERS a.*", place{42, "kX9"}, true},
		{"of four fields", "ORDERS 42 > >", "ORDERS >", place{Seq: 42}, true},
		{"with white space in its names", "A\u00a0B 42 a\u2003b > s", "A\u00a0B a\u2003b", place{Seq: 42}, true},
		{"without a filter", "ORDERS 42", "", place{}, false},
		{"with a sequence that is none", "ORDERS x > > s", "", place{}, false},
		{"empty", "", "", place{}, false},
	} {
		t.Run(r.name, func(t *testing.T) {
			key, p, ok := origin([]byte("NATS/1.0\r\nA: b\r\nNats-Stream-Source: " + r.value + "\r\n\r\n"))
			if key != r.key || p != r.want || ok != r.ok {
				t.Errorf("got %q, %+v, %v", key, p, ok)
			}
		})
	}
	if _, _, ok := origin(nil); ok {
		t.Error("no header says where a message came from")
	}
}
