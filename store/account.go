package store

import "fmt"

// AccountLimits bound what a store takes, over all of its streams. A limit of 0 is none. They hold for what is
// new: what a store has when it is opened with lower ones stays.
type AccountLimits struct {
	// MaxStreams and MaxConsumers bound how many there are.
	MaxStreams, MaxConsumers int
	// MaxStorage bounds the bytes that messages take in the storage, those that were removed and are kept, those of removed
	// streams and of streams that can't be read, included, and drafts: those that have a name, by the size of their content; a message
	// may take the place of the draft that becomes it. Streams that are written at the same time may pass it by a
	// message each; removals are never refused. When it is reached, what was removed and is kept (see [Keeper] and [Attic]) goes first,
	// the oldest removals first.
	MaxStorage int64
}

// Check returns nil if the limits can hold.
func (l AccountLimits) Check() error {
	for _, limit := range []struct {
		field string
		value int64
	}{{"max_streams", int64(l.MaxStreams)}, {"max_consumers", int64(l.MaxConsumers)}, {"max_storage", l.MaxStorage}} {
		if limit.value < 0 {
			return bad(limit.field, "%d is negative", limit.value)
		}
	}
	return nil
}

// CheckStream returns nil if a store that has so many streams may get another one.
func (l AccountLimits) CheckStream(have int) error {
	return reached("max_streams", int64(have)+1, int64(l.MaxStreams), "")
}

// CheckConsumer returns nil if a store whose streams have so many consumers may get another one.
func (l AccountLimits) CheckConsumer(have int) error {
	return reached("max_consumers", int64(have)+1, int64(l.MaxConsumers), "")
}

// CheckRevive returns nil if a store that has so many streams and consumers may get a stream back that has so many consumers.
func (l AccountLimits) CheckRevive(streams, consumers, own int) error {
	if err := l.CheckStream(streams); err != nil || own == 0 {
		return err
	}
	return reached("max_consumers", int64(consumers)+int64(own), int64(l.MaxConsumers), "")
}

// CheckStorage returns nil if a store whose streams take used bytes may take n more.
func (l AccountLimits) CheckStorage(used, n int64) error {
	return reached("max_storage", used+n, l.MaxStorage, " bytes")
}

func reached(limit string, n, most int64, unit string) error {
	if most == 0 || n <= most {
		return nil
	}
	return fmt.Errorf("%w: %s of the store is %d%s", ErrLimit, limit, most, unit)
}

// Limit makes u, of a store without limits, that of one whose storage is bounded and whose streams take used bytes.
func (l AccountLimits) Limit(u Usage, used uint64) Usage {
	if most := uint64(l.MaxStorage); l.MaxStorage > 0 {
		u.Total, u.Used, u.Limit = min(u.Total, most), used, most
		u.Free = min(u.Free, most-min(used, most))
	}
	return u
}
