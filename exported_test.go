package zapkafka

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the lists of exported names anew")

// TestExportedNames holds the names that the module exports against a list for
// each package, so that each new one is a decision: it cannot be taken back after
// a release. go test -run TestExportedNames -update . writes the lists.
func TestExportedNames(t *testing.T) {
	for _, dir := range []string{".", "producertest"} {
		dir := dir
		t.Run(dir, func(t *testing.T) { checkExported(t, dir) })
	}
}

func checkExported(t *testing.T, dir string) {
	golden := filepath.Join(dir, "testdata", "exported.txt")
	got := strings.Join(exportedNames(t, dir), "\n") + "\n"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != strings.ReplaceAll(string(want), "\r", "") {
		t.Errorf("the exported names differ from %s.\ngot:\n%s\nwant:\n%s", golden, got, want)
	}
}

// exportedNames lists functions, types with their exported fields and methods,
// constants and variables, and fails for those without a doc comment.
func exportedNames(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	var names []string
	add := func(kind, name string, docs ...*ast.CommentGroup) {
		last := name[strings.LastIndexByte(name, '.')+1:]
		if !ast.IsExported(last) {
			return
		}
		names = append(names, kind+" "+name)
		for _, d := range docs {
			if d.Text() != "" {
				return
			}
		}
		t.Errorf("%s %s has no doc comment", kind, name)
	}
	for _, f := range files {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				name := d.Name.Name
				if d.Recv != nil {
					recv := receiver(d.Recv.List[0].Type)
					if !ast.IsExported(recv) {
						continue
					}
					name = recv + "." + name
				}
				add("func", name, d.Doc)
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						add("type", spec.Name.Name, spec.Doc, d.Doc)
						if ast.IsExported(spec.Name.Name) {
							members(spec, add)
						}
					case *ast.ValueSpec:
						for _, n := range spec.Names {
							add(d.Tok.String(), n.Name, spec.Doc, d.Doc)
						}
					}
				}
			}
		}
	}
	sort.Strings(names)
	return names
}

func receiver(e ast.Expr) string {
	if p, ok := e.(*ast.StarExpr); ok {
		e = p.X
	}
	return e.(*ast.Ident).Name
}

// members adds the fields or methods of a type.
func members(spec *ast.TypeSpec, add func(kind, name string, docs ...*ast.CommentGroup)) {
	var list *ast.FieldList
	kind := "field"
	switch t := spec.Type.(type) {
	case *ast.StructType:
		list = t.Fields
	case *ast.InterfaceType:
		list, kind = t.Methods, "method"
	default:
		return
	}
	for i, f := range list.List {
		doc := f.Doc
		for _, n := range f.Names {
			// A list like "A, B int" under one comment is documented by it.
			if doc == nil && i > 0 {
				doc = list.List[i-1].Doc
			}
			add(kind, spec.Name.Name+"."+n.Name, doc)
		}
	}
}
