package fusefs

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
)

// consumersDir has a directory for each consumer of its stream.
type consumersDir struct{}

func (consumersDir) lookup(c *call, s *stream, at place, name string, out *fuse.EntryOut) error {
	if store.CheckName(name) != nil {
		return errAbsent
	}
	p, err := findConsumer(c, s, at, name)
	if err != nil {
		return absent(err)
	}
	return c.fs.placeEntry(c, s, p, out)
}

func (consumersDir) list(c *call, s *stream, at place, _ *namesHandle, off uint64, l *listing) error {
	names, err := s.ConsumerNames(c)
	if err != nil {
		return err
	}
	return listByHash(names, off, func(name string, cookie uint64) (bool, error) {
		p, err := findConsumer(c, s, at, name)
		if errors.Is(err, store.ErrNotFound) {
			return true, nil // removed meanwhile
		}
		return err == nil && l.place(s, p, name, syscall.S_IFDIR, cookie), err
	})
}

// listByHash calls add for names in the order of their hashes, each with a cookie that stays the same whatever
// names come and go, for those with a cookie above off, until add says that there is no more room.
func listByHash(names []string, off uint64, add func(name string, cookie uint64) (more bool, err error)) error {
	byCookie := make(map[uint64]string, len(names))
	for _, name := range names {
		k := cookieParent + 1 + xxhash.Sum64String(name)>>2
		for byCookie[k] != "" {
			k++ // two names in 2^62 with one hash: neither must be left out
		}
		byCookie[k] = name
	}
	for _, k := range slices.Sorted(maps.Keys(byCookie)) {
		if k <= off {
			continue
		}
		if more, err := add(byCookie[k], k); !more || err != nil {
			return err
		}
	}
	return nil
}

// findConsumer returns the place of a consumer's directory. One that can't be read has one, too: it can be removed.
func findConsumer(c *call, s *stream, at place, name string) (place, error) {
	consumer, err := s.Consumer(c, name)
	var corrupt *store.CorruptError
	if errors.As(err, &corrupt) || errors.Is(err, store.ErrVersion) {
		return consumerPlace(s, at, name, 0)
	}
	if err != nil {
		return place{}, err
	}
	return consumerPlace(s, at, name, consumer.Created())
}

// consumerPlace is the place of the directory of a consumer that was made at that time.
func consumerPlace(s *stream, at place, name string, created int64) (place, error) {
	arg := name + "/" + strconv.FormatInt(created, 10)
	return at.below(s, uint64(mapping.ControlConsumer), name, mapping.Filter{}, arg)
}

// consumerName is the name of the consumer that a place below a consumer's directory is about.
func (p place) consumerName() string {
	name, _, _ := strings.Cut(p.view.arg, "/")
	return name
}

// consumer returns the consumer that a place is about; errStale if it was removed.
func (p place) consumer(c *call, s *stream) (store.Consumer, error) {
	consumer, err := s.Consumer(c, p.consumerName())
	if errors.Is(err, store.ErrNotFound) {
		return nil, errStale
	}
	if err != nil {
		return nil, err
	}
	if strings.Split(p.view.arg, "/")[1] != strconv.FormatInt(consumer.Created(), 10) {
		return nil, errStale // it is another one of that name
	}
	return consumer, nil
}

// consumerInfo returns the numbers of the consumer that a place is about. One that can't be read has none.
func (fs *FS) consumerInfo(c *call, s *stream, p place) (store.ConsumerInfo, error) {
	consumer, err := p.consumer(c, s)
	if err != nil {
		var corrupt *store.CorruptError
		if p.control() == mapping.ControlConsumer && (errors.As(err, &corrupt) || errors.Is(err, store.ErrVersion)) {
			return store.ConsumerInfo{}, nil // its directory must be there, to be removed
		}
		return store.ConsumerInfo{}, err
	}
	return consumer.Info(c)
}

// inConsumers says whether the place is the directory of consumers, or below it.
func (p place) inConsumers() bool {
	if p.kind != mapping.KindControl {
		return false
	}
	switch p.control() {
	case mapping.ControlConsumers, mapping.ControlConsumer, mapping.ControlOpen, mapping.ControlNak, mapping.ControlTerm:
		return true
	}
	return false
}

// makeConsumer makes a consumer with the defaults. In a work queue that has others it would take what is theirs by them: there
// it has a subject of its own, and gets nothing, until its configuration says what is its part.
func (fs *FS) makeConsumer(c *call, s *stream, at place, name string, out *fuse.EntryOut) error {
	cfg := store.ConsumerConfig{Name: name}
	consumer, err := s.CreateConsumer(c, cfg)
	if errors.Is(err, store.ErrDenied) && s.Config().Retention == store.RetentionWorkQueue {
		cfg.FilterSubject = noSubjectYet + name
		consumer, err = s.CreateConsumer(c, cfg)
	}
	if err != nil {
		return err
	}
	p, err := consumerPlace(s, at, name, consumer.Created())
	if err != nil {
		return err
	}
	return fs.placeEntry(c, s, p, out)
}

// noSubjectYet is what the filter of a consumer without a part of its work queue begins with.
const noSubjectYet = "no.subject.yet."

// rmdirConsumers removes a consumer, whatever its directory lists. What is in that is fixed, but to who is about to remove
// the consumer.
func (fs *FS) rmdirConsumers(c *call, s *stream, at place, name string) error {
	if err := fs.writable(s); err != nil {
		return err
	}
	if at.control() == mapping.ControlConsumers {
		return s.RemoveConsumer(c, name)
	}
	if fs.isRemoving(c, s, at) {
		return nil
	}
	return refuse(syscall.EPERM, onlyConsumers)
}

const onlyConsumers = "what is in a consumer's directory is fixed: rmdir of the directory removes the consumer"

// unlinkInConsumer acknowledges a delivery whose file is removed. Who removes the configuration is about to remove the
// consumer, as rm -r does: what else that process removes there within a moment is no acknowledgement.
func (fs *FS) unlinkInConsumer(c *call, s *stream, at place, name string) error {
	if err := fs.writable(s); err != nil {
		return err
	}
	switch at.control() {
	case mapping.ControlConsumer:
		child, ok := mapping.ControlConsumer.Child(name, true)
		if !ok {
			return errAbsent
		}
		if child == mapping.ControlConsumerConfig {
			s.removing.note(at.consumerName(), c.hdr.Pid, fs.now())
			return nil
		}
		if fs.isRemoving(c, s, at) {
			return nil
		}
	case mapping.ControlOpen:
		if fs.isRemoving(c, s, at) {
			return nil
		}
		return fs.changeOpen(c, s, at, name, func(consumer store.Consumer, seq store.Seq) error { return consumer.Ack(c, seq) })
	}
	return refuse(syscall.EPERM, onlyConsumers)
}

// isRemoving says whether the caller's process is about to remove the consumer that a place is about.
func (fs *FS) isRemoving(c *call, s *stream, at place) bool {
	thread, when := s.removing.of(at.consumerName())
	return thread != 0 && fs.now().Sub(when) <= hideFor && fs.sameProcess(thread, c.hdr.Pid)
}

// removing remembers who is about to remove a consumer.
type removing struct {
	// mu guards all below. It is a leaf.
	mu     sync.Mutex
	name   string
	thread uint32
	when   time.Time
}

func (r *removing) note(name string, thread uint32, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.name, r.thread, r.when = name, thread, now
}

func (r *removing) of(name string) (thread uint32, when time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.name != name {
		return 0, time.Time{}
	}
	return r.thread, r.when
}
