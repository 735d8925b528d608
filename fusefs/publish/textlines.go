package publish

import (
	"context"
	"sync"

	"jsfs/store"
)

// textLines makes each line the payload of a message on a subject.
type textLines struct{ Subject }

// entries recycles the entries of AppendAll.
var entries = sync.Pool{New: func() any { return new([]store.Entry) }}

func (t textLines) storeAll(ctx context.Context, lines [][]byte) (int, error) {
	es := entries.Get().(*[]store.Entry)
	defer func() {
		clear(*es)
		*es = (*es)[:0]
		entries.Put(es)
	}()
	for _, line := range lines {
		*es = append(*es, store.Entry{Subject: t.Name, Data: line})
	}
	return t.Stream.AppendAll(ctx, *es)
}
