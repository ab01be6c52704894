package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	mit  = "Copyright (c) 2026 X\n\nPermission is hereby granted, free of charge, to any person obtaining a copy of this software, to deal\n * in it without restriction, subject to: The above copyright notice and this permission notice shall be included."
	bsd2 = "Redistribution and use in source and binary forms, with or without\n// modification, are permitted: 1. Redistributions of source code must retain the above copyright notice."
	bsd3 = bsd2 + " Neither the name of X may be used to endorse or promote products."
	agpl = "                    GNU AFFERO GENERAL PUBLIC LICENSE\n                       Version 3, 19 November 2007\n"
	gpl  = "GNU GENERAL PUBLIC LICENSE\nVersion 2, June 1991\n"
	lgpl = "GNU LESSER GENERAL PUBLIC LICENSE\nVersion 2.1\nas a successor of the GNU Library Public License\n"
)

func TestIdentify(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		if got := identify(text); !slices.Equal(got, want) {
			t.Errorf("%.60q: %v, want %v", text, got, want)
		}
	}
	f(mit, "MIT")
	f(bsd2, "BSD-2-Clause")
	f(bsd3, "BSD-3-Clause")
	f(mit+"\n\nParts are under this one:\n"+bsd3, "BSD-3-Clause", "MIT")
	f(agpl, "AGPL-3.0")
	f(gpl, "GPL")
	f(lgpl, "LGPL")
	f(mit+strings.Repeat(" more", 200)+"\nNot under the GNU General Public License, version 2.", "MIT")
	f("\"Commons Clause\" License Condition v1.0\n"+mit, "Commons-Clause", "MIT")
	f("Business Source License 1.1", "BUSL-1.1")
	f("All rights reserved.")
	own, err := os.ReadFile("../../LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	f(string(own), "Apache-2.0")
}

// TestFoldersThatDoNotFit: a module is refused for what its licence says, and for saying nothing.
func TestFoldersThatDoNotFit(t *testing.T) {
	f := func(want string, files ...string) {
		t.Helper()
		dir := t.TempDir()
		for i := 0; i < len(files); i += 2 {
			path := filepath.Join(dir, files[i])
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(files[i+1]), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		licences, problem := ofFolder(dir)
		if problem != want && (want == "" || !strings.Contains(problem, want)) {
			t.Errorf("%q: %v, %q, want %q", files, licences, problem, want)
		}
	}
	f("", "LICENSE", mit)
	f("", "LICENSE.md", mit, "deps/other/COPYING", bsd2)
	f("", "LICENSE", mit, "testdata/LICENSE", agpl)
	f("", "LICENSE", mit, "license.go", "package license")
	f("", "UNLICENSE", "This is free and unencumbered software released into the public domain.")
	f("is AGPL-3.0", "LICENSE", agpl)
	f("is GPL", "COPYING", gpl)
	f("is LGPL", "LICENCE.txt", lgpl)
	f("is GPL", "LICENSE", mit, "third_party/lib/LICENSE", gpl)
	f("is Commons-Clause", "LICENSE", "Commons Clause\n"+mit)
	f("not known here: LICENSE", "LICENSE", "All rights reserved.")
	f("has no licence file", "README.md", mit)
	f("has no licence file", "vendor/x/LICENSE", mit)
}

func TestAllows(t *testing.T) {
	f := func(expression string, want bool) {
		t.Helper()
		if got := allows(expression); got != want {
			t.Errorf("%q: %v, want %v", expression, got, want)
		}
	}
	f("MIT", true)
	f("(MIT OR GPL-3.0-only)", true)
	f("GPL-3.0-only OR (BSD-3-Clause AND MIT)", true)
	f("MIT AND GPL-3.0-only", false)
	f("(MIT AND (GPL-2.0 OR AGPL-3.0))", false)
	f("Apache-2.0 WITH LLVM-exception", true)
	f("GPL-2.0 WITH Classpath-exception-2.0", false)
	f("AGPL-3.0-or-later", false)
	f("SEE LICENSE IN LICENSE.txt", false)
	f("UNLICENSED", false)
	f("(MIT", false)
	f("", false)
}

func TestNPMPackages(t *testing.T) {
	lock := `{"packages": {
		"": {"version": "1.0.0", "license": "UNLICENSED"},
		"node_modules/good": {"version": "1.0.0", "license": "MIT"},
		"node_modules/good/node_modules/@deep/bad": {"version": "2.0.0", "license": "AGPL-3.0-only"},
		"node_modules/silent": {"version": "3.0.0"},
		"node_modules/told": {"version": "3.1.0"},
		"node_modules/tool": {"version": "4.0.0", "license": "GPL-3.0", "dev": true}
	}}`
	folder := t.TempDir()
	told := filepath.Join(folder, "node_modules", "told")
	if err := os.MkdirAll(told, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(told, "package.json"), []byte(`{"license": "ISC"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := npmPackages([]byte(lock), folder)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, d := range got {
		lines = append(lines, d.Name+": "+d.Problem)
	}
	want := []string{"@deep/bad: is AGPL-3.0-only, which does not fit a program under Apache-2.0, or is not known here", "good: ", "silent: names no licence", "told: "}
	if !slices.Equal(lines, want) {
		t.Errorf("%q, want %q", lines, want)
	}
}

// TestNPMAnswers: a registry that does not answer is told from one that found something.
func TestNPMAnswers(t *testing.T) {
	found := func(report map[string]any) string {
		if list, _ := report["vulnerabilities"].(map[string]any); len(list) > 0 {
			return "found"
		}
		return ""
	}
	f := func(out string, failed error, state, detail string) {
		t.Helper()
		if got := npmAnswer(result{}, []byte(out), failed, found); got.State != state || !strings.Contains(got.Detail, detail) {
			t.Errorf("%q: %+v, want %s, %q", out, got, state, detail)
		}
	}
	f(`{"vulnerabilities": {}}`, nil, "ok", "nothing found")
	f(`{"vulnerabilities": {"x": {}}}`, &exec.ExitError{}, "failed", "found")
	f(`{"message": "request failed\n405 Method Not Allowed"}`, &exec.ExitError{}, "skipped", "405")
	f(`{"error": {"summary": "no"}}`, &exec.ExitError{}, "skipped", "did not answer")
	f("", exec.ErrNotFound, "skipped", "npm is not installed")
	if s := (result{Check: "npm audit", State: "skipped"}).String(); !strings.Contains(s, "*** SKIPPED ***") {
		t.Errorf("what was skipped says so quietly: %s", s)
	}
}
