// Command audit says what the program is made of that others wrote: licences, whether the parts are the ones that were asked
// for, and known vulnerabilities. It is for developers and CI (make audit); it is no part of the product.
//
//	go run ./cmd/audit [-json] [-licences] [-vulndb URL]
//
// It ends with 1 where a licence does not fit, a part was changed or a vulnerability is known, and with 2 where it could not
// look. What could not be asked for want of a network is said, and is no failure: -strict makes it one.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	program = "./cmd/tingke"
	webApp  = "dashboards/web"
	// govulncheck comes by the Go proxy; its database is fetched from vulnDB, or from a copy of it.
	govulncheck = "golang.org/x/vuln/cmd/govulncheck@v1.1.4"
	vulnDB      = "https://vuln.go.dev"
)

// result of one part of the audit.
type result struct {
	Check  string `json:"check"`
	State  string `json:"state"` // ok, failed or skipped
	Detail string `json:"detail"`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, out, errs io.Writer) int {
	f := flag.NewFlagSet("audit", flag.ContinueOnError)
	f.SetOutput(errs)
	asJSON := f.Bool("json", false, "one object a line")
	only := f.Bool("licences", false, "licences only, which needs no network")
	strict := f.Bool("strict", false, "what could not be asked is a failure")
	db := f.String("vulndb", vulnDB, "database of vulnerabilities of Go: https://, or file:// and the folder of a copy")
	f.Usage = func() {
		fmt.Fprint(errs, "Usage: audit [flags]\nExample: go run ./cmd/audit -vulndb file:///srv/vulndb\n")
		f.PrintDefaults()
	}
	if err := f.Parse(args); err != nil {
		return 2
	}
	say := func(v any) {
		if *asJSON {
			_ = json.NewEncoder(out).Encode(v) // nobody reads where it fails
			return
		}
		fmt.Fprintln(out, v)
	}
	deps, err := dependencies(ctx)
	if err != nil {
		fmt.Fprintln(errs, "audit:", err)
		return 2
	}
	code := 0
	refused := 0
	for _, d := range deps {
		say(d)
		if d.Problem != "" {
			refused++
		}
	}
	results := []result{{Check: "licences", State: "ok", Detail: fmt.Sprintf("%d dependencies", len(deps))}}
	if refused > 0 {
		results[0].State, results[0].Detail = "failed", fmt.Sprintf("%d of %d dependencies are refused: replace them", refused, len(deps))
	}
	if !*only {
		results = append(results, goModVerify(ctx), npmSignatures(ctx), npmAudit(ctx), vulnerabilities(ctx, *db))
	}
	for _, r := range results {
		say(r)
		switch {
		case r.State == "failed", r.State == "skipped" && *strict:
			code = 1
		}
	}
	return code
}

func (r result) String() string {
	if r.State == "skipped" {
		return fmt.Sprintf("*** SKIPPED *** %s: %s", r.Check, r.Detail)
	}
	return fmt.Sprintf("%-7s %-20s %s", r.State, r.Check, r.Detail)
}

// dependencies lists what the built program holds: modules of Go, parts of the web app, and the engine that it loads.
func dependencies(ctx context.Context) ([]dependency, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}{{end}}", program)
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("cannot list the modules: %w", err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	slices.Sort(lines)
	var out []dependency
	for _, line := range slices.Compact(lines) {
		if line == "" {
			continue
		}
		parts := strings.Split(line, "\t")
		d := dependency{Kind: "go", Name: parts[0], Version: parts[1]}
		d.Licences, d.Problem = ofFolder(parts[2])
		out = append(out, d)
	}
	lock, err := os.ReadFile(filepath.Join(webApp, "package-lock.json"))
	if err != nil {
		return nil, err
	}
	npm, err := npmPackages(lock, filepath.Join(webApp))
	if err != nil {
		return nil, fmt.Errorf("cannot read %s/package-lock.json: %w", webApp, err)
	}
	return append(out, npm...), nil
}

