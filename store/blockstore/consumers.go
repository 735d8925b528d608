package blockstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"jsfs/store"
	"jsfs/store/internal/consume"
	"jsfs/store/internal/record"
	"jsfs/store/internal/seal"
	"jsfs/store/internal/vfs"
)

// consumerPrefix begins the name of the file in which a consumer is kept; its number follows.
const consumerPrefix = "consumer-"

// consumerFile is the name of the file of the consumer with that number, in the stream's directory.
func consumerFile(id uint64) string { return fmt.Sprintf("%s%016x", consumerPrefix, id) }

// consumerID returns the number of the consumer that a file keeps.
func consumerID(file string) (id uint64, ok bool) {
	digits, ok := strings.CutPrefix(file, consumerPrefix)
	id, err := strconv.ParseUint(digits, 16, 64)
	return id, ok && err == nil && id > 0 && len(digits) == 16
}

// readConsumers takes in the consumers that are kept in files of those names. One that can't be read is noted, and keeps
// the stream from nothing but forgetting what that one may want. An error is one of the process, not of a file.
func (o *opening) readConsumers(files []string) error {
	var stored []consume.Stored
	for _, file := range files {
		id, ok := consumerID(file)
		if !ok {
			continue
		}
		name := o.dir + "/" + file
		b, err := readFile(o.fs, name)
		if vfs.IsExhausted(err) {
			return err
		}
		kept := consume.Stored{ID: id, Err: err}
		damaged := false
		if err == nil {
			kept.Content, damaged, kept.Err = o.openConsumer(id, b)
		}
		if kept.Err != nil && !record.IsVersion(kept.Err) {
			kept.Err = &store.CorruptError{File: name, Err: kept.Err}
		}
		if damaged && kept.Err == nil {
			o.note(store.Damage{File: name, Length: int64(len(b)), Cause: "one copy of a consumer is damaged"})
		}
		stored = append(stored, kept)
	}
	o.consumers = consume.NewSet(consume.Options{
		Stream: o.Stream, Retention: o.retention, Discard: o.discard, Keeper: keeper{o.Stream}, ReadOnly: o.opt.ReadOnly,
		Now: o.opt.Now, Logger: o.log,
	}, stored)
	for name, err := range o.consumers.Broken() {
		o.note(store.Damage{File: o.dir, Cause: fmt.Sprintf("consumer %s can't be read: %v", name, err)})
	}
	return nil
}

// consumerBox returns what seals the file of a consumer in an encrypted store.
func (s *Stream) consumerBox(id uint64) *seal.Box {
	return record.ConsumerBox(s.st.key, s.st.id, s.inc, id)
}

// openConsumer returns the content of a consumer's file.
func (s *Stream) openConsumer(id uint64, b []byte) (content []byte, damaged bool, err error) {
	content, damaged, err = record.OpenEnvelope(record.MagicConsumer, b)
	if err == nil && s.st.key != nil {
		content, err = s.consumerBox(id).Open(nil, content, nil)
	}
	return content, damaged, err
}

// beginConsumers takes up what consumers were doing when the stream was closed.
func (s *Stream) beginConsumers() {
	if err := s.consumers.Begin(bg, s.w.plan.unclean); err != nil {
		s.log.Error("consumers could not take up what they did", "stream", s.config.Load().Name, "cause", err)
	}
}

// retention says what becomes of messages that are acknowledged.
func (s *Stream) retention() store.Retention {
	cfg := s.config.Load()
	if cfg.Sealed {
		return store.RetentionLimits
	}
	return cfg.Retention
}

// discard removes the live messages in ranges, which consumers have acknowledged.
func (s *Stream) discard(ctx context.Context, ranges []store.Range) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.gate.leave()
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if err := s.writableLocked(); err != nil {
		return err
	}
	return s.discardLocked(ranges)
}

