package blockstore_test

import (
	"bytes"
	"testing"

	"jsfs/store"
)

// reclaim removes all that S has, fills a block behind it, and gives the space back.
func (f *followers) reclaim(s store.Stream) error {
	state, err := s.State(bg)
	if err != nil {
		return err
	}
	for seq := state.First; seq <= state.Last; seq++ {
		if err := f.note(s, seq); err != nil {
			return err
		}
	}
	if _, err := s.Purge(bg, store.Purge{Below: state.Last + 1}); err != nil {
		return err
	}
	for range 4 {
		if _, err := s.Append(bg, store.Entry{Subject: "own", Data: bytes.Repeat([]byte("x"), trialBlock/3)}); err != nil {
			return err
		}
	}
	return f.s.Reclaim(bg)
}

// TestTrialPositionsInSourcesStayWhenSpaceIsGivenBack stops followers that remove what they have taken and give its space back: nothing is
// taken again, although nothing but removed messages may tell that it was taken, and nothing is missed.
func TestTrialPositionsInSourcesStayWhenSpaceIsGivenBack(t *testing.T) {
	t.Parallel()
	points := 0
	for seed := 0; points < rounds(300, 10_000) && !t.Failed(); seed++ {
		policy := policies[seed%3]
		f := newFollowers(seed)
		f.reclaims = true
		images, err := f.stops(seed, policy)
		must(t, err)
		for _, image := range images {
			points++
			image.full = true
			if err := image.verify(policy, false); err != nil {
				t.Errorf("seed %d, %v, %s: %v", seed, policy, image.how, err)
				break
			}
		}
	}
	t.Logf("%d stops", points)
}
