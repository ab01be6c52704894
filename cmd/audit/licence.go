package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// fits are the licences, by SPDX id, under which code may be part of a program that is Apache-2.0 as a whole and given to
// others. MPL-2.0 asks for the source of its own files only, and they are unchanged.
var fits = map[string]bool{
	"MIT": true, "MIT-0": true, "BSD-2-Clause": true, "BSD-3-Clause": true, "0BSD": true, "ISC": true, "Apache-2.0": true, "Zlib": true,
	"Unlicense": true, "CC0-1.0": true, "BSL-1.0": true, "BlueOak-1.0.0": true, "Python-2.0": true, "MPL-2.0": true, "Unicode-3.0": true,
}

// known tells a licence by phrases that all stand in its text, in small letters and with single blanks; a narrower one comes
// before the wider that it holds.
var known = []struct {
	id      string
	phrases []string
}{
	{"AGPL-3.0", []string{"gnu affero general public license"}},
	{"LGPL", []string{"gnu lesser general public license", "version"}},
	{"LGPL-2.0", []string{"gnu library general public license"}},
	{"GPL", []string{"gnu general public license", "version"}},
	{"SSPL-1.0", []string{"server side public license"}},
	{"BUSL-1.1", []string{"business source license"}},
	{"Elastic-2.0", []string{"elastic license"}},
	{"Commons-Clause", []string{"commons clause"}},
	{"MPL-2.0", []string{"mozilla public license", "2.0"}},
	{"Apache-2.0", []string{"apache license", "version 2.0"}},
	{"BSL-1.0", []string{"boost software license"}},
	{"BlueOak-1.0.0", []string{"blue oak model license"}},
	{"Unicode-3.0", []string{"unicode license v3"}},
	{"CC0-1.0", []string{"cc0 1.0 universal"}},
	{"Unlicense", []string{"this is free and unencumbered software released into the public domain"}},
	{"Zlib", []string{"altered source versions must be plainly marked as such"}},
	{"ISC", []string{"permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted, provided that the above copyright notice"}},
	{"ISC", []string{"permission to use, copy, modify, and distribute this software for any purpose with or without fee is hereby granted, provided that the above copyright notice"}},
	{"0BSD", []string{"permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted."}},
	{"BSD-3-Clause", []string{"redistribution and use in source and binary forms", "may be used to endorse or promote products"}},
	{"BSD-2-Clause", []string{"redistribution and use in source and binary forms", "redistributions of source code must retain"}},
	{"MIT", []string{"permission is hereby granted, free of charge, to any person obtaining a copy", "the above copyright notice and this permission notice"}},
	{"MIT-0", []string{"permission is hereby granted, free of charge, to any person obtaining a copy", "without restriction"}},
}

var blanks = regexp.MustCompile(`[\s*#/>]+`)

// within are licences whose text holds that of another.
var within = map[string]string{"BSD-2-Clause": "BSD-3-Clause", "MIT-0": "MIT"}

// identify gives the SPDX ids of the licences in a text, none where it knows none. A licence of the GNU family is looked for at
// the beginning only, because others mention those.
func identify(text string) []string {
	text = strings.TrimSpace(blanks.ReplaceAllString(strings.ToLower(text), " "))
	head := text[:min(len(text), 600)]
	var out []string
	for _, k := range known {
		where := text
		gnu := strings.Contains(k.phrases[0], "gnu ")
		if gnu {
			where = head
		}
		if slices.Contains(out, k.id) || slices.ContainsFunc(k.phrases, func(p string) bool { return !strings.Contains(where, p) }) {
			continue
		}
		if wider, ok := within[k.id]; ok && slices.Contains(out, wider) {
			continue
		}
		out = append(out, k.id)
		if gnu {
			return out // the others of the family are mentioned in it
		}
	}
	return out
}

// dependency is a part of the program that others wrote.
type dependency struct {
	Kind     string   `json:"kind"` // go or npm
	Name     string   `json:"name"`
	Version  string   `json:"version"`
	Licences []string `json:"licences"`
	Problem  string   `json:"problem,omitempty"`
}

var licenceName = regexp.MustCompile(`(?i)^(un)?(licen[sc]e|copying)([-._].*)?$`)

// ofFolder finds the licences of a module: the files in its folder, and those of foreign parts deeper in it.
func ofFolder(dir string) (licences []string, problem string) {
	var unknown []string
	root := false
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if path != dir && (d.Name() == "testdata" || d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_")) {
				return filepath.SkipDir // the compiler takes nothing from there
			}
			return nil
		}
		if !d.Type().IsRegular() || !licenceName.MatchString(d.Name()) || strings.HasSuffix(d.Name(), ".go") {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		root = root || !strings.ContainsRune(rel, filepath.Separator)
		ids := identify(string(b))
		if len(ids) == 0 {
			unknown = append(unknown, rel)
		}
		licences = append(licences, ids...)
		return nil
	})
	slices.Sort(licences)
	licences = slices.Compact(licences)
	switch {
	case err != nil:
		return licences, "cannot read its folder: " + err.Error()
	case !root:
		return licences, "has no licence file"
	case len(unknown) > 0:
		return licences, "has a licence that is not known here: " + strings.Join(unknown, ", ")
	}
	for _, id := range licences {
		if !fits[id] {
			return licences, "is " + id + ", which does not fit a program under Apache-2.0"
		}
	}
	return licences, ""
}

// allows says whether an SPDX expression, as package.json has it, leaves a licence that fits.
func allows(expression string) bool {
	tokens := regexp.MustCompile(`\(|\)|[^\s()]+`).FindAllString(expression, -1)
	i := 0
	next := func() string {
		if i < len(tokens) {
			i++
			return tokens[i-1]
		}
		return ""
	}
	var or func() bool
	one := func() bool {
		t := next()
		if t != "(" {
			ok := fits[t]
			if i+1 < len(tokens) && strings.EqualFold(tokens[i], "WITH") { // an exception grants more, never less
				i += 2
			}
			return ok
		}
		ok := or()
		return next() == ")" && ok
	}
	and := func() bool {
		ok := one()
		for i < len(tokens) && strings.EqualFold(tokens[i], "AND") {
			i++
			ok = one() && ok
		}
		return ok
	}
	or = func() bool {
		ok := and()
		for i < len(tokens) && strings.EqualFold(tokens[i], "OR") {
			i++
			ok = and() || ok
		}
		return ok
	}
	ok := or()
	return ok && i == len(tokens)
}

func (d dependency) String() string {
	s := fmt.Sprintf("%-4s %-50s %-24s %s", d.Kind, d.Name, d.Version, strings.Join(d.Licences, ", "))
	if d.Problem != "" {
		s += "\n     REFUSED: " + d.Problem
	}
	return s
}
