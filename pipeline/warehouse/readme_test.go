package warehouse

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the columns of the views into schemas/README.md")

const readme = "../../schemas/README.md"

func TestReadmeListsEveryColumn(t *testing.T) {
	w := migrated(t)
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	got := string(text)
	for _, v := range PublicViews() {
		begin, end := "<!-- columns "+v.Name+" -->\n", "<!-- end -->"
		head, rest, ok := strings.Cut(got, begin)
		_, tail, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			t.Errorf("%s: no place for the columns of %s (%s)", readme, v.Name, strings.TrimSpace(begin))
			continue
		}
		if v.Parameters != nil { // these carry no comments; people write the table
			section, _, _ := strings.Cut(rest, end)
			for _, c := range v.Columns {
				if !strings.Contains(section, "| `"+c+"` |") {
					t.Errorf("%s: column %s of %s is missing", readme, c, v.Name)
				}
			}
			continue
		}
		var b strings.Builder
		b.WriteString("| column | type | meaning |\n|---|---|---|\n")
		rows, err := w.Conn().Query(context.Background(), "SELECT name, type, comment FROM system.columns WHERE database = currentDatabase() AND table = '"+v.Name+"' ORDER BY position")
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var name, typ, comment string
			if err := rows.Scan(&name, &typ, &comment); err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(typ, "Enum8") {
				typ = "Enum8"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", name, typ, comment)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
		got = head + begin + b.String() + end + tail
	}
	if got == string(text) {
		return
	}
	if *update {
		if err := os.WriteFile(readme, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s does not list the columns as they are; run: go test ./pipeline/warehouse -run Readme -update", readme)
}

func TestReadmeQueriesRun(t *testing.T) {
	w := migrated(t)
	write(t, w, sample("s1"), sample("s2"))
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 10 {
		t.Fatalf("%d sample queries, want at least 10", len(blocks))
	}
	for _, b := range blocks {
		rows, err := w.UserQuery(context.Background(), b[1], Limits{})
		if err != nil {
			t.Errorf("%s\n%v", b[1], err)
			continue
		}
		for rows.Next() {
			if _, err := rows.Values(); err != nil {
				t.Errorf("%s\n%v", b[1], err)
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Errorf("%s\n%v", b[1], err)
		}
	}
}
