package publish

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// sharers are the tasks that may have the same table of descriptors as a thread, besides itself: the threads of its process, and whoever was made by
// clone(2) to have it. The zero value is of a thread that was never looked for.
type sharers struct {
	tasks []int
	last  int           // no other task up to this number shares the table
	at    time.Time     // when that was found
	turn  time.Duration // in which no machine gives out all numbers of tasks once

	seen map[int]bool // which of the tasks were met at rest since somebody began to ask
}

// mostSharers are how many are asked each time: of more it takes as long as to look at the table.
const mostSharers = 128

var errManySharers = errors.New("too many tasks may have the table")

// still implements descriptors. A task that sleeps, and has not run when it is asked again, has changed nothing in between; where it sleeps
// says whether it may have taken a descriptor out of the table before, of which the FLUSH is not here yet.
//
// Its status would not do for that: a task says that it sleeps before it does, and may go on.
func (p ProcFS) still(tid uint32, past *sharers, waits func(tid uint32) bool, do func()) (still, met bool, err error) {
	var runs []int
	for more := true; more; {
		if runs, err = p.runs(past.tasks); err != nil {
			return false, false, err
		}
		if slices.Contains(runs, ended) {
			var there []int
			for i, task := range past.tasks {
				if runs[i] != ended {
					there = append(there, task)
				}
			}
			past.tasks = there
			continue
		}
		if more, err = p.find(int(tid), past); err != nil {
			return false, false, err
		}
	}
	if past.seen == nil {
		past.seen = map[int]bool{}
	}
	still, met = true, true
	for i, task := range past.tasks {
		rests := p.rests(task, waits)
		if !rests {
			room, err := p.tableRoom(task)
			rests = err == nil && room == 0 // it ends, and has no table any more
		}
		past.seen[task] = past.seen[task] || rests
		met = met && past.seen[task]
		still = still && rests && runs[i] > 0 // 0 is of a task that is new, or of a kernel that doesn't count
	}
	if !still {
		return false, met, nil
	}
	do()
	again, err := p.runs(past.tasks)
	return slices.Equal(runs, again), met, err
}

const ended = -1

// runs returns how often each of the tasks was given a processor, ended for one that is not there any more.
func (p ProcFS) runs(tasks []int) ([]int, error) {
	runs := make([]int, len(tasks))
	for i, task := range tasks {
		var buf [128]byte
		b, err := readSmall(unix.AT_FDCWD, p.path(task, "schedstat"), buf[:])
		if isGone(err) {
			runs[i] = ended
			continue
		}
		if err != nil {
			return nil, err
		}
		f := bytes.Fields(b)
		if len(f) != 3 {
			return nil, fmt.Errorf("schedstat of %d: %w", task, errProc)
		}
		if runs[i], err = strconv.Atoi(string(f[2])); err != nil {
			return nil, fmt.Errorf("schedstat of %d: %w", task, errProc)
		}
	}
	return runs, nil
}

// restful are the functions of the kernel in which a task sleeps that is not about to close or replace a descriptor.
var restful = []string{
	"futex_do_wait", "futex_wait_queue", "futex_wait_queue_me",
	"ep_poll", "poll_schedule_timeout", "do_sys_poll", "do_select",
	"hrtimer_nanosleep", "do_nanosleep", "do_wait", "do_sigtimedwait", "sigsuspend",
	"pipe_read", "anon_pipe_read", "unix_stream_read_generic", "inet_csk_accept", "__skb_wait_for_more_packets",
	"io_wq_worker", "io_sq_thread", "io_cqring_wait",
}

// rests says whether a task sleeps, and what it last changed in its table, if anything, was told by a FLUSH: it sleeps outside of a close, or waits for the
// answer to the FLUSH.
func (p ProcFS) rests(task int, waits func(tid uint32) bool) bool {
	var buf [128]byte
	b, err := readSmall(unix.AT_FDCWD, p.path(task, "wchan"), buf[:])
	if err != nil {
		return isGone(err)
	}
	where, _, _ := bytes.Cut(b, []byte(".")) // a compiler adds .isra.0
	return string(where) == "request_wait_answer" && waits(uint32(task)) || slices.Contains(restful, string(where))
}

