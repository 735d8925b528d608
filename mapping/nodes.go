package mapping

// Kind is the kind of a node, the top four bits of its number.
type Kind uint8

// The kinds of nodes. Node numbers stay below 2^63 as long as a kind is below 8.
const (
	KindStream  Kind = iota + 1 // a stream's directory; n is 0
	KindMessage                 // n is the sequence
	KindControl                 // n is the Control
	KindSubject                 // n is chosen by who makes the node
	KindDraft                   // n is chosen by who makes the node
	KindView                    // made by ViewNode; has no incarnation and no n
)

// Root is the node number of the mount's root. 0 and 2^64-1 are reserved as well;
// Node gives none of the three for a Kind above.
const Root = 1

const (
	nBits           = 42
	incarnationBits = 18
	incarnationMask = 1<<incarnationBits - 1
)

// MaxN is the largest n that a node number holds.
const MaxN = 1<<nBits - 1

// Node returns the node and inode number of a file, which depends on nothing else
// than these three. Of the incarnation it holds the lowest 18 bits: two streams that
// exist at the same time must differ in them. ok is false if n is above MaxN: such
// a message can't be shown.
func Node(k Kind, incarnation, n uint64) (id uint64, ok bool) {
	if n > MaxN {
		return 0, false
	}
	return uint64(k)<<(nBits+incarnationBits) | (incarnation&incarnationMask)<<nBits | n, true
}

// ViewNode returns the node and inode number of a file that is known by what it shows, from a hash of that
// and of the stream's incarnation. Of the hash it holds 60 bits: two of a million files have the
// same number once in two million mounts.
func ViewNode(hash uint64) uint64 {
	return uint64(KindView)<<(nBits+incarnationBits) | hash&(1<<(nBits+incarnationBits)-1)
}

// SplitNode is the inverse of Node. The incarnation is what Node kept of it. Of a node made by ViewNode only the
// kind is right.
func SplitNode(id uint64) (k Kind, incarnation, n uint64) {
	return Kind(id >> (nBits + incarnationBits)), Incarnation(id >> nBits), id & MaxN
}

// Incarnation returns the part of an incarnation that a node number holds.
func Incarnation(incarnation uint64) uint64 { return incarnation & incarnationMask }
