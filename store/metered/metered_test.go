package metered_test

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/memstore"
	"jsfs/store/metered"
	"jsfs/store/storetest"
)

// A counted store is as good as the engine below it.
func TestConformance(t *testing.T) {
	storetest.Run(t, storetest.Engine{
		Durable: true, Few: true,
		Open: func(tb testing.TB, dir string) store.Store {
			tb.Helper()
			st, err := blockstore.OpenDir(dir, blockstore.Options{Sync: blockstore.SyncNever})
			if err != nil {
				tb.Fatal(err)
			}
			counted, err := metered.New(st, prometheus.NewRegistry())
			if err != nil {
				tb.Fatal(err)
			}
			return counted
		},
	})
}

func TestWhatIsCounted(t *testing.T) {
	reg, ctx := prometheus.NewRegistry(), t.Context()
	st, err := metered.New(memstore.New(memstore.Options{}), reg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	s, err := st.Create(ctx, store.Config{Name: "S"})
	if err != nil {
		t.Fatal(err)
	}
	same, err := st.Stream(ctx, "S")
	if err != nil || same != s {
		t.Errorf("the same stream: got %v, %v, want %v", same, err, s)
	}
	_, _ = s.Append(ctx, store.Entry{Subject: "x", Data: []byte("12345")})
	_, _ = s.AppendAll(ctx, []store.Entry{{Subject: "x", Data: []byte("1")}, {Subject: "x"}, {Subject: "*"}})
	_, _ = s.Load(ctx, 1, nil)
	_, _ = s.Load(ctx, 99, nil)
	_, _ = s.Remove(ctx, 2)
	for range s.Scan(ctx, store.Query{}) {
		break
	}
	want := `
# HELP jsfs_store_messages_total Messages that were stored, and that were loaded with their payloads.
# TYPE jsfs_store_messages_total counter
jsfs_store_messages_total{direction="loaded"} 1
jsfs_store_messages_total{direction="stored"} 3
# HELP jsfs_store_payload_bytes_total Bytes of payload that were stored, and that were loaded.
# TYPE jsfs_store_payload_bytes_total counter
jsfs_store_payload_bytes_total{direction="loaded"} 5
jsfs_store_payload_bytes_total{direction="stored"} 6
# HELP jsfs_stream_messages Live messages of a stream.
# TYPE jsfs_stream_messages gauge
jsfs_stream_messages{stream="S"} 2
`
	err = testutil.GatherAndCompare(reg, strings.NewReader(want),
		"jsfs_store_messages_total", "jsfs_store_payload_bytes_total", "jsfs_stream_messages")
	if err != nil {
		t.Error(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	took, failed := map[string]uint64{}, map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			switch f.GetName() {
			case "jsfs_store_operation_seconds":
				took[m.GetLabel()[0].GetValue()] = m.GetHistogram().GetSampleCount()
			case "jsfs_store_operation_errors_total":
				failed[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
			}
		}
	}
	for op, want := range map[string]uint64{"create": 1, "append": 2, "load": 2, "remove": 1, "scan": 1, "sync": 0} {
		if took[op] != want {
			t.Errorf("%s: counted %d times, want %d", op, took[op], want)
		}
	}
	if failed["append"] != 1 || failed["load"] != 1 || failed["remove"] != 0 {
		t.Errorf("failures: got %v, want one append and one load", failed)
	}
}

func TestAStoreIsNotCountedTwiceInOneRegistry(t *testing.T) {
	reg := prometheus.NewRegistry()
	if _, err := metered.New(memstore.New(memstore.Options{}), reg); err != nil {
		t.Fatal(err)
	}
	if _, err := metered.New(memstore.New(memstore.Options{}), reg); err == nil {
		t.Error("a second store in the same registry: got no error")
	}
}
