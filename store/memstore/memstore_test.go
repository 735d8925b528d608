package memstore_test

import (
	"testing"

	"jsfs/store"
	"jsfs/store/memstore"
	"jsfs/store/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, storetest.Engine{
		Open: func(testing.TB, string) store.Store { return memstore.New(memstore.Options{}) },
	})
}

// TestModel has the model agree with itself: it is the test of the test.
func TestModel(t *testing.T) {
	storetest.Model(t, storetest.Engine{
		Open: func(testing.TB, string) store.Store {
			return memstore.New(memstore.Options{KeepDeleted: storetest.Keep})
		},
	})
}

func TestFollowers(t *testing.T) {
	storetest.Followers(t, storetest.Engine{
		Open: func(testing.TB, string) store.Store { return memstore.New(memstore.Options{}) },
	})
}
