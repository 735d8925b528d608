// Command table reads what benchmarks print and prints a table in Markdown: for each row that it knows the medians of
// both stores, and what was aimed at.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// results are the figures of each benchmark, by its name, its store and its unit.
type results map[[3]string][]float64

var line = regexp.MustCompile(`^Benchmark(\S+?)/?store=(\w+)(?:-\d+)?\s+\d+\s+(.*)$`)

func main() {
	r, err := read(os.Stdin)
	if err == nil {
		err = r.print(os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "table:", err)
		os.Exit(1)
	}
}

func read(in io.Reader) (results, error) {
	r := results{}
	s := bufio.NewScanner(in)
	for s.Scan() {
		m := line.FindStringSubmatch(s.Text())
		if m == nil {
			continue
		}
		fields := strings.Fields(m[3])
		for i := 0; i+1 < len(fields); i += 2 {
			v, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return nil, err
			}
			key := [3]string{strings.TrimSuffix(m[1], "/"), m[2], fields[i+1]}
			r[key] = append(r[key], v)
		}
	}
	return r, s.Err()
}

// median returns the median of what a store gave; ok is false if it gave nothing.
func (r results) median(bench, store, unit string) (v float64, ok bool) {
	all := slices.Sorted(slices.Values(r[[3]string{bench, store, unit}]))
	if len(all) == 0 {
		return 0, false
	}
	return (all[len(all)/2] + all[(len(all)-1)/2]) / 2, true
}

func (r results) print(out io.Writer) error {
	var b strings.Builder
	b.WriteString("| work | jsfs | nats-server | aim | times the peer's |\n| --- | --- | --- | --- | --- |\n")
	for _, row := range rows {
		ours, ok := r.median(row.bench, "jsfs", row.unit)
		theirs, has := r.median(row.bench, "nats", row.unit)
		if !ok && !has {
			continue
		}
		cell := func(v float64, ok bool) string {
			if !ok {
				return "–"
			}
			return amount(v, row.unit)
		}
		ratio := "–"
		if ok && has && theirs > 0 {
			ratio = strconv.FormatFloat(ours/theirs, 'g', 2, 64)
		}
		aim := row.aim
		if ok && row.most > 0 && ours > row.most {
			aim += ", **missed**"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", row.work, cell(ours, ok), cell(theirs, has), aim, ratio)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// amount is a figure as people read it.
func amount(v float64, unit string) string {
	if strings.HasSuffix(unit, "B/msg") {
		return fmt.Sprintf("%.1f B", v)
	}
	for _, u := range []struct {
		size float64
		name string
	}{{1e9, "s"}, {1e6, "ms"}, {1e3, "µs"}} {
		if v >= u.size {
			return fmt.Sprintf("%.3g %s", v/u.size, u.name)
		}
	}
	return fmt.Sprintf("%.2g µs", v/1e3)
}
