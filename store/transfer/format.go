package transfer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"jsfs/store"
)

// Versions of a backup's lines (FORMAT.md): of a part without consumers, and of one with.
const (
	plainVersion    = 1
	consumerVersion = 2
)

// The first bytes of the lines that are no messages.
var (
	headerMark   = []byte(`{"jsfs_backup":`)
	consumerMark = []byte(`{"consumer":`)
	checkMark    = []byte(`{"check":`)
	endMark      = []byte(`{"end":`)
)

const (
	// chunkSize is how much text a check line comes behind, at the least.
	chunkSize = 1 << 20
	// maxHeaderLine bounds a header line, maxConsumerLine one of a consumer, maxChunk the text that may come without a
	// check line, besides the last message or consumer in it.
	maxHeaderLine   = 8 << 20
	maxConsumerLine = 32 << 20
	maxChunk        = 16 << 20
)

// header is the first line of a part.
type header struct {
	Version     int          `json:"jsfs_backup"`
	Streams     int          `json:"streams"`
	Config      store.Config `json:"config"`
	Incarnation uint64       `json:"incarnation"`
	// First, Last, LastTime, Messages and Bytes are the stream's state when the backup began.
	First    store.Seq `json:"first_seq"`
	Last     store.Seq `json:"last_seq"`
	LastTime time.Time `json:"last_time"`
	Messages int64     `json:"messages"`
	Bytes    int64     `json:"bytes"`
	// Consumers is how many consumers follow.
	Consumers int       `json:"consumers,omitempty"`
	Source    string    `json:"source,omitempty"`
	Created   time.Time `json:"created"`

	// consumers are those that follow, lost the ones that could not be read; of a header that was read they are not set.
	consumers []store.ConsumerState
	lost      []LostConsumer
}

func (h *header) line() ([]byte, error) {
	b, err := json.Marshal(h)
	return append(b, '\n'), err
}

// same says whether h and g begin a backup of the same stream in the same state.
func (h *header) same(g *header) bool {
	a, b := *h, *g
	a.Created, b.Created = time.Time{}, time.Time{}
	x, errA := a.line()
	y, errB := b.line()
	return errA == nil && errB == nil && bytes.Equal(x, y)
}

func parseHeader(b []byte) (header, error) {
	var version struct {
		Version int `json:"jsfs_backup"`
	}
	var h header
	if !bytes.HasPrefix(b, headerMark) {
		return h, fmt.Errorf("%w: no backup of jsfs begins here", store.ErrInvalid)
	}
	if err := json.Unmarshal(b, &version); err != nil {
		return h, fmt.Errorf("header line: %w: %w", store.ErrInvalid, err)
	}
	if version.Version != plainVersion && version.Version != consumerVersion {
		return h, fmt.Errorf("backup of version %d: %w", version.Version, store.ErrVersion)
	}
	if err := json.Unmarshal(b, &h); err != nil {
		return h, fmt.Errorf("header line: %w: %w", store.ErrInvalid, err)
	}
	if h.Consumers < 0 || h.Consumers > 0 && h.Version != consumerVersion {
		return h, fmt.Errorf("header line: %w: %d consumers", store.ErrInvalid, h.Consumers)
	}
	h.Config = h.Config.WithDefaults()
	if err := h.Config.CheckKept(); err != nil {
		return h, fmt.Errorf("header line: %w", err)
	}
	return h, nil
}

// maxLine bounds the line of a message of this stream: a byte takes six at most.
func (h *header) maxLine() int {
	return 6*(int(h.Config.MaxMsgSize)+store.MaxHeader+store.MaxSubject) + 1024
}

// check is the line behind a chunk; what it says is about the part up to it.
type check struct {
	Sum      string    `json:"check"` // XXH64 of all bytes of the part before this line
	Messages int64     `json:"messages"`
	Last     store.Seq `json:"last_seq"`
}

// end is the last line of a part.
type end struct {
	Sum      string    `json:"end"` // as in check
	Messages int64     `json:"messages"`
	Bytes    int64     `json:"bytes"`
	Last     store.Seq `json:"last_seq"`
	Lost     []Lost    `json:"lost,omitempty"`
	// LostConsumers are those that could not be read.
	LostConsumers []LostConsumer `json:"lost_consumers,omitempty"`
}

// DamagedError says from where on a backup can't be used, and what of it can.
type DamagedError struct {
	File   string
	Offset int64 // behind what is good
	// Stream is what is damaged, "" if not even that can be told. Its first Messages messages, up to
	// Last, are good, and so is every stream before it in the file.
	Stream   string
	Messages int64
	Last     store.Seq
	Err      error
}

func (e *DamagedError) Error() string {
	s := fmt.Sprintf("%s can't be used from byte %d on: %v", e.File, e.Offset, e.Err)
	if e.Stream != "" {
		s += fmt.Sprintf("; of stream %s, %d messages are good (up to %d)", e.Stream, e.Messages, e.Last)
	}
	return s
}

// Unwrap returns the cause.
func (e *DamagedError) Unwrap() error { return e.Err }
