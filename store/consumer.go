package store

import (
	"context"
	"time"
)

// Consumers is the role of keeping durable consumers: named readers of a stream, whose position and open
// deliveries the store remembers. They survive a restart in a durable engine, and go with their stream.
type Consumers interface {
	// CreateConsumer makes a consumer. When it returns nil the consumer is durable, whatever the sync policy. It
	// gives ErrExists if the name is taken, ErrInvalid, ErrNameTooLong or ErrSubject for a configuration that is
	// refused, ErrDenied for one that the stream's retention does not allow, and ErrLimit if max_consumers is reached.
	CreateConsumer(ctx context.Context, cfg ConsumerConfig) (Consumer, error)

	// RestoreConsumer makes a consumer that is and remembers what s tells, which [Consumer.State] gave: of a stream that this one is
	// a copy of, or of this one at an earlier time. What s remembers of messages above Last is forgotten, as Truncate does. The
	// same consumer, by name and [Consumer.Created], goes on as s tells if it is there. When it returns nil that is
	// durable, whatever the sync policy. It gives CreateConsumer's errors, ErrInvalid for what no consumer can remember, and ErrExists also if
	// the same consumer has gone further than s. After any error a consumer that is there goes on as it was; of what
	// it did meanwhile a part may be forgotten, and those messages are delivered again. No message goes because of it.
	RestoreConsumer(ctx context.Context, s ConsumerState) (Consumer, error)

	// UpdateConsumer gives the consumer cfg.Name the configuration cfg, durably: all of it, fields that are zero
	// included. It gives CreateConsumer's errors, and ErrDenied for a change that is refused (see
	// ConsumerConfig.CheckUpdate): as long as nothing was delivered everything but the name can be changed, and a consumer
	// with such a change begins anew. After any error the consumer goes on with the configuration that it had.
	UpdateConsumer(ctx context.Context, cfg ConsumerConfig) error

	// RemoveConsumer forgets a consumer, durably. Calls on it give ErrClosed, those that wait, too. In a stream
	// with interest retention the messages that nobody else wants go before it returns; if that
	// fails the consumer is removed all the same, and the error says so.
	RemoveConsumer(ctx context.Context, name string) error

	// Consumer returns the consumer with that name, or ErrNotFound; a *CorruptError or ErrVersion if it is there
	// and can't be read: such a one can be removed. The same consumer is the same value for as long as it is open.
	Consumer(ctx context.Context, name string) (Consumer, error)

	// ConsumerNames returns the names of all consumers, sorted.
	ConsumerNames(ctx context.Context) ([]string, error)
}

// Consumer is a durable consumer. Its methods may be called concurrently.
//
// What it remembers is written ten times a second at most, when the stream is closed, and before [Writer.Sync] returns.
// So what a crash makes it forget is deliveries and acknowledgements of the last moment, unless Sync came after them:
// those messages are delivered again. Nothing that was not acknowledged is ever passed over because of a crash.
// In a stream that does not keep what is acknowledged, the message's removal survives what a [Writer.Remove] survives.
type Consumer interface {
	// Config is the consumer's configuration as it is now.
	Config() ConsumerConfig

	// Created is when the consumer was made, in nanoseconds since the Unix epoch. It tells the consumer apart from others that had
	// its name, and survives a restart.
	Created() int64

	// Next delivers the next message: one whose time to be delivered again has come, else the next one behind
	// those that were delivered. Its Header and Data are as Load's. It waits if there is none, or if max_ack_pending
	// deliveries are open, until ctx is done, whose error it gives then; the first that waits is served first. It gives
	// ErrLimit if max_waiting calls wait already. With ack_policy none the message counts as acknowledged at once, else
	// the delivery is open until Ack or Term, or until max_deliver is exceeded.
	Next(ctx context.Context, buf []byte) (Delivery, error)

	// Ack acknowledges the open delivery of message seq, with ack_policy all also every open one before it. At or below
	// the ack floor it does nothing. A message whose delivery is not open is ErrNotFound; ErrDenied says that ack_policy
	// is none. If the stream drops what is acknowledged the message is removed when it returns; another error
	// says that this failed: the delivery is open still.
	Ack(ctx context.Context, seq Seq) error

	// Nak gives the open delivery of message seq back, to be delivered again when delay is over. Errors are as Ack's.
	Nak(ctx context.Context, seq Seq, delay time.Duration) error

	// InProgress lets the time in which message seq must be acknowledged begin anew. Errors are as Ack's.
	InProgress(ctx context.Context, seq Seq) error

	// Term ends the delivery of message seq for good, as Ack does, but of that message alone.
	Term(ctx context.Context, seq Seq) error

	// Pending lists the open deliveries of messages that are live, by sequence.
	Pending(ctx context.Context) ([]PendingDelivery, error)

	// PendingOf returns the open delivery of message seq; ErrNotFound if there is none, or the message is not live.
	PendingOf(ctx context.Context, seq Seq) (PendingDelivery, error)

	// State returns all that the consumer is and remembers, as a consistent view. A State of the stream that is asked for later has every message
	// that it tells of. In a stream that does not keep what is acknowledged, messages that it does not need are gone.
	State(ctx context.Context) (ConsumerState, error)

	// Info returns the consumer's numbers.
	Info(ctx context.Context) (ConsumerInfo, error)
}

// Delivery is a message that was delivered.
type Delivery struct {
	Msg
	// Consumer is the number of the delivery among all that the consumer made, from 1.
	Consumer uint64
	// Count is how often the message was delivered, this time included.
	Count uint64
}

// PendingDelivery is a delivery that is open.
type PendingDelivery struct {
	Seq Seq
	// Consumer is the number of the message's first delivery.
	Consumer uint64
	// Time is when it was delivered last, Due when it will be again; in nanoseconds since the Unix epoch.
	Time, Due int64
	// Count is how often it was delivered.
	Count uint64
}

// Position is a place among the deliveries of a consumer.
type Position struct {
	Consumer uint64 `json:"consumer_seq"` // the number of the delivery
	Stream   Seq    `json:"stream_seq"`   // the message's sequence
}

// ConsumerInfo is a consistent view of a consumer's numbers.
type ConsumerInfo struct {
	Name    string
	Created int64 // nanoseconds since the Unix epoch
	Config  ConsumerConfig
	// Delivered is the last delivery that was the first one of its message. AckFloor is the position below which
	// no delivery is open.
	Delivered, AckFloor Position
	// NumAckPending counts open deliveries, NumRedelivered the messages that were delivered more than once and are
	// not acknowledged, NumWaiting the calls of Next under way, NumPending the messages still to be delivered.
	NumAckPending, NumRedelivered, NumWaiting int
	NumPending                                uint64
}
