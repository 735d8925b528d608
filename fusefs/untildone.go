package fusefs

import "context"

// untilDone is something that is done once for all who need it, by the first of them, while the others wait. Where he is interrupted in it,
// or it panics, that is his: the next one does it by himself.
type untilDone struct {
	turn chan struct{} // holds a token for who does it next, and is closed when it is done
}

func newUntilDone() untilDone {
	u := untilDone{make(chan struct{}, 1)}
	u.turn <- struct{}{}
	return u
}

// do calls f unless it was done before. f's error is kept by f, if others are to have it; but if it is of an interruption of ctx, do
// returns it and f is not done. So does an interruption of ctx while another one is at it.
func (u untilDone) do(ctx context.Context, f func() error) error {
	mine := false
	select {
	case _, mine = <-u.turn:
	default:
		select {
		case _, mine = <-u.turn:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if !mine {
		return nil
	}
	done := false
	defer func() {
		if done {
			close(u.turn)
		} else {
			u.turn <- struct{}{}
		}
	}()
	if err := f(); interrupted(ctx, err) {
		return err
	}
	done = true
	return nil
}