// find looks for tasks that came to share the thread's table, and says whether there are any. Such a one is made by a task that shares it itself,
// and has a new number.
func (p ProcFS) find(tid int, past *sharers) (more bool, err error) {
	now := time.Now()
	last, err := p.lastTask()
	if err != nil {
		return false, err
	}
	if past.last == 0 || last < past.last || last-past.last > 1000 || now.Sub(past.at) > past.turn {
		past.last = 0
		turn, err := p.turn()
		if err != nil {
			return false, err
		}
		tasks, err := p.allTasks()
		if err == nil {
			tasks, err = p.sharing(tid, tasks)
		}
		if err != nil {
			return false, err
		}
		past.tasks, past.last, past.turn = tasks, last, turn
		more = true
	}
	for last > past.last {
		var numbers []int
		for n := past.last + 1; n <= last; n++ {
			numbers = append(numbers, n)
		}
		found, err := p.sharing(tid, numbers)
		if err != nil {
			past.last = 0
			return false, err
		}
		for _, task := range found {
			if !slices.Contains(past.tasks, task) {
				past.tasks, more = append(past.tasks, task), true
			}
		}
		past.last = last
		// Those that came while these were asked may be of a sharer that ended meanwhile.
		if last, err = p.lastTask(); err != nil {
			return false, err
		}
		if last < past.last {
			past.last = 0
			return true, nil
		}
	}
	past.at = now
	if len(past.tasks) > mostSharers {
		past.last = 0
		return false, errManySharers
	}
	return more, nil
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

var errHidden = errors.New("proc may hide the tasks of others")

// allTasks returns the numbers of all threads of all processes.
func (p ProcFS) allTasks() ([]int, error) {
	if os.Geteuid() != 0 {
		if b, err := os.ReadFile(p.root() + "/self/mountinfo"); err != nil || bytes.Contains(b, []byte("hidepid=")) {
			return nil, errors.Join(errHidden, err)
		}
	}
	processes, err := taskNumbers(p.root())
	if err != nil {
		return nil, err
	}
	all := processes
	for _, pid := range processes {
		var st unix.Stat_t
		if err := unix.Stat(p.path(pid, "task"), &st); err != nil || st.Nlink == 2+1 {
			continue // it ended, or has one thread
		}
		threads, err := taskNumbers(p.path(pid, "task"))
		if err != nil && !isGone(err) {
			return nil, err
		}
		for _, tid := range threads {
			if tid != pid {
				all = append(all, tid)
			}
		}
	}
	return all, nil
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

// sharing returns those of the tasks that may have the same table as the thread: they have one with room for as many descriptors. A table grows, and never shrinks.
//
// kcmp(2) would tell for certain. But it takes a lock that a program holds while it execs, also while that waits for the answer to
// the FLUSH of what it closes by that: who asked would wait for itself. The status of a task takes no lock that is held for long.
func (p ProcFS) sharing(tid int, tasks []int) (found []int, err error) {
	for {
		mine, err := p.tableRoom(tid)
		if err != nil {
			return nil, err
		}
		found = nil
		for _, other := range tasks {
			if other == tid {
				continue
			}
			its, err := p.tableRoom(other)
			if isGone(err) {
				continue // it ended, or there is none of this number
			}
			if err != nil {
				return nil, err
			}
			if its == mine {
				found = append(found, other)
			}
		}
		if again, err := p.tableRoom(tid); err != nil || again == mine {
			return found, err
		}
	}
}

// isGone says whether an error is of a task that is not there.
func isGone(err error) bool { return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) }

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

// hold implements descriptors.
func (p ProcFS) hold(tid uint32) (there func() bool, letGo func(), err error) {
	// A directory of /proc stays that of the task that it was opened for.
	dir, err := os.OpenRoot(p.root() + "/" + strconv.Itoa(int(tid)))
	if err != nil {
		return nil, nil, err
	}
	there = func() bool {
		_, err := dir.Lstat("fd")
		return err == nil
	}
	return there, func() { _ = dir.Close() }, nil
}
