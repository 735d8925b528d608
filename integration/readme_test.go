package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// example is one command of the README's session, and what it prints.
type example struct {
	command string
	want    string
}

// readmeExamples returns the commands of all blocks that are marked as console sessions. A command begins with
// "$ "; what follows it is its output, in which "…" stands for anything.
func readmeExamples(t *testing.T) []example {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []example
	inside := false
	for line := range strings.Lines(string(text)) {
		switch cmd, isCommand := strings.CutPrefix(line, "$ "); {
		case strings.HasPrefix(line, "```"):
			inside = strings.TrimSpace(line) == "```console"
		case !inside:
		case isCommand:
			all = append(all, example{command: strings.TrimSpace(cmd)})
		case len(all) > 0:
			all[len(all)-1].want += line
		}
	}
	return all
}

// matches compares output with what the README shows.
func matches(got, want string) bool {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(want), "…", ".*")
	return regexp.MustCompile("^(?s:" + pattern + ")$").MatchString(got)
}

func TestREADMEShowsWhatHappens(t *testing.T) {
	examples := readmeExamples(t)
	if len(examples) < 8 {
		t.Fatalf("README has %d commands in console blocks, want a session", len(examples))
	}
	dir := scratch(t)
	c := command{dir: dir, env: []string{"PATH=" + filepath.Dir(bin) + ":" + os.Getenv("PATH")}}
	t.Cleanup(func() {
		for _, line := range mountsBelow(t, dir) {
			c.run(t, `"$JSFS" umount --lazy `+quoted(strings.Fields(line)[4]))
		}
	})
	var script strings.Builder
	for i, e := range examples {
		fmt.Fprintf(&script, "%s\nprintf '\\001%d\\n'\n", e.command, i)
	}
	r := c.run(t, "exec 2>&1\n"+script.String())
	rest := r.out
	for i, e := range examples {
		got, after, ok := strings.Cut(rest, fmt.Sprintf("\x01%d\n", i))
		if !ok {
			t.Fatalf("the session ended in `%s`:\n%s", e.command, rest)
		}
		if !matches(got, e.want) {
			t.Errorf("$ %s\nprints:\n%s\nREADME shows:\n%s", e.command, got, e.want)
		}
		rest = after
	}
}

func TestREADMELinksToWhatIsThere(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	links := regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(string(text), -1)
	if len(links) < 4 {
		t.Fatalf("README has %d links", len(links))
	}
	for _, l := range links {
		if _, err := os.Stat(filepath.Join("..", l[1])); err != nil {
			t.Errorf("README links to %s: %v", l[1], err)
		}
	}
}
