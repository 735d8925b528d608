package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"jsfs/mapping"
	"jsfs/store"
	"jsfs/store/jsonl"
)

// jsonLines makes a message of each line that is one in JSON. A line without a sequence is a new
// message, on its subject or on that of the log. A line with one is a restore: it is stored
// as it is, or passed over if it is there already. A line of white space is passed over.
type jsonLines struct {
	Subject
	pattern string
	done    *int64 // lines that were stored or passed over
}

// NewJSONLines returns the Lines of a log of JSON lines that was opened. A line without a subject gets that of s; if
// s has none it is refused. The subjects must match a pattern, unless that is empty. Each error names the
// line, counted from 1 since the log was opened.
func (d *Desk) NewJSONLines(s Subject, pattern string, o Open) *Lines {
	return d.newLines(s.Stream, jsonLines{s, pattern, new(int64)}, o)
}

// Limit implements Target. A byte of a payload takes six in a line at most, and what is around it some. A line with a sequence may be
// from when the stream took more.
func (j jsonLines) Limit() int64 {
	const around = 1 << 20
	return 6*max(j.Subject.Limit(), store.DefaultMaxMsgSize) + around
}

// Check implements Target: what a line lacks and what is wrong with it is known when it is whole.
func (j jsonLines) Check(ctx context.Context, _ int64) error {
	if j.Room != nil {
		return j.Room(ctx, 0)
	}
	return nil
}

// Commit implements Target, for a last line without a newline.
func (j jsonLines) Commit(ctx context.Context, data []byte, _ *int64) (store.Seq, error) {
	_, err := j.storeAll(ctx, [][]byte{data})
	return 0, err
}

// storeAll stores what stands before the first bad line, in as few calls as the order allows.
func (j jsonLines) storeAll(ctx context.Context, lines [][]byte) (done int, err error) {
	for done < len(lines) && err == nil {
		run, bad := j.nextRun(lines[done:])
		var n int
		n, err = run.store(ctx, j.Stream)
		if done += n; err == nil {
			err = bad
		}
	}
	*j.done += int64(done)
	if err != nil {
		err = fmt.Errorf("line %d: %w", *j.done+1, err)
	}
	return done, err
}

// jsonRun are lines in a row that are stored in one call: new messages, or restores, and blank lines.
type jsonRun struct {
	lines   int
	entries []store.Entry
	msgs    []store.Msg
	at      []int // the line of each message
}

// nextRun collects the first lines that go together. The error is why it ends at a bad line.
func (j jsonLines) nextRun(lines [][]byte) (run jsonRun, bad error) {
	for _, line := range lines {
		if len(bytes.TrimSpace(line)) == 0 {
			run.lines++
			continue
		}
		w, err := j.parse(line)
		switch {
		case err != nil:
			return run, err
		case w.HasSeq && len(run.entries) > 0, !w.HasSeq && len(run.msgs) > 0:
			return run, nil
		case w.HasSeq:
			run.msgs = append(run.msgs, w.Msg)
		default:
			run.entries = append(run.entries, store.Entry{Subject: w.Subject, Header: w.Header, Data: w.Data})
		}
		run.at = append(run.at, run.lines)
		run.lines++
	}
	return run, nil
}

// parse reads a line and refuses what can't be stored for certain.
func (j jsonLines) parse(line []byte) (jsonl.Written, error) {
	w, err := jsonl.ParseWritten(line)
	switch {
	case err != nil:
		return w, err
	case w.HasSeq && !(w.HasTime && w.HasSubject):
		return w, fmt.Errorf("%w: a line with seq is stored as it is, and needs its time and its subject", store.ErrInvalid)
	case !w.HasSubject && j.Name == "":
		return w, fmt.Errorf("%w: it has no subject, and its directory has several", store.ErrInvalid)
	case !w.HasSubject:
		w.Subject = j.Name
	}
	if err := inPattern(j.pattern, w.Subject); err != nil || w.HasSeq {
		return w, err
	}
	if _, err := mapping.ParseHeader(w.Header); err != nil {
		return w, err
	}
	if name, ok := mapping.ActingHeader(w.Header); ok {
		return w, fmt.Errorf("%w: header %s would act on the stream: write the message to post, with Jsfs-Apply: true as its first line", store.ErrDenied, name)
	}
	return w, nil
}

// store returns how many lines are done.
func (r *jsonRun) store(ctx context.Context, s store.Stream) (int, error) {
	n := 0
	var err error
	switch {
	case len(r.entries) > 0:
		n, err = s.AppendAll(ctx, r.entries)
	case len(r.msgs) > 0:
		n, err = restoreAll(ctx, s, r.msgs)
	}
	if err != nil && n < len(r.at) {
		return r.at[n], err
	}
	return r.lines, err
}

// restoreAll stores messages under their sequences, and passes over those that are there.
func restoreAll(ctx context.Context, s store.Stream, ms []store.Msg) (done int, err error) {
	for done < len(ms) {
		n, err := s.RestoreAll(ctx, ms[done:])
		done += n
		if !errors.Is(err, store.ErrExists) {
			return done, err
		}
		passed := done
		for done < len(ms) {
			there, terr := isThere(ctx, s, ms[done])
			if terr != nil {
				return done, terr
			}
			if !there {
				break
			}
			done++
		}
		if done == passed && n == 0 {
			return done, err
		}
	}
	return done, nil
}

// isThere says whether a message is in the stream, false if its sequence was not used yet. The error is
// ErrExists if it was used for something else.
func isThere(ctx context.Context, s store.Stream, m store.Msg) (bool, error) {
	got, err := s.Load(ctx, m.Seq, nil)
	switch {
	case errors.Is(err, store.ErrBeyond):
		return false, nil
	case errors.Is(err, store.ErrNotFound):
		return false, fmt.Errorf("sequence %d: %w: its message was removed, or there never was one", m.Seq, store.ErrExists)
	case err != nil:
		return false, err
	case got.Subject != m.Subject || !bytes.Equal(got.Header, m.Header) || !bytes.Equal(got.Data, m.Data):
		return false, fmt.Errorf("sequence %d: %w: the message there is another one", m.Seq, store.ErrExists)
	}
	return true, nil
}
