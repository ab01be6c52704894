package schemas

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// Migration is one numbered file of ClickHouse statements. Every statement may run again without harm. The text has
// the placeholders {{timezone}}, {{replicated}} and {{fsync}}, which whoever applies it fills in.
type Migration struct {
	Number   int
	Name     string // file name, such as 0001_tables.sql
	SQL      string
	Checksum string // SHA-256 of SQL, hex
}

// Migrations lists the embedded migrations by number. Numbers are without gap or repeat; a released file never
// changes, a change is a new file.
func Migrations() []Migration {
	files, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		panic(err) // the pattern is constant
	}
	slices.Sort(files)
	out := make([]Migration, 0, len(files))
	for i, file := range files {
		text, err := migrationFiles.ReadFile(file)
		if err != nil {
			panic(err) // embedded
		}
		name := strings.TrimPrefix(file, "migrations/")
		digits, _, _ := strings.Cut(name, "_")
		n, err := strconv.Atoi(digits)
		if err != nil || n != i+1 {
			panic(fmt.Sprintf("schemas: migration %s: want number %04d", name, i+1))
		}
		sum := sha256.Sum256(text)
		out = append(out, Migration{Number: n, Name: name, SQL: string(text), Checksum: hex.EncodeToString(sum[:])})
	}
	return out
}
