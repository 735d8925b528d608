package blockstore

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEachFileIsInTheMap compares the list in the package's documentation with the files that there are.
func TestEachFileIsInTheMap(t *testing.T) {
	b, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, m := range regexp.MustCompile(`(?m)^//   - [^:]*: (.*)$`).FindAllStringSubmatch(string(b), -1) {
		listed = append(listed, strings.Split(m[1], ", ")...)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(f, ".go")
		if name == "doc" || strings.HasSuffix(name, "_test") {
			continue
		}
		if n := len(listed); n == len(slices.DeleteFunc(slices.Clone(listed), func(s string) bool { return s == name })) {
			t.Errorf("doc.go does not say what %s is about", f)
		}
		listed = slices.DeleteFunc(listed, func(s string) bool { return s == name })
	}
	if len(listed) > 0 {
		t.Errorf("doc.go names %q, which are not there, or twice", listed)
	}
}
