package memstore_test

import (
	"testing"

	"jsfs/store"
	"jsfs/store/memstore"
	"jsfs/store/storetest"
)

func TestAccountLimits(t *testing.T) {
	storetest.AccountLimits(t, func(_ testing.TB, l store.AccountLimits) store.Store {
		return memstore.New(memstore.Options{Limits: l})
	})
	storetest.AccountRoom(t, func(_ testing.TB, most int64) store.Store { return memstore.New(memstore.Options{MaxBytes: most}) })
	storetest.AccountDrafts(t, func(_ testing.TB, most int64) store.Store { return memstore.New(memstore.Options{MaxBytes: most}) })
}
