package integration

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Each close of a program with many threads appends that thread's message, before it returns.
func TestThreadsWrite(t *testing.T) {
	m := mount(t, withArgs("--sync=interval"))
	m.sh("mkdir S")
	const threads = 8
	rounds := scaled(20, 100, 1000)
	var wg sync.WaitGroup
	for i := range threads {
		wg.Go(func() {
			for k := range rounds {
				text := fmt.Sprintf("thread %d round %d\n", i, k)
				name := []string{"S/same", "S/own." + strconv.Itoa(i)}[k%2]
				if err := os.WriteFile(m.path(name), []byte(text), 0o644); err != nil {
					t.Error(err)
				}
				if strings.HasPrefix(name, "S/own") {
					if got, err := os.ReadFile(m.path(name)); err != nil || string(got) != text {
						t.Errorf("after the close: got %q, %v; want %q", got, err, text)
					}
				}
			}
		})
	}
	wg.Wait()
	var want []string
	for i := range threads {
		for k := range rounds {
			want = append(want, fmt.Sprintf("thread %d round %d\n", i, k))
		}
	}
	got := m.messages("S")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %d messages, want %d, each once", len(got), len(want))
	}
}

// Processes that write at the same time don't mix their messages or lines.
func TestProcessesWrite(t *testing.T) {
	m := mount(t, withArgs("--sync=interval"))
	m.sh(fmt.Sprintf(`mkdir S L; n=%d
		for p in 1 2 3 4 5 6; do
			(for i in $(seq $n); do (echo $p; echo $i; /bin/echo end) > S/x; done) &
			(for i in $(seq $n); do echo "$p $i"; done >> L/.log; printf 'rest %%d' $p >> L/.log) &
		done; wait`, scaled(5, 30, 300)))
	seen := map[string]bool{}
	for _, text := range m.messages("S") {
		if f := strings.Fields(text); len(f) != 3 || f[2] != "end" || seen[text] {
			t.Errorf("message %q is not one of those written, or is there twice", text)
		}
		seen[text] = true
	}
	if got, want := len(seen), 6*scaled(5, 30, 300); got != want {
		t.Errorf("got %d messages, want %d", got, want)
	}
	if got, want := m.sh(`cat L/.log | sort | uniq | wc -l; cat L/.log | wc -l`), 6*scaled(5, 30, 300)+6; got != fmt.Sprintf("%d\n%d\n", want, want) {
		t.Errorf("got %s lines, want %d different ones", got, want)
	}
}

// A server that is no root sees the processes of its own user, and the rule holds.
func TestUserWrites(t *testing.T) {
	needs(t, "fusermount3")
	openFUSE(t)
	m := mount(t, withUser("nobody"))
	r := m.as("nobody", `mkdir S; (echo a; /bin/echo b; echo c) > S/x; exec 3> S/x; echo d >&3; /bin/echo e >&3; exec 3>&-
		bash -c 'echo half; kill -9 $$' > S/x; cat S/0*; for i in $(seq 1000); do test -e S/.killed.1 && break; sleep 0.02; done; cat S/.killed.1`)
	if want := "a\nb\nc\nd\ne\nhalf\n"; r.out != want {
		t.Errorf("got %q (%s), want %q", r.out, r.err, want)
	}
}
