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

	"jsfs/fusefs/publish"
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
		if heading := regexp.MustCompile(`^## (E[A-Z]+|ANY|)`).FindStringSubmatch(line); heading != nil {
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
	want = append(want, "EIO "+publish.ErrTaken.Error())
	known := describeDamage(store.Damage{File: "…", Cause: "…"})
	want = append(want, "ENFILE "+syscall.EMFILE.Error(), "EIO …", "EIO "+strings.ReplaceAll(known, "0", "…"))
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

// mounting are the files that work before there is a mount, whose errors end the command.
var mounting = map[string]bool{"mount.go": true, "fusermount.go": true, "options.go": true, "overring.go": true, "server.go": true}

// refusals reads what this package refuses with from its sources, as "ERRNO reason", where what
// differs from call to call is "…". Where the errno does, it is ANY.
func refusals(t *testing.T) []string {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	r := reasons{t: t, consts: map[string]string{}}
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
				r.constant(n)
			case *ast.CompositeLit:
				r.answer(n)
			case *ast.CallExpr:
				if fn, ok := n.Fun.(*ast.Ident); ok && fn.Name == "refuse" {
					r.calls = append(r.calls, n)
				}
				if !mounting[file] {
					r.plain(n)
				}
			}
			return true
		})
	}
	for _, call := range r.calls {
		r.refuse(call)
	}
	return r.found
}

// reasons are gathered from sources.
type reasons struct {
	t      *testing.T
	consts map[string]string
	calls  []*ast.CallExpr // of refuse
	found  []string
}

func (r *reasons) note(errno, format string) {
	if errno == "EOPNOTSUPP" {
		errno = "ENOTSUP" // they are one number
	}
	r.found = append(r.found, errno+" "+regexp.MustCompile(`%[0-9]*[a-z]`).ReplaceAllString(format, "…"))
}

func (r *reasons) constant(spec *ast.ValueSpec) {
	for i, name := range spec.Names {
		if i < len(spec.Values) {
			if text, ok := literal(spec.Values[i]); ok {
				r.consts[name.Name] = text
			}
		}
	}
}

// answer notes a refusal that is always the same.
func (r *reasons) answer(lit *ast.CompositeLit) {
	if is, ok := lit.Type.(*ast.Ident); ok && is.Name == "refusal" {
		if text, ok := literal(lit.Elts[1]); ok {
			r.note(lit.Elts[0].(*ast.SelectorExpr).Sel.Name, text)
		}
	}
}

// plain notes an error that wraps none, which is EIO.
func (r *reasons) plain(call *ast.CallExpr) {
	if fn, ok := call.Fun.(*ast.SelectorExpr); ok && fn.Sel.Name == "Errorf" {
		if text, ok := literal(call.Args[0]); ok && !strings.Contains(text, "%w") {
			r.note("EIO", text)
		}
	}
}

func (r *reasons) refuse(call *ast.CallExpr) {
	errno := "ANY"
	if e, ok := call.Args[0].(*ast.SelectorExpr); ok {
		errno = e.Sel.Name
	}
	text, ok := literal(call.Args[1])
	if name, isName := call.Args[1].(*ast.Ident); isName {
		text, ok = r.consts[name.Name], r.consts[name.Name] != ""
	}
	if !ok {
		r.t.Errorf("a call of refuse with %s has no constant reason", errno)
		return
	}
	r.note(errno, text)
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
