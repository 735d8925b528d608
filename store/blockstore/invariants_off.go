//go:build !invariants

package blockstore

import "jsfs/store/internal/record"

func (s *Stream) checkInvariants() {}

func (s *Stream) checkNotes(*record.Footer) {}
