package consume

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"jsfs/store"
)

func at(consumer uint64, seq store.Seq) store.Position {
	return store.Position{Consumer: consumer, Stream: seq}
}

// delivering returns a state in which the messages were delivered once each.
func delivering(t *testing.T, policy store.AckPolicy, seqs ...store.Seq) *State {
	t.Helper()
	s := NewState(policy, 0)
	for _, seq := range seqs {
		if _, err := s.Deliver(seq, 1000, 2000); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func wantErr(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("got error %v, want %v", got, want)
	}
}

func wantFloor(t *testing.T, s *State, want store.Position) {
	t.Helper()
	if got := s.Snapshot().AckFloor; got != want {
		t.Errorf("ack floor: got %+v, want %+v", got, want)
	}
}

func TestTheFloorSlides(t *testing.T) {
	s := delivering(t, store.AckExplicit, 3, 5, 9, 10)
	wantErr(t, s.Ack(5, false), nil)
	wantFloor(t, s, at(0, 0))
	wantErr(t, s.Ack(3, false), nil) // the lowest: to just before the next
	wantFloor(t, s, at(2, 8))
	wantErr(t, s.Ack(8, false), nil) // below the floor: nothing
	wantErr(t, s.Ack(11, false), store.ErrNotFound)
	wantErr(t, s.Ack(10, false), nil)
	wantErr(t, s.Ack(10, false), store.ErrNotFound)
	s.Drop(9, true) // the last one: to what was delivered
	wantFloor(t, s, at(4, 10))
	if !s.IsSpent(9) || s.IsSpent(10) || s.Open() != 0 {
		t.Errorf("9 is spent: %v, 10: %v, open: %d", s.IsSpent(9), s.IsSpent(10), s.Open())
	}
}

func TestWithoutAcksNothingIsDeliveredTwice(t *testing.T) {
	s := delivering(t, store.AckNone, 1, 2)
	wantFloor(t, s, at(2, 2))
	_, _, err := s.Redeliver(2, 0, 0)
	wantErr(t, err, store.ErrDenied)
	wantErr(t, s.Ack(1, false), store.ErrDenied)
	wantErr(t, s.Delay(9, 0, 0), store.ErrDenied)
	_, err = s.Deliver(2, 0, 0)
	wantErr(t, err, store.ErrInvalid)
}

func TestAckAllCoversWhatIsBefore(t *testing.T) {
	s := delivering(t, store.AckAll, 2, 4, 6, 8)
	s.Drop(4, false)
	covered, err := s.Covered(6, true)
	wantErr(t, err, nil)
	if !slices.Equal(covered, []store.Seq{2, 6}) {
		t.Errorf("an ack of 6 covers %v", covered)
	}
	_, err = s.Covered(7, true)
	wantErr(t, err, store.ErrNotFound)
	wantErr(t, s.Ack(6, true), nil)
	wantFloor(t, s, at(3, 6))
	if covered, err = s.Covered(2, true); len(covered) > 0 || err != nil {
		t.Errorf("an ack below the floor covers %v, %v", covered, err)
	}
}

func TestDeliveriesAreDueInOrder(t *testing.T) {
	s := delivering(t, store.AckExplicit, 1, 2, 3)
	wantErr(t, s.Delay(2, 1100, 1500), nil)
	number, count, err := s.Redeliver(3, 1200, 1700)
	if number != 4 || count != 2 || err != nil {
		t.Errorf("redelivery: got %d, %d, %v", number, count, err)
	}
	_, _, err = s.Redeliver(4, 0, 0)
	wantErr(t, err, store.ErrNotFound)
	s.Observe(1300)
	s.Observe(300) // the clock was put back: what is due in 200 still is
	var got []int64
	for s.Open() > 0 {
		p, ok := s.NextDue()
		if !ok {
			t.Fatal("nothing is due, and deliveries are open")
		}
		got = append(got, int64(p.Seq), p.Due)
		s.Drop(p.Seq, false)
	}
	if want := []int64{2, 500, 3, 700, 1, 1000}; !slices.Equal(got, want) {
		t.Errorf("due: got %v, want %v", got, want)
	}
}

func TestReplaceRefusesWhatCantBeAndWhatIsOlder(t *testing.T) {
	one := store.PendingDelivery{Seq: 5, Consumer: 3, Time: 1, Due: 2, Count: 1}
	good := store.Deliveries{Delivered: at(9, 20), AckFloor: at(2, 4), Pending: []store.PendingDelivery{one}, Spent: []store.Spent{{Seq: 3, Count: 2}}}
	with := func(change func(n *store.Deliveries)) store.Deliveries {
		n := good
		n.Pending, n.Spent = slices.Clone(n.Pending), slices.Clone(n.Spent)
		change(&n)
		return n
	}
	fresh := func() *State { return NewState(store.AckExplicit, 0) }
	s := fresh()
	wantErr(t, s.Replace(good), nil)
	if d := cmp.Diff(good, s.Snapshot()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for name, n := range map[string]store.Deliveries{
		"delivered is older":           with(func(n *store.Deliveries) { n.Delivered.Consumer = 8 }),
		"delivered is lower":           with(func(n *store.Deliveries) { n.Delivered.Stream = 19 }),
		"the floor is lower":           with(func(n *store.Deliveries) { n.AckFloor = at(1, 4) }),
		"the floor is above delivered": with(func(n *store.Deliveries) { n.AckFloor = at(10, 21) }),
	} {
		if err := s.Replace(n); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if d := cmp.Diff(good, s.Snapshot()); d != "" {
		t.Errorf("what was refused changed it (-want +got):\n%s", d)
	}
	for name, n := range map[string]store.Deliveries{
		"pending at the floor":               with(func(n *store.Deliveries) { n.Pending[0].Seq = 4 }),
		"pending with the floor's number":    with(func(n *store.Deliveries) { n.Pending[0].Consumer = 2 }),
		"pending above delivered":            with(func(n *store.Deliveries) { n.Pending[0].Seq = 21 }),
		"pending with a later number":        with(func(n *store.Deliveries) { n.Pending[0].Consumer = 10 }),
		"pending twice":                      with(func(n *store.Deliveries) { n.Pending = append(n.Pending, one) }),
		"pending and never delivered":        with(func(n *store.Deliveries) { n.Pending[0].Count = 0 }),
		"spent above delivered":              with(func(n *store.Deliveries) { n.Spent[0].Seq = 21 }),
		"spent twice":                        with(func(n *store.Deliveries) { n.Spent = append(n.Spent, n.Spent[0]) }),
		"the floor's number above delivered": with(func(n *store.Deliveries) { n.AckFloor.Consumer = 10 }),
	} {
		if err := fresh().Replace(n); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	wantErr(t, NewState(store.AckNone, 0).Replace(good), store.ErrInvalid)
}

// TestStateAgreesWithAList makes random operations on a state, and on a list that is searched from end to end.
func TestStateAgreesWithAList(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // no secret
		s, list := NewState(store.AckExplicit, 0), []store.PendingDelivery(nil)
		delivered, floor := store.Position{}, store.Position{}
		slide := func() {
			if floor = delivered; len(list) > 0 {
				floor = at(list[0].Consumer-1, list[0].Seq-1)
			}
		}
		for step := range int64(600) {
			i := rng.IntN(len(list) + 1)
			switch op := rng.IntN(6); {
			case op < 2 || i == len(list):
				delivered = at(delivered.Consumer+1, delivered.Stream+1+store.Seq(rng.IntN(3))) //nolint:gosec // small
				list = append(list, store.PendingDelivery{Seq: delivered.Stream, Consumer: delivered.Consumer, Time: step, Due: step + 9, Count: 1})
				_, err := s.Deliver(delivered.Stream, step, step+9)
				wantErr(t, err, nil)
			case op == 2:
				delivered.Consumer++
				list[i].Count, list[i].Time, list[i].Due = list[i].Count+1, step, step+3
				_, _, err := s.Redeliver(list[i].Seq, step, step+3)
				wantErr(t, err, nil)
			default:
				wantErr(t, s.Ack(list[i].Seq, false), nil)
				list = slices.Delete(list, i, i+1)
				if i == 0 {
					slide()
				}
				if len(list) == 0 {
					floor = delivered
				}
			}
			want := store.Deliveries{Delivered: delivered, AckFloor: floor, Pending: list}
			if d := cmp.Diff(want, s.Snapshot(), cmp.Comparer(slices.Equal[[]store.PendingDelivery])); d != "" {
				t.Fatalf("seed %d, step %d (-want +got):\n%s", seed, step, d)
			}
			soonest := slices.MinFunc(append(slices.Clone(list), store.PendingDelivery{Due: 1 << 60}), func(a, b store.PendingDelivery) int {
				return int(a.Due-b.Due)*1000 + int(a.Seq) - int(b.Seq) //nolint:gosec // small
			})
			if p, ok := s.NextDue(); ok && p != soonest || ok != (len(list) > 0) {
				t.Fatalf("seed %d, step %d: due is %+v, want %+v", seed, step, p, soonest)
			}
		}
	}
}

// TestAStateForgetsWhatIsClosed has one delivery open for long while others come and go.
func TestAStateForgetsWhatIsClosed(t *testing.T) {
	s := delivering(t, store.AckExplicit, 1)
	for seq := store.Seq(2); seq < 10_000; seq++ {
		_, err := s.Deliver(seq, 0, 0)
		wantErr(t, err, nil)
		wantErr(t, s.Ack(seq, false), nil)
	}
	if len(s.order) > 100 {
		t.Errorf("%d places are kept for one open delivery", len(s.order))
	}
}
