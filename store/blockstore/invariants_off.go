//go:build !invariants

package blockstore

func (s *Stream) checkInvariants(*snapshot) {}
