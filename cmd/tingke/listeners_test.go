package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tingke/tingke/dashboards"
	"github.com/tingke/tingke/pipeline/warehouse/engine"
)

type wellness struct{}

func (wellness) Healthy() error { return nil }
func (wellness) Ready() error   { return nil }
func (wellness) Status() any    { return nil }

// TestEveryListenerHasLimits: each listener of the program refuses a header that is too large, lets go of a client that does
// not finish its header, and accepts only so many connections at once, in which those that wait are answered later.
func TestEveryListenerHasLimits(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)

	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	metrics := free.Addr().String()
	free.Close()
	wait, err := serveMetrics(ctx, metrics, prometheus.NewRegistry(), wellness{}, log)
	if err != nil {
		t.Fatal(err)
	}
	site := dashboards.Server{Addr: "127.0.0.1:0", Log: log}
	web, err := site.Listen(ctx)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() {
		served <- site.ServeListener(ctx, web, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") }))
	}()
	dir := t.TempDir()
	handle, err := engine.Acquire(ctx, dir, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var host struct{ Address string }
	b, err := os.ReadFile(filepath.Join(dir, "engine.json"))
	if err == nil {
		err = json.Unmarshal(b, &host)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		for _, err := range []error{wait(), <-served, handle.Close()} {
			if err != nil {
				t.Error(err)
			}
		}
	})

	for _, c := range []struct {
		name, address string
		header        int // bytes that are too many
		connections   int
	}{
		{"metrics", metrics, 64 << 10, metricsConnections},
		{"web", web.Addr().String(), 64 << 10, 256},
		{"engine", host.Address, 2 << 20, 256},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dial := func() net.Conn {
				t.Helper()
				conn, err := net.DialTimeout("tcp", c.address, 5*time.Second)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { conn.Close() })
				if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
					t.Fatal(err)
				}
				return conn
			}
			const request = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"

			large := dial()
			go fmt.Fprintf(large, "%sX-Large: %s\r\n\r\n", request, strings.Repeat("x", c.header)) // an error where it is cut off
			if line, err := bufio.NewReader(large).ReadString('\n'); err != nil || !strings.Contains(line, " 431 ") {
				t.Errorf("a header of %d bytes: %q, %v, want 431", c.header, line, err)
			}
			large.Close()

			slow := dial()
			if _, err := io.WriteString(slow, request); err != nil { // and nothing after it
				t.Fatal(err)
			}
			began := time.Now()
			if _, err := io.Copy(io.Discard, slow); err != nil || time.Since(began) > 15*time.Second {
				t.Errorf("a header that does not end: %v after %s", err, time.Since(began))
			}

			// Connections that say nothing fill the slots; net/http gives them up after the time for a header.
			time.Sleep(100 * time.Millisecond)
			for range c.connections {
				dial()
			}
			late := dial()
			if _, err := io.WriteString(late, request+"Connection: close\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			if err := late.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
				t.Fatal(err)
			}
			if n, err := late.Read(make([]byte, 1)); err == nil {
				t.Errorf("%d bytes were answered while %d other connections were open", n, c.connections)
			}
			if err := late.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if line, err := bufio.NewReader(late).ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 ") {
				t.Errorf("who waited was answered %q, %v", line, err)
			}
		})
	}
}

// TestListenersAreMadeInOnePlace: no server is made beside pipeline/httpd, which bounds it, and every listener is one that
// TestEveryListenerHasLimits knows, or none that outlives its test.
func TestListenersAreMadeInOnePlace(t *testing.T) {
	known := map[string]bool{
		"cmd/tingke/metrics.go": true, "dashboards/serve.go": true, "pipeline/warehouse/engine/host.go": true,
		"cmd/tingke/bench_alerts.go":                 true, // the receiver of the bench, by pipeline/httpd too
		"pipeline/broker/apachekafka/apachekafka.go": true, // looks for a free port, for tests
	}
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && (name == "node_modules" || path != root && strings.HasPrefix(name, ".") && name != "..") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, _ := s.X.(*ast.Ident)
			switch {
			case pkg != nil && pkg.Name == "http" && (s.Sel.Name == "Server" || strings.HasPrefix(s.Sel.Name, "ListenAndServe")) && rel != "pipeline/httpd/httpd.go",
				(s.Sel.Name == "Listen" || s.Sel.Name == "ListenConfig") && pkg != nil && pkg.Name == "net" && !known[rel]:
				t.Errorf("%s: %s.%s: make the server with pipeline/httpd and add it to TestEveryListenerHasLimits", fset.Position(n.Pos()), pkg.Name, s.Sel.Name)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
