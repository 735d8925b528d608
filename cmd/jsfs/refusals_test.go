package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"jsfs/store/transfer"
)

// refusalSources are the files whose sentences people meet on the command line, besides this package's own.
var refusalSources = []string{
	"../../store/keys/*.go", "../../store/transfer/backupwrite.go", "../../store/transfer/backupagain.go", "../../store/transfer/copy.go", "../../store/transfer/rescue.go",
	"../../store/dump/dump.go", "../../store/dump/unlock.go", "../../fusefs/uring/available.go",
}

// refusalPlaces begin a sentence that says what it is about; the system's own words follow, or a sentence
// that has a row of its own.
var refusalPlaces = regexp.MustCompile(`^(…|(source|destination|backup|mount point|key file|stream|draft|purge|open the store|mount at|read the passphrase` +
	`|verify stream|flag --|option -o|export … to) ?…?|flag --…(cipher|key-file)|--subject|)$`)

// Every sentence that a command can end with has a row on the page for people who met it, and every row there is
// one that a command can end with.
func TestEveryRefusalOfACommandHasItsRow(t *testing.T) {
	text, err := os.ReadFile("../../docs/troubleshooting-commands.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{} // to whether something says it
	row := regexp.MustCompile("^\\| `([^`]+)` \\| [^|]+ \\| [^|]+ \\|\n$")
	for line := range strings.Lines(string(text)) {
		if m := row.FindStringSubmatch(line); m != nil {
			if _, twice := rows[m[1]]; twice {
				t.Errorf("two rows for %q", m[1])
			}
			rows[m[1]] = false
		} else if strings.HasPrefix(line, "| `") {
			t.Errorf("a row of another form: %s", line)
		}
	}
	for _, s := range append(saidByCommands(t), saidByLibraries(t)...) {
		if _, ok := rows[s]; !ok {
			t.Errorf("no row for %q", s)
		}
		rows[s] = true
	}
	for s, said := range rows {
		if !said {
			t.Errorf("a row for %q, which nothing says", s)
		}
	}
}

// saidByCommands reads the sentences from the sources: what is passed to the functions that make errors, and the
// hints of hints.go. What differs from call to call is "…", and a cause behind a colon is left out.
func saidByCommands(t *testing.T) []string {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range refusalSources {
		more, err := filepath.Glob(pattern)
		if err != nil || len(more) == 0 {
			t.Fatalf("%s: %v, %v", pattern, more, err)
		}
		files = append(files, more...)
	}
	var found []string
	add := func(e ast.Expr) {
		if s, ok := constantText(e); ok {
			if s = sentence(s); !refusalPlaces.MatchString(s) {
				found = append(found, s)
			}
		}
	}
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
			case *ast.CallExpr:
				if makesErrors(n.Fun) {
					add(n.Args[0])
				}
			case *ast.AssignStmt:
				if to, ok := n.Lhs[0].(*ast.Ident); ok && to.Name == "hint" {
					if call, ok := n.Rhs[0].(*ast.CallExpr); ok {
						add(call.Args[0])
					}
					add(n.Rhs[0])
				}
			case *ast.ValueSpec:
				if n.Names[0].Name == "noFusermount" {
					add(n.Values[0])
				}
			}
			return true
		})
	}
	return found
}

func makesErrors(fn ast.Expr) bool {
	switch fn := fn.(type) {
	case *ast.Ident:
		return fn.Name == "usage" || fn.Name == "usageError"
	case *ast.SelectorExpr:
		pkg, ok := fn.X.(*ast.Ident)
		return ok && (pkg.Name == "fmt" && fn.Sel.Name == "Errorf" || pkg.Name == "errors" && fn.Sel.Name == "New")
	}
	return false
}

// constantText returns the text of a literal, or of several that are joined.
func constantText(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil
	case *ast.BinaryExpr:
		a, okA := constantText(e.X)
		b, okB := constantText(e.Y)
		return a + b, okA && okB
	}
	return "", false
}

var (
	verb  = regexp.MustCompile(`%[#+0-9]*(\[\d+\])?[a-z]`)
	cause = regexp.MustCompile(`(: %(s: %)?w)+$`)
)

// sentence makes a row's text of a format.
func sentence(format string) string {
	format = cause.ReplaceAllString(format, "")
	format = strings.TrimPrefix(format, "%w: ") // the kind of error, before what it is about
	return strings.ReplaceAll(verb.ReplaceAllString(format, "…"), "`", "")
}

// saidByLibraries are the sentences that are made elsewhere.
func saidByLibraries(t *testing.T) []string {
	var out bytes.Buffer
	run(t.Context(), []string{"jsfs", "nonsense"}, &out, &out)
	unknown, _, _ := strings.Cut(strings.TrimPrefix(out.String(), "jsfs: "), "\n")
	unknown, _, _ = strings.Cut(unknown, ";")
	damaged := (&transfer.DamagedError{File: "…", Err: os.ErrInvalid}).Error()
	return []string{
		regexp.MustCompile(`"[a-z]+"`).ReplaceAllString(unknown, "…"),
		strings.NewReplacer("0", "…", os.ErrInvalid.Error(), "…").Replace(damaged),
	}
}
