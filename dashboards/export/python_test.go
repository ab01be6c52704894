package export

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// readers is a program that opens every file with the libraries that data teams use, and prints what it saw.
const readers = `
import json, sys, pandas as pd, pyarrow as pa, pyarrow.ipc, pyarrow.parquet as pq, openpyxl
d = sys.argv[1]
out = {}
t = pq.read_table(d + "/x.parquet")
out["parquet"] = [t.num_rows, str(t.schema.field("sales").type), str(t.schema.field("day").type), float(t.to_pandas()["sales"].astype(float).sum())]
t = pa.ipc.open_file(d + "/x.arrow").read_all()
out["arrow"] = [t.num_rows, str(t.schema.field("sales").type), str(t.schema.field("day").type), float(t.to_pandas()["sales"].astype(float).sum())]
t = pa.ipc.open_stream(d + "/x.arrows").read_all()
out["arrows"] = [t.num_rows, str(t.schema.field("sales").type), str(t.schema.field("day").type), float(t.to_pandas()["sales"].astype(float).sum())]
c = pd.read_csv(d + "/x.csv", encoding="utf-8-sig")
out["csv"] = [len(c), c.columns[0], float(c[[n for n in c.columns if n.startswith("销售额")][0]].sum())]
j = pd.read_json(d + "/x.jsonl", lines=True)
out["jsonl"] = [len(j), float(j["sales"].astype(float).sum())]
w = openpyxl.load_workbook(d + "/x.xlsx").worksheets[0]
head = [x.value for x in w[4]]
at = [i for i, h in enumerate(head) if h.startswith("销售额")][0]
out["xlsx"] = [w.max_row - 4, float(sum(r[at].value for r in w.iter_rows(min_row=5))), w.freeze_panes, w.auto_filter.ref is not None,
    sum(1 for r in w.iter_rows() for x in r if x.data_type == "f")]
print(json.dumps(out))
`

// TestOtherReaders opens the files with pandas, pyarrow and openpyxl.
func TestOtherReaders(t *testing.T) {
	python := os.Getenv("TINGKE_TEST_PYTHON")
	if python == "" {
		python = "python3"
	}
	if out, err := exec.Command(python, "-c", "import pandas, pyarrow, openpyxl").CombinedOutput(); err != nil {
		t.Skipf("SKIPPED, no file is opened with pandas, pyarrow and openpyxl: %v (set TINGKE_TEST_PYTHON to a Python that has them)\n%s", err, out)
	}
	e := exporter(t)
	dir := t.TempDir()
	var rows, sales float64
	for _, name := range FormatNames() {
		j := start(t, e, Request{Dataset: "kpi", Format: mustFormat(t, name), Options: map[string][]string{"by": {"day"}}})
		if _, err := j.WriteFile(t.Context(), filepath.Join(dir, "x."+name)); err != nil {
			t.Fatal(err)
		}
		rows, sales = float64(j.Rows()), 1249.5
	}
	b, err := exec.Command(python, "-c", readers, dir).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, err.(*exec.ExitError).Stderr)
	}
	var got map[string][]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	f := func(format string, want ...any) {
		t.Helper()
		for i := range want {
			if i >= len(got[format]) || got[format][i] != want[i] {
				t.Errorf("%s: %v, want %v", format, got[format], want)
				return
			}
		}
	}
	f("parquet", rows, "decimal128(18, 4)", "date32[day]", sales)
	f("arrow", rows, "decimal128(18, 4)", "date32[day]", sales)
	f("arrows", rows, "decimal128(18, 4)", "date32[day]", sales)
	f("csv", rows, "客服", sales)
	f("jsonl", rows, sales)
	f("xlsx", rows, sales, "B5", true, 0.0)
}