// noteUnwantedLocked notes that e was encoded and no consumer wants it, if so.
func (s *Stream) noteUnwantedLocked(cfg *store.Config, e *store.Entry) {
	if cfg.Retention == store.RetentionInterest && !s.consumers.Wanted(e.Subject) {
		s.lim.unwanted = append(s.lim.unwanted, store.Seq(s.w.coming()-1))
	}
}

// dropUnwantedLocked removes what was noted.
func (s *Stream) dropUnwantedLocked() error {
	if len(s.lim.unwanted) == 0 {
		return nil
	}
	if s.config.Load().Retention != store.RetentionInterest {
		s.lim.unwanted = s.lim.unwanted[:0] // they stay since
		return nil
	}
	ranges := make([]store.Range, len(s.lim.unwanted))
	for i, seq := range s.lim.unwanted {
		ranges[i] = store.Range{First: seq, Last: seq}
	}
	if err := s.discardLocked(ranges); err != nil {
		return err
	}
	s.lim.unwanted = s.lim.unwanted[:0]
	return nil
}

// keeper keeps the consumers of a stream. It implements [consume.Keeper].
type keeper struct{ s *Stream }

// Save implements [consume.Keeper]. On a full disk it takes from the reserve.
func (k keeper) Save(id uint64, content []byte) error {
	s := k.s
	if s.st.key != nil {
		content = s.consumerBox(id).Seal(nil, content, nil)
	}
	b := record.Envelope(record.MagicConsumer, content)
	for {
		err := replaceFile(s.fs, s.dir+"/"+consumerFile(id), b)
		if !isNoSpace(err) || !s.st.reserve.Give() {
			return diskError(err)
		}
	}
}

// Remove implements [consume.Keeper].
func (k keeper) Remove(id uint64) error {
	name := k.s.dir + "/" + consumerFile(id)
	if err := errors.Join(removeIfThere(k.s.fs, name), removeIfThere(k.s.fs, name+".new")); err != nil {
		return err
	}
	return k.s.fs.SyncDir(k.s.dir)
}

// Settle implements [consume.Keeper].
func (k keeper) Settle() error { return k.s.sync() }

// CreateConsumer implements [store.Consumers].
func (s *Stream) CreateConsumer(ctx context.Context, cfg store.ConsumerConfig) (store.Consumer, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.gate.leave()
	end, err := s.st.beginConsumer()
	if err != nil {
		return nil, fmt.Errorf("create consumer of stream %s: %w", s.config.Load().Name, err)
	}
	defer end()
	return s.consumers.CreateConsumer(ctx, cfg)
}

// RestoreConsumer implements [store.Consumers].
func (s *Stream) RestoreConsumer(ctx context.Context, from store.ConsumerState) (store.Consumer, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.gate.leave()
	if _, err := s.consumers.Consumer(ctx, from.Config.WithDefaults().Name); errors.Is(err, store.ErrNotFound) {
		end, err := s.st.beginConsumer()
		if err != nil {
			return nil, fmt.Errorf("restore consumer of stream %s: %w", s.config.Load().Name, err)
		}
		defer end()
	}
	return s.consumers.RestoreConsumer(ctx, from)
}

// UpdateConsumer implements [store.Consumers].
func (s *Stream) UpdateConsumer(ctx context.Context, cfg store.ConsumerConfig) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.gate.leave()
	return s.consumers.UpdateConsumer(ctx, cfg)
}

// RemoveConsumer implements [store.Consumers].
func (s *Stream) RemoveConsumer(ctx context.Context, name string) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.gate.leave()
	return s.consumers.RemoveConsumer(ctx, name)
}

// Consumer implements [store.Consumers].
func (s *Stream) Consumer(ctx context.Context, name string) (store.Consumer, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.gate.leave()
	return s.consumers.Consumer(ctx, name)
}

// ConsumerNames implements [store.Consumers].
func (s *Stream) ConsumerNames(ctx context.Context) ([]string, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.gate.leave()
	return s.consumers.ConsumerNames(ctx)
}
