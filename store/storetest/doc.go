// Package storetest is the conformance suite of package store. Every engine runs it, in
// a few lines:
//
//	func TestConformance(t *testing.T) {
//		storetest.Run(t, storetest.Engine{
//			Open: func(testing.TB, string) store.Store { return memstore.New(memstore.Options{}) },
//		})
//	}
//
// [Run] is a table of cases, each on a fresh store; their names say what must hold.
// [Model] makes random operations on an engine and on the memory store side by side;
// they must agree. After every case the store is checked as a whole, and, where it is
// durable, opened again and compared with what it was before.
package storetest
