// Package reserve keeps a little of the disk's space aside while there is enough, so that what gives space back can be
// written when there is none. It does what it can: a disk that refuses it costs the reserve, and no call fails by it.
package reserve
