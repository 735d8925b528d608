// Command probe measures through a mount what shell tools can't: how long it takes until a follower has what was
// appended, until a listing has its first entry, and until a single request is answered.
//
//	probe follow STREAM COUNT   append COUNT lines, one each 2 ms, to STREAM/.log, and read STREAM/.jsfs/follow
//	probe tail STREAM COUNT     the same, read at the end of STREAM/.log by who polls it each millisecond
//	probe first DIR             list the first entry
//	probe trips DIR COUNT       look up, open and close, and read the first message of a stream COUNT times
//
// It prints microseconds: the median and the 99th percentile, the one time, or the three means.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 2 && args[0] == "first" {
		return first(args[1])
	}
	if len(args) != 3 || args[0] != "follow" && args[0] != "tail" && args[0] != "trips" {
		return fmt.Errorf("usage: probe follow|tail STREAM COUNT, probe first DIR, or probe trips DIR COUNT")
	}
	count, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	if args[0] == "trips" {
		return trips(args[1], count)
	}
	return latency(args[1], args[0] == "tail", count)
}

// first prints how long the first entry of a directory takes.
func first(dir string) error {
	begun := time.Now()
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	if _, err := d.Readdirnames(1); err != nil {
		return err
	}
	fmt.Println(time.Since(begun).Microseconds())
	return nil
}

// latency prints how long lines take from before they are appended until a follower has read them.
func latency(stream string, poll bool, count int) error {
	log := filepath.Join(stream, ".log")
	name := filepath.Join(stream, ".jsfs", "follow")
	if poll {
		name = log
	}
	r, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	lines := bufio.NewReader(r)
	if poll {
		if _, err := r.Seek(0, io.SeekEnd); err != nil {
			return err
		}
		lines = bufio.NewReader(poller{r})
	}
	failed := make(chan error, 1)
	go func() { failed <- appendTimes(log, count) }()

	took := make([]time.Duration, 0, count)
	for len(took) < count {
		line, err := lines.ReadString('\n')
		if err != nil {
			return err
		}
		sent, err := strconv.ParseInt(line[:len(line)-1], 10, 64)
		if err != nil {
			return err
		}
		took = append(took, time.Since(time.Unix(0, sent)))
	}
	slices.Sort(took)
	fmt.Println(took[count/2].Microseconds(), took[count*99/100].Microseconds())
	return <-failed
}

// appendTimes appends lines that say when they were written.
func appendTimes(log string, count int) error {
	w, err := os.OpenFile(log, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for range count {
		<-tick.C
		if _, err := fmt.Fprintf(w, "%d\n", time.Now().UnixNano()); err != nil {
			return err
		}
	}
	return w.Close()
}

// poller reads a file that grows.
type poller struct{ r io.Reader }

func (p poller) Read(b []byte) (int, error) {
	for {
		n, err := p.r.Read(b)
		if n > 0 || err != io.EOF {
			return n, err
		}
		time.Sleep(time.Millisecond)
	}
}
