package metered_test

import (
	"context"
	"reflect"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"jsfs/store"
	"jsfs/store/memstore"
	"jsfs/store/metered"
)

// uncounted are the methods that are no operations: they answer from memory, at once, and can't fail.
var uncounted = map[string]bool{"Config": true, "Created": true, "Incarnation": true, "Watch": true, "Origins": true}

// TestEveryOperationIsCounted calls each method of a store, a stream, a draft and a consumer once: one operation more is counted then.
func TestEveryOperationIsCounted(t *testing.T) {
	reg, ctx := prometheus.NewRegistry(), t.Context()
	st, err := metered.New(memstore.New(memstore.Options{}), reg)
	if err != nil {
		t.Fatal(err)
	}
	s, err := st.Create(ctx, store.Config{Name: "S"})
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.ScratchDraft(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(ctx, store.Entry{Subject: "s"}); err != nil {
		t.Fatal(err)
	}
	c, err := s.CreateConsumer(ctx, store.ConsumerConfig{Name: "c"})
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	for _, role := range []struct {
		is   reflect.Type
		what any
	}{{reflect.TypeFor[store.Draft](), d}, {reflect.TypeFor[store.Consumer](), c}, {reflect.TypeFor[store.Stream](), s}, {reflect.TypeFor[store.Store](), st}} {
		for i := range role.is.NumMethod() {
			name := role.is.Method(i).Name
			if uncounted[name] {
				continue
			}
			before := counted(t, reg)
			call(ctx, reflect.ValueOf(role.what).MethodByName(name))
			if got := counted(t, reg); got != before+1 {
				t.Errorf("%v.%s: %d operations are counted, want one", role.is, name, got-before)
			}
			calls++
		}
	}
	if calls < 57 {
		t.Errorf("only %d methods were called", calls)
	}
}

// call calls f with zeros, and a context where it takes one, and walks what it returns to walk.
func call(ctx context.Context, f reflect.Value) {
	var args []reflect.Value
	for i := range f.Type().NumIn() {
		in := f.Type().In(i)
		if in == reflect.TypeFor[context.Context]() {
			args = append(args, reflect.ValueOf(ctx))
			continue
		}
		args = append(args, reflect.Zero(in))
	}
	for _, out := range f.Call(args) {
		if out.Kind() == reflect.Func && !out.IsNil() {
			for range out.Seq2() {
				break
			}
		}
	}
}

// counted returns how many operations were counted in all.
func counted(t *testing.T, reg *prometheus.Registry) (n uint64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "jsfs_store_operation_seconds" {
			for _, m := range f.GetMetric() {
				n += m.GetHistogram().GetSampleCount()
			}
		}
	}
	return n
}
