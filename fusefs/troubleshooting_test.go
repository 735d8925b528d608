package fusefs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"jsfs/store"
)

// Every refusal has a row on the page for people who met it, and every row there is a refusal.
func TestTroubleshootingHasEveryRefusal(t *testing.T) {
	text, err := os.ReadFile("../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{} // "ERRNO reason", to whether something gives it
	var errno string
	for line := range strings.Lines(string(text)) {
		if heading := regexp.MustCompile(`^## ([A-Z]+)`).FindStringSubmatch(line); heading != nil {
			errno = heading[1]
		}
		if row := regexp.MustCompile("^\\| `([^`]+)` \\|").FindStringSubmatch(line); row != nil {
			rows[errno+" "+row[1]] = false
		}
	}
	want := refusals(t)
	for _, e := range errnos {
		want = append(want, unix.ErrnoName(e.errno)+" "+e.err.Error())
	}
	want = append(want, "EIO "+strings.TrimSuffix((&store.CorruptError{Err: os.ErrInvalid}).Error(), os.ErrInvalid.Error())+"…")
	want = append(want, "ENFILE "+syscall.EMFILE.Error())
	for _, r := range want {
		if _, ok := rows[r]; !ok {
			t.Errorf("docs/troubleshooting.md has no row for %s", r)
		}
		rows[r] = true
	}
	for row, given := range rows {
		if !given {
			t.Errorf("docs/troubleshooting.md has a row for %s, which nothing gives", row)
		}
	}
}

// refusals reads what this package refuses with from its sources, as "ERRNO reason", where what
// differs from call to call is "…". Where the errno does, it is ANY.
func refusals(t *testing.T) []string {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	consts := map[string]string{}
	var found []string
	var calls []*ast.CallExpr
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				for i, name := range n.Names {
					if i < len(n.Values) {
						if text, ok := literal(n.Values[i]); ok {
							consts[name.Name] = text
						}
					}
				}
			case *ast.CallExpr:
				if fn, ok := n.Fun.(*ast.Ident); ok && fn.Name == "refuse" {
					calls = append(calls, n)
				}
			}
			return true
		})
	}
	for _, call := range calls {
		errno := "ANY"
		if e, ok := call.Args[0].(*ast.SelectorExpr); ok {
			errno = e.Sel.Name
		}
		text, ok := literal(call.Args[1])
		if name, isName := call.Args[1].(*ast.Ident); isName {
			text, ok = consts[name.Name], consts[name.Name] != ""
		}
		if !ok {
			t.Errorf("a call of refuse with %s has no constant reason", errno)
			continue
		}
		found = append(found, errno+" "+regexp.MustCompile(`%[0-9]*[a-z]`).ReplaceAllString(text, "…"))
	}
	return found
}

func literal(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil
	case *ast.BinaryExpr:
		a, okA := literal(e.X)
		b, okB := literal(e.Y)
		return a + b, okA && okB
	}
	return "", false
}
