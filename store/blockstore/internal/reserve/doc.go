// Package reserve keeps a little of the disk's space aside while there is enough, so that what gives space back can be
// written when there is none: removals, and blocks that are written anew. What it gave is its again before anybody else
// may write. It does what it can: a disk that refuses it for other reasons costs the reserve, and no call fails by it.
package reserve
