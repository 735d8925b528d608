// Package metered counts what is done with a store, and how long it takes. [New] wraps any
// engine: what it returns behaves as the engine does, in every role.
package metered
