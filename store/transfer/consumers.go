package transfer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"jsfs/store"
)

// LostConsumer is a consumer that the origin could not give, and why.
type LostConsumer struct {
	Consumer string `json:"consumer"`
	Cause    string `json:"cause"`
}

// consumersOf returns what the consumers of a stream are and remember, by name, and those that can't be read. Whoever asks for the
// stream's state later has every message that they tell of.
func consumersOf(ctx context.Context, st store.Stream) (all []store.ConsumerState, lost []LostConsumer, err error) {
	names, err := st.ConsumerNames(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		s, err := stateOf(ctx, st, name)
		var corrupt *store.CorruptError
		switch {
		case errors.Is(err, store.ErrNotFound): // removed meanwhile
		case errors.As(err, &corrupt) || errors.Is(err, store.ErrVersion):
			lost = append(lost, LostConsumer{name, err.Error()})
		case err != nil:
			return nil, nil, err
		default:
			all = append(all, s)
		}
	}
	return all, lost, nil
}

func stateOf(ctx context.Context, st store.Stream, name string) (store.ConsumerState, error) {
	for {
		c, err := st.Consumer(ctx, name)
		if err != nil {
			return store.ConsumerState{}, err
		}
		s, err := c.State(ctx)
		if !errors.Is(err, store.ErrClosed) {
			return s, err
		}
		// It was removed, and the name may be another one's now; or the stream is closed, as it says when it is asked again.
	}
}

// until cuts what consumers remember off behind message last, where a copy ends.
func until(last store.Seq, all []store.ConsumerState) {
	for i := range all {
		all[i].Truncate(last)
	}
}

// consumerLine is a line of a backup that has a consumer.
type consumerLine struct {
	Config    json.RawMessage `json:"consumer"`
	Created   time.Time       `json:"created"`
	Resume    store.Seq       `json:"resume,omitempty"`
	Delivered store.Position  `json:"delivered"`
	AckFloor  store.Position  `json:"ack_floor"`
	Pending   []openLine      `json:"pending,omitempty"`
	Spent     []spentLine     `json:"spent,omitempty"`
}

type openLine struct {
	Seq      store.Seq `json:"seq"`
	Consumer uint64    `json:"consumer_seq"`
	Time     time.Time `json:"time"`
	Due      time.Time `json:"due"`
	Count    uint64    `json:"count"`
}

type spentLine struct {
	Seq   store.Seq `json:"seq"`
	Count uint64    `json:"count"`
}

// appendConsumer adds a consumer's line to b.
func appendConsumer(b []byte, s *store.ConsumerState) ([]byte, error) {
	config, err := json.Marshal(s.Config)
	if err != nil {
		return nil, err
	}
	l := consumerLine{
		Config: config, Created: time.Unix(0, s.Created).UTC(), Resume: s.Resume, Delivered: s.Delivered, AckFloor: s.AckFloor,
	}
	for _, p := range s.Pending {
		l.Pending = append(l.Pending, openLine{p.Seq, p.Consumer, time.Unix(0, p.Time).UTC(), time.Unix(0, p.Due).UTC(), p.Count})
	}
	for _, g := range s.Spent {
		l.Spent = append(l.Spent, spentLine(g))
	}
	line, err := json.Marshal(l)
	return append(append(b, line...), '\n'), err
}

// parseConsumer reads a consumer's line. What it returns is a consumer that can be. The error wraps store.ErrVersion if
// the configuration has fields of a later version.
func parseConsumer(line []byte) (s store.ConsumerState, err error) {
	var l consumerLine
	if !bytes.HasPrefix(line, consumerMark) {
		return s, fmt.Errorf("%w: a consumer is missing", store.ErrInvalid)
	}
	if err := json.Unmarshal(line, &l); err != nil {
		return s, fmt.Errorf("line of a consumer: %w: %w", store.ErrInvalid, err)
	}
	cfg, err := store.ParseConsumerConfig(l.Config)
	var unknown *store.UnknownFieldError
	if errors.As(err, &unknown) {
		err = fmt.Errorf("%w: %w", store.ErrVersion, err)
	}
	if err != nil {
		return s, fmt.Errorf("line of a consumer: %w", err)
	}
	s = store.ConsumerState{Config: cfg.WithDefaults(), Created: l.Created.UnixNano(), Resume: l.Resume}
	s.Delivered, s.AckFloor = l.Delivered, l.AckFloor
	for _, p := range l.Pending {
		s.Pending = append(s.Pending, store.PendingDelivery{
			Seq: p.Seq, Consumer: p.Consumer, Time: p.Time.UnixNano(), Due: p.Due.UnixNano(), Count: p.Count,
		})
	}
	for _, g := range l.Spent {
		s.Spent = append(s.Spent, store.Spent(g))
	}
	return s, s.Check()
}

// sameConsumers says whether consumers are the same ones and remember the same.
func sameConsumers(a, b []store.ConsumerState) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		x, errA := appendConsumer(nil, &a[i])
		y, errB := appendConsumer(nil, &b[i])
		if errA != nil || errB != nil || !bytes.Equal(x, y) {
			return false
		}
	}
	return true
}

// checkConsumers demands that the consumers that the copy has already are the origin's, as they are or were.
func (o *origin) checkConsumers(ctx context.Context, st store.Stream) error {
	have, lost, err := consumersOf(ctx, st)
	if err != nil {
		return err
	}
	name := st.Config().Name
	if len(lost) > 0 {
		return differs(name, fmt.Sprintf("its consumer %s can't be read: %s", lost[0].Consumer, lost[0].Cause))
	}
	for i := range have {
		who := have[i].Config.Name
		want := o.consumer(who)
		if o.mayHave(who) {
			continue
		}
		if want == nil {
			return differs(name, fmt.Sprintf("it has a consumer %s, which the original does not", who))
		}
		if err := want.CheckSuccession(&have[i]); err != nil {
			return differs(name, err.Error())
		}
	}
	return nil
}

// mayHave says whether a consumer that is none of the origin's may be one that a rescue can't read any more.
func (o *origin) mayHave(name string) bool {
	return o.salvage != nil && o.unread > 0 && o.consumer(name) == nil
}

func (o *origin) consumer(name string) *store.ConsumerState {
	for i := range o.consumers {
		if o.consumers[i].Config.Name == name {
			return &o.consumers[i]
		}
	}
	return nil
}

// restoreConsumers gives the copy, which has all messages, the origin's consumers, and looks whether it has them then.
func (o *origin) restoreConsumers(ctx context.Context, to store.Store, st store.Stream) error {
	got, err := o.restored(ctx, st)
	if err != nil || sameConsumers(got, o.consumers) {
		return err
	}
	if err := o.hold(ctx, to, st); err != nil {
		return err
	}
	for i := range o.consumers {
		if _, err := st.RestoreConsumer(ctx, o.consumers[i]); err != nil {
			return fmt.Errorf("stream %s: %w", st.Config().Name, err)
		}
	}
	got, err = o.restored(ctx, st)
	if err == nil && !sameConsumers(got, o.consumers) {
		err = fmt.Errorf("stream %s: the copy's consumers are not what was stored", st.Config().Name)
	}
	return err
}

// restored returns the copy's consumers, without those of an earlier rescue that can't be read any more.
func (o *origin) restored(ctx context.Context, st store.Stream) ([]store.ConsumerState, error) {
	got, _, err := consumersOf(ctx, st)
	return slices.DeleteFunc(got, func(s store.ConsumerState) bool { return o.mayHave(s.Config.Name) }), err
}
