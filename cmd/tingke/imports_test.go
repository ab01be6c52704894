package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/tingke/tingke/"

// mayImport says which floors of the house a floor may import; the empty list is the ground floor. The folders inside
// pipeline are ordered as well: what is pure knows neither store nor stream.
var mayImport = map[string][]string{
	"schemas":                   {"schemas"},
	"nlp":                       {"nlp", "schemas"},
	"rules":                     {"rules", "schemas"},
	"pipeline":                  {"pipeline", "nlp", "rules", "schemas"},
	"dashboards":                {"dashboards", "pipeline", "nlp", "rules", "schemas"},
	"cmd":                       {"cmd", "dashboards", "pipeline", "nlp", "rules", "schemas", "testdata"},
	"testdata":                  {"schemas", "testdata"},
	"pipeline/analyse":          {"nlp", "rules", "schemas"},
	"pipeline/assemble":         {"schemas"},
	"pipeline/intake":           {"schemas"},
	"pipeline/failpoint":        {},
	"pipeline/broker":           {},
	"pipeline/httpd":            {},
	"pipeline/tlsfile":          {},
	"pipeline/warehouse/engine": {"pipeline/httpd"},
	// Of tests only: it hands migrated databases on, and so knows the warehouse.
	"pipeline/warehouse/engine/enginetest": {"pipeline", "schemas"},
}

// TestImportDirection names every import that runs against cmd -> dashboards -> pipeline -> {rules, nlp} -> schemas.
// Tests count as well.
func TestImportDirection(t *testing.T) {
	root := filepath.Join("..", "..")
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && (name == "node_modules" || path != root && strings.HasPrefix(name, ".") && name != "..") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(filepath.Dir(rel))
		allowed, known := allowedFor(pkg)
		if !known {
			t.Errorf("%s: %q is no floor of the house; see ARCHITECTURE.md", rel, pkg)
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		files++
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			target, ours := strings.CutPrefix(imported, module)
			if ours && target != pkg && !within(target, allowed) {
				t.Errorf("wrong edge: %s imports %s; %s may import only %v", rel, target, pkg, allowed)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 20 {
		t.Fatalf("only %d files were looked at, is %s the repository?", files, root)
	}
}

func TestImportDirectionSeesAWrongEdge(t *testing.T) {
	f := func(pkg, target string, want bool) {
		t.Helper()
		allowed, _ := allowedFor(pkg)
		if got := within(target, allowed); got != want {
			t.Errorf("%s -> %s allowed %v, want %v", pkg, target, got, want)
		}
	}
	f("rules", "nlp", false)
	f("rules", "nlp/textnorm", false)
	f("schemas", "rules", false)
	f("nlp/emotion", "pipeline", false)
	f("pipeline/assemble", "nlp/mask", false)
	f("pipeline/stream", "pipeline/warehouse", true)
	f("pipeline", "dashboards", false)
	f("cmd/tingke", "pipeline/stream", true)
}

// allowedFor finds the rule of the deepest named folder around pkg.
func allowedFor(pkg string) ([]string, bool) {
	for {
		if allowed, ok := mayImport[pkg]; ok {
			return allowed, true
		}
		i := strings.LastIndexByte(pkg, '/')
		if i < 0 {
			return nil, false
		}
		pkg = pkg[:i]
	}
}

func within(target string, allowed []string) bool {
	for _, a := range allowed {
		if target == a || strings.HasPrefix(target, a+"/") {
			return true
		}
	}
	return false
}