// npmPackages lists what a lock file says of packages that are not for development only. The licence is that of the lock,
// else of the package in folder/node_modules.
func npmPackages(lock []byte, folder string) ([]dependency, error) {
	var file struct {
		Packages map[string]struct {
			Version, License       string
			Dev, DevOptional, Link bool
		}
	}
	if err := json.Unmarshal(lock, &file); err != nil {
		return nil, err
	}
	var out []dependency
	for path, p := range file.Packages {
		i := strings.LastIndex(path, "node_modules/")
		if i < 0 || p.Dev || p.DevOptional || p.Link {
			continue
		}
		d := dependency{Kind: "npm", Name: path[i+len("node_modules/"):], Version: p.Version}
		licence := p.License
		if licence == "" {
			var manifest struct{ License string }
			b, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(path), "package.json"))
			if err == nil && json.Unmarshal(b, &manifest) == nil {
				licence = manifest.License
			}
		}
		switch {
		case licence == "":
			d.Problem = "names no licence"
		case !allows(licence):
			d.Problem = "is " + licence + ", which does not fit a program under Apache-2.0, or is not known here"
		}
		d.Licences = []string{licence}
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b dependency) int { return strings.Compare(a.Name+" "+a.Version, b.Name+" "+b.Version) })
	return out, nil
}

// command runs a program and gives what it printed.
func command(ctx context.Context, name string, args ...string) (stdout, stderr []byte, err error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.Bytes(), errs.Bytes(), err
}

func goModVerify(ctx context.Context) result {
	r := result{Check: "go mod verify", State: "ok"}
	out, errs, err := command(ctx, "go", "mod", "verify")
	if err != nil {
		r.State = "failed"
	}
	r.Detail = lastLine(append(out, errs...))
	return r
}

// npmAnswer reads what npm prints with --json: a report, or an error that says that the registry did not answer.
func npmAnswer(r result, out []byte, failed error, findings func(report map[string]any) string) result {
	var report map[string]any
	if err := json.Unmarshal(out, &report); err != nil || report["error"] != nil || report["message"] != nil {
		r.State, r.Detail = "skipped", "the registry did not answer: run it where it does"
		for _, key := range []string{"message", "error"} {
			if text, ok := report[key].(string); ok {
				r.Detail += " (" + lastLine([]byte(text)) + ")"
			}
		}
		if failed != nil && errors.Is(failed, exec.ErrNotFound) {
			r.Detail = "npm is not installed"
		}
		return r
	}
	r.State, r.Detail = "ok", "nothing found"
	if text := findings(report); text != "" {
		r.State, r.Detail = "failed", text
	}
	return r
}

func npmAudit(ctx context.Context) result {
	out, _, err := command(ctx, "npm", "audit", "--fetch-retries=0", "--omit=dev", "--json", "--prefix", webApp)
	return npmAnswer(result{Check: "npm audit"}, out, err, func(report map[string]any) string {
		found, _ := report["vulnerabilities"].(map[string]any)
		var names []string
		for name := range found {
			names = append(names, name)
		}
		slices.Sort(names)
		return strings.Join(names, ", ")
	})
}

func npmSignatures(ctx context.Context) result {
	out, _, err := command(ctx, "npm", "audit", "signatures", "--fetch-retries=0", "--omit=dev", "--json", "--prefix", webApp)
	return npmAnswer(result{Check: "npm signatures"}, out, err, func(report map[string]any) string {
		var bad []string
		for _, key := range []string{"invalid", "missing"} {
			list, _ := report[key].([]any)
			for _, x := range list {
				if p, ok := x.(map[string]any); ok {
					bad = append(bad, fmt.Sprintf("%v: signature %s", p["name"], key))
				}
			}
		}
		return strings.Join(bad, ", ")
	})
}

// vulnerabilities asks govulncheck, whose findings are those that the program can reach.
func vulnerabilities(ctx context.Context, db string) result {
	r := result{Check: "govulncheck"}
	if err := reachable(ctx, db); err != nil {
		r.State, r.Detail = "skipped", fmt.Sprintf("no database of vulnerabilities: %v; run it where %s can be reached, or give a copy with make audit VULNDB=file:///folder", err, vulnDB)
		return r
	}
	out, errs, err := command(ctx, "go", "run", govulncheck, "-db", db, program)
	var exit *exec.ExitError
	switch {
	case err == nil:
		r.State, r.Detail = "ok", lastLine(out)
	case errors.As(err, &exit) && strings.Contains(string(out), "Vulnerability #"):
		r.State, r.Detail = "failed", strings.TrimSpace(string(out))
	default:
		r.State, r.Detail = "skipped", "govulncheck did not run: "+lastLine(errs)
	}
	return r
}

// reachable says why a database cannot be asked. Both kinds hold the file index/db.json.
func reachable(ctx context.Context, db string) error {
	u, err := url.Parse(db)
	if err != nil {
		return err
	}
	if u.Scheme == "file" {
		_, err := os.Stat(filepath.Join(u.Path, "index", "db.json"))
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(db, "/")+"/index/db.json", nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", db, res.Status)
	}
	return nil
}

func lastLine(b []byte) string {
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
