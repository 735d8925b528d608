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
}
