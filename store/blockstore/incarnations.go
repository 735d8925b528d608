package blockstore

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"jsfs/store"
	"jsfs/store/internal/record"
	"jsfs/store/internal/vfs"
)

// incarnations lists the streams' directories below dir, in the order of their numbers.
func (st *Store) incarnations(dir string) ([]uint64, error) { return incarnationsIn(st.fs, dir) }

func incarnationsIn(fsys vfs.FS, dir string) ([]uint64, error) {
	names, err := fsys.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var incs []uint64
	for _, name := range names {
		if len(name) < 16 {
			continue
		}
		if n, err := strconv.ParseUint(name[:16], 16, 64); err == nil && n > 0 && (len(name) == 16 || dir == removedDir) {
			incs = append(incs, n)
		}
	}
	return incs, nil
}

// register is the incarnations that were handed out. It is kept in a file, which is replaced when the next one is handed out: that
// one is in the list the next time, when its stream is there for sure. Store.mu guards it.
type register struct {
	next uint64 // the incarnation that comes next
	// listed are the streams that should be in streams/, sorted: what is in the list and not there was lost. Those that were
	// made since the file was written are in it with the next one, changed says that there are any.
	listed  []uint64
	changed bool
	// missing are those of listed that were not there when the store was opened.
	missing []uint64
	// known says that the list was read, so that no other stream is missing.
	known bool
}

// content is what the file says: the next incarnation, and runs of those that are listed.
func (r *register) content() []byte {
	b := strconv.AppendUint(nil, r.next, 10)
	for i := 0; i < len(r.listed); {
		first := r.listed[i]
		for i++; i < len(r.listed) && r.listed[i] == r.listed[i-1]+1; i++ {
		}
		b = append(b, ' ')
		b = strconv.AppendUint(b, first, 10)
		if last := r.listed[i-1]; last > first {
			b = append(b, '-')
			b = strconv.AppendUint(b, last, 10)
		}
	}
	return b
}

// maxListed bounds how many streams a register may list.
const maxListed = 1 << 24

// parseRegister reads what content wrote. Stores that were made before there was a list have none.
func parseRegister(content []byte) (r register, err error) {
	fields := strings.Split(string(content), " ")
	if r.next, err = strconv.ParseUint(fields[0], 10, 64); err != nil {
		return r, err
	}
	for _, f := range fields[1:] {
		from, to, ok := strings.Cut(f, "-")
		first, err := strconv.ParseUint(from, 10, 64)
		last := first
		if err == nil && ok {
			last, err = strconv.ParseUint(to, 10, 64)
		}
		if n := len(r.listed); err != nil || first == 0 || last < first || last >= r.next || last-first >= uint64(maxListed-n) || n > 0 && first <= r.listed[n-1] {
			return r, fmt.Errorf("%q in the list of streams: %w", f, record.ErrBad)
		}
		for inc := first; inc <= last; inc++ {
			r.listed = append(r.listed, inc)
		}
	}
	return r, nil
}

// add lists a stream that is there from now on.
func (r *register) add(inc uint64) {
	if i, ok := slices.BinarySearch(r.listed, inc); !ok {
		r.listed, r.changed = slices.Insert(r.listed, i, inc), true
	}
}

// without returns what is listed and not among those in streams/ and in removed/.
func (r *register) without(incs, removed []uint64) []uint64 {
	there := map[uint64]bool{}
	for _, inc := range slices.Concat(incs, removed) {
		there[inc] = true
	}
	return slices.DeleteFunc(slices.Clone(r.listed), func(inc uint64) bool { return there[inc] })
}

var errMissing = errors.New("the directory of a stream is missing")

// readRegister finds the incarnation that the next stream gets, above all that there are, incs among them, and above what was handed
// out to streams that are gone; and notes which streams should be there and are not.
func (st *Store) readRegister(incs []uint64) error {
	st.reg = register{next: 1}
	removed, err := st.incarnations(removedDir)
	spared := err != nil && st.spare(removedDir, err)
	if err != nil && !spared {
		return err
	}
	var was register
	defer func() {
		for _, inc := range append(removed, incs...) {
			st.reg.next = max(st.reg.next, inc+1)
		}
		for _, inc := range incs {
			st.reg.add(inc)
		}
		st.reg.changed = false // opening writes nothing for that
		// the one that was handed out last may have been a stream, and is listed with the next one
		st.reg.known = len(was.listed) > 0 && !spared && slices.Contains(slices.Concat(was.listed, incs, removed), was.next-1)
		if st.reg.missing = was.without(incs, removed); spared {
			st.reg.missing = nil // they may be where nobody can look
		}
		for _, inc := range st.reg.missing {
			st.note(store.Damage{File: streamDir(inc), Cause: errMissing.Error()})
		}
	}()
	b, err := readFile(st.fs, nextName)
	if errors.Is(err, fs.ErrNotExist) || st.spare(nextName, err) {
		return nil
	}
	if err != nil {
		return err
	}
	content, damaged, err := record.OpenEnvelope(record.MagicNext, b)
	if record.IsVersion(err) {
		return fmt.Errorf("%s: %w", nextName, err)
	}
	if err == nil {
		if was, err = parseRegister(content); err == nil {
			st.reg = was
			st.reg.listed = slices.Clone(was.listed)
		}
	}
	if err != nil || damaged {
		st.note(store.Damage{File: nextName, Length: int64(len(b)), Cause: "counter of incarnations is damaged"})
	}
	return nil
}

// writeRegisterLocked puts the register on disk, durably. It takes from the reserve if the disk is full. The caller holds mu for
// writing.
func (st *Store) writeRegisterLocked(r *register) error {
	b := record.Envelope(record.MagicNext, r.content())
	for {
		err := replaceFile(st.fs, nextName, b)
		if !isNoSpace(err) || !st.reserve.Give() {
			return err
		}
	}
}

// takeIncarnation returns an incarnation that no stream has.
func (st *Store) takeIncarnation() (uint64, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	inc := st.reg.next
	return inc, st.countIncarnationLocked(inc)
}

// countIncarnationLocked notes on disk that inc is used: once, even if what it is for fails.
func (st *Store) countIncarnationLocked(inc uint64) error {
	r := st.reg
	r.next = inc + 1
	if err := st.writeRegisterLocked(&r); err != nil {
		return err
	}
	st.reg.next, st.reg.changed = r.next, false
	return nil
}

// delistLocked notes, durably, that a stream is about to go from its place: before it does, as a crash may leave it nowhere. Where the
// disk is full it goes all the same, and is looked for where removed streams are. The caller holds mu for writing.
func (st *Store) delistLocked(inc uint64) error {
	i, ok := slices.BinarySearch(st.reg.listed, inc)
	if !ok {
		return nil
	}
	r := st.reg
	r.listed = slices.Delete(slices.Clone(r.listed), i, i+1)
	err := st.writeRegisterLocked(&r)
	switch {
	case err == nil:
		st.reg.listed, st.reg.changed = r.listed, false
	case isNoSpace(err):
		err = nil // it stays listed until what is on disk can be changed
	}
	return err
}

// closeRegister puts what is not listed yet on disk.
func (st *Store) closeRegister() error {
	if !st.reg.changed || st.opt.ReadOnly {
		return nil
	}
	return diskError(st.writeRegisterLocked(&st.reg))
}
