package integration

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// layout says which of our packages, and which modules, each package may import; "std" stands for nothing
// but the standard library. A new package must be entered here.
var layout = map[string]string{
	"jsfs/bench/floor":           "std",
	"jsfs/bench/probe":           "std",
	"jsfs/cmd/jsfs":              "jsfs/fusefs jsfs/mapping jsfs/store jsfs/store/blockstore jsfs/store/dump jsfs/store/keys jsfs/store/legacy jsfs/store/memstore jsfs/store/metered jsfs/store/transfer cobra progressbar prometheus prometheus/text x/sys x/term xxhash",
	"jsfs/fusefs":                "jsfs/fusefs/gather jsfs/fusefs/publish jsfs/fusefs/logview jsfs/fusefs/spinner jsfs/fusefs/uring jsfs/mapping jsfs/store go-fuse x/sys xxhash",
	"jsfs/fusefs/gather":         "jsfs/fusefs/publish jsfs/store jsfs/store/jsonl x/sys",
	"jsfs/fusefs/logview":        "jsfs/mapping jsfs/store jsfs/store/jsonl",
	"jsfs/fusefs/publish":        "jsfs/mapping jsfs/store jsfs/store/jsonl jsfs/store/precheck x/sys",
	"jsfs/fusefs/spinner":        "x/sys",
	"jsfs/fusefs/uring":          "jsfs/fusefs/spinner x/sys",
	"jsfs/integration":           "std",
	"jsfs/mapping":               "jsfs/store jsfs/store/jsonl xxhash",
	"jsfs/store":                 "std",
	"jsfs/store/blockstore":      "jsfs/store jsfs/store/blockstore/internal/damage jsfs/store/blockstore/internal/firstgen jsfs/store/blockstore/internal/pace jsfs/store/blockstore/internal/reserve jsfs/store/blockstore/internal/scan jsfs/store/blockstore/internal/sealeddraft jsfs/store/blockstore/internal/subjects jsfs/store/blockstore/internal/summeddraft jsfs/store/jsonl jsfs/store/legacy jsfs/store/replicate jsfs/store/internal/consume jsfs/store/internal/policy jsfs/store/internal/record jsfs/store/internal/seal jsfs/store/internal/vfs jsfs/store/internal/watch jsfs/store/keys xxhash x/sys",
	"jsfs/store/dump":            "jsfs/store jsfs/store/internal/consume jsfs/store/internal/record jsfs/store/internal/seal jsfs/store/internal/vfs jsfs/store/keys",
	"jsfs/store/internal/policy": "jsfs/store jsfs/store/jsonl",
	"jsfs/store/internal/record": "jsfs/store jsfs/store/internal/seal s2 xxhash",
	"jsfs/store/internal/seal":   "x/crypto",
	"jsfs/store/internal/vfs":    "jsfs/store x/sys",
	"jsfs/store/internal/watch":  "jsfs/store",
	"jsfs/store/keys":            "jsfs/store jsfs/store/internal/seal x/crypto",
	"jsfs/store/jsonl":           "jsfs/store",
	"jsfs/store/legacy":          "jsfs/store s2 x/crypto",
	"jsfs/store/memstore":        "jsfs/store jsfs/store/jsonl jsfs/store/replicate jsfs/store/internal/consume jsfs/store/internal/policy jsfs/store/internal/watch",
	"jsfs/store/metered":         "jsfs/store prometheus",
	"jsfs/store/precheck":        "jsfs/store jsfs/store/internal/policy",
	"jsfs/store/replicate":       "jsfs/store",
	"jsfs/store/storetest":       "jsfs/store jsfs/store/jsonl jsfs/store/memstore go-cmp rapid",
	"jsfs/store/transfer":        "jsfs/store jsfs/store/jsonl xxhash zstd",

	"jsfs/store/blockstore/internal/damage":      "jsfs/store",
	"jsfs/store/blockstore/internal/firstgen":    "jsfs/store/internal/vfs jsfs/store/keys jsfs/store/legacy",
	"jsfs/store/blockstore/internal/pace":        "std",
	"jsfs/store/blockstore/internal/reserve":     "jsfs/store/internal/vfs",
	"jsfs/store/blockstore/internal/scan":        "jsfs/store jsfs/store/internal/record",
	"jsfs/store/blockstore/internal/subjects":    "jsfs/store",
	"jsfs/store/blockstore/internal/summeddraft": "jsfs/store jsfs/store/internal/record jsfs/store/internal/vfs",
	"jsfs/store/blockstore/internal/sealeddraft": "jsfs/store jsfs/store/internal/record jsfs/store/internal/seal jsfs/store/internal/vfs",

	"jsfs/store/internal/consume": "jsfs/store",
}

// modules are the short names of what is imported from elsewhere.
var modules = map[string]string{
	"cobra": "github.com/spf13/cobra", "go-cmp": "github.com/google/go-cmp", "go-fuse": "github.com/hanwen/go-fuse/v2",
	"prometheus": "github.com/prometheus/client_golang/prometheus", "prometheus/text": "github.com/prometheus/common/expfmt",
	"progressbar": "github.com/schollz/progressbar/v3", "rapid": "pgregory.net/rapid", "s2": "github.com/klauspost/compress/s2", "x/crypto": "golang.org/x/crypto",
	"x/sys": "golang.org/x/sys", "x/term": "golang.org/x/term", "xxhash": "github.com/cespare/xxhash/v2", "zstd": "github.com/klauspost/compress/zstd",
}

func TestLayout(t *testing.T) {
	out := command{dir: ".."}.ok(t, `go list -f '{{.ImportPath}} {{join .Imports " "}}' ./...`)
	found := make(map[string]bool)
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		pkg, imports := f[0], f[1:]
		found[pkg] = true
		allowed, ok := layout[pkg]
		if !ok {
			t.Errorf("package %s is not in the layout; enter it with what it may import", pkg)
			continue
		}
		for _, imp := range imports {
			if !strings.HasPrefix(imp, "jsfs/") && !strings.Contains(strings.Split(imp, "/")[0], ".") {
				continue // the standard library
			}
			if !slices.ContainsFunc(strings.Fields(allowed), func(a string) bool { return allows(a, imp) }) {
				t.Errorf("package %s imports %s, which the layout does not allow", pkg, imp)
			}
		}
	}
	for pkg := range layout {
		if !found[pkg] {
			t.Errorf("package %s is in the layout and does not exist", pkg)
		}
	}
}

// allows says whether an entry of the layout covers an import.
func allows(entry, imp string) bool {
	if path, ok := modules[entry]; ok {
		return imp == path || strings.HasPrefix(imp, path+"/")
	}
	return imp == entry
}

// The page for whoever works on jsfs names each package, and no file that is not there.
func TestArchitectureNamesWhatThereIs(t *testing.T) {
	b, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	for pkg := range layout {
		dir := strings.TrimPrefix(pkg, "jsfs/")
		if !strings.Contains(page, "`"+dir+"`") && !strings.Contains(page, "`"+path.Base(dir)+"`") {
			t.Errorf("docs/architecture.md does not name package %s", dir)
		}
	}
	for _, name := range regexp.MustCompile(`[a-z_/]+\.go\b`).FindAllString(page, -1) {
		found := false
		for _, dir := range []string{"", "store/blockstore"} {
			_, err := os.Stat(filepath.Join("..", dir, name))
			found = found || err == nil
		}
		if !found && name != "doc.go" {
			t.Errorf("docs/architecture.md names %s, which is not there", name)
		}
	}
}
