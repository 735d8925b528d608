package publish

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// loner is what is known about a thread that was found to be alone with its table; the zero value is of one that was not.
type loner struct {
	last int           // no task up to this number shares the table
	at   time.Time     // when that was found
	turn time.Duration // in which no machine gives out all numbers of tasks once
}

// alone implements descriptors. The thread is the only one of its process, and no other process shares its table, as
// clone(2) can make one that does. Such a one is made by a task that shares the table itself, not while the thread waits, and has a new number: who was alone
// is still so if no task that came since shares the table.
func (p ProcFS) alone(tid uint32, past *loner) bool {
	var st unix.Stat_t
	if err := unix.Stat(p.path(int(tid), "task"), &st); err != nil || st.Nlink != 2+1 {
		return false
	}
	now := time.Now()
	last, err := p.lastTask()
	if err != nil {
		return false
	}
	if past.last == 0 || last < past.last || last-past.last > 1000 || now.Sub(past.at) > past.turn {
		past.last = 0
		turn, err := p.turn()
		if err != nil || p.anySharer(tid) {
			return false
		}
		*past = loner{last: last, at: now, turn: turn}
	}
	for next := past.last; ; {
		for next < last {
			if next++; p.shares(tid, next) {
				past.last = 0
				return false
			}
		}
		// Those that came while these were asked may be of a sharer that ended meanwhile.
		if last, err = p.lastTask(); err != nil || last < next {
			past.last = 0
			return false
		}
		if last == next {
			past.last, past.at = last, now
			return true
		}
	}
}

// lastTask is the number of the newest task.
func (p ProcFS) lastTask() (int, error) {
	var buf [128]byte
	b, err := readSmall(unix.AT_FDCWD, p.root()+"/loadavg", buf[:])
	if err != nil {
		return 0, err
	}
	f := bytes.Fields(b)
	if len(f) != 5 {
		return 0, fmt.Errorf("loadavg: %w", errProc)
	}
	return strconv.Atoi(string(f[4]))
}

// turn is a time in which the numbers of tasks don't go round: no machine makes a million tasks a second.
func (p ProcFS) turn() (time.Duration, error) {
	b, err := os.ReadFile(p.root() + "/sys/kernel/pid_max")
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(string(bytes.TrimSpace(b)))
	return time.Duration(n) * time.Microsecond, err
}

// anySharer says whether any task there is may share the thread's table.
func (p ProcFS) anySharer(tid uint32) bool {
	if os.Geteuid() != 0 { // then proc may be mounted so that it hides the tasks of others
		if b, err := os.ReadFile(p.root() + "/self/mountinfo"); err != nil || bytes.Contains(b, []byte("hidepid=")) {
			return true
		}
	}
	processes, err := taskNumbers(p.root())
	if err != nil {
		return true
	}
	for _, pid := range processes {
		if pid == int(tid) {
			continue
		}
		threads := []int{pid}
		var st unix.Stat_t
		if err := unix.Stat(p.path(pid, "task"), &st); err == nil && st.Nlink > 2+1 {
			if threads, err = taskNumbers(p.path(pid, "task")); err != nil {
				threads = []int{pid} // it ended
			}
		}
		for _, other := range threads {
			if p.shares(tid, other) {
				return true
			}
		}
	}
	return false
}

// taskNumbers returns the names in a directory that are numbers.
func taskNumbers(dir string) (numbers []int, err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	for _, name := range names {
		if n, err := strconv.Atoi(name); err == nil {
			numbers = append(numbers, n)
		}
	}
	return numbers, err
}

// shares says whether a task may have the same table as the thread: it has one with room for as many descriptors.
//
// kcmp(2) would tell for certain. But it takes a lock that a program holds while it execs, also while that waits for the answer to
// the FLUSH of what it closes by that: who asked would wait for itself. The status of a task takes no lock that is held for long.
func (p ProcFS) shares(tid uint32, other int) bool {
	if other == int(tid) {
		return false
	}
	its, err := p.tableRoom(other)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
		return false // it ended, or there is none of this number
	}
	if err != nil {
		return true
	}
	mine, err := p.tableRoom(int(tid))
	return err != nil || its == mine
}

// tableRoom is for how many descriptors a task's table has room. It grows, and all who have the table see it.
func (p ProcFS) tableRoom(tid int) (int, error) {
	var buf [4096]byte
	b, err := readSmall(unix.AT_FDCWD, p.path(tid, "status"), buf[:])
	if err != nil {
		return 0, err
	}
	v, ok := field(b, "\nFDSize:")
	if !ok {
		return 0, fmt.Errorf("status of %d: %w", tid, errProc)
	}
	return strconv.Atoi(string(v))
}
