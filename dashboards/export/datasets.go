package export

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/tingke/tingke/dashboards/filter"
)

// Dataset is something that can be exported: its columns, in order, and the query that selects them by their names.
type Dataset struct {
	Name    string
	Title   Words
	Columns []Column
	// Group is the column that the export may be split by; "" for none.
	Group string
	// Options narrow the dataset beside the filter.
	Options []Option

	// filters are the names of the filters that the dataset understands; nil for all.
	filters []string
	from    func(*Request) (sql string, params []any)
	order   string
	// build completes a dataset whose columns depend on the options.
	build func(*Request, *Dataset) error
}

// Option is a choice that one dataset has.
type Option struct {
	Name     string
	Enum     []string
	Default  string
	Repeated bool // any of several values will do
	Doc      string
}

// datasets in the order in which they are shown.
var datasets = []*Dataset{opinionsData, sessionsData, hitsData, kpiData, mentionsData, turnsData}

// Datasets lists what can be exported. What it gives must not be changed.
func Datasets() []*Dataset { return datasets }

// Names are the names of the datasets.
func Names() []string {
	var out []string
	for _, d := range datasets {
		out = append(out, d.Name)
	}
	return out
}

// Find gives a dataset by its name, nil where there is none.
func Find(name string) *Dataset {
	i := slices.IndexFunc(datasets, func(d *Dataset) bool { return d.Name == name })
	if i < 0 {
		return nil
	}
	return datasets[i]
}

// Bounds of an option: bytes of a value, and values.
const (
	maxOption  = 256
	maxOptions = 50
)

// dataset finds what is asked for, checks the options and fills in their defaults.
func dataset(r *Request) (*Dataset, error) {
	found := Find(r.Dataset)
	if found == nil {
		return nil, &RequestError{"dataset", fmt.Sprintf("%q is none of %s", r.Dataset, strings.Join(Names(), ", "))}
	}
	if r.Lang != Chinese && r.Lang != English {
		return nil, &RequestError{"lang", "is neither zh nor en"}
	}
	d := *found
	options := url.Values{}
	for _, o := range d.Options {
		if o.Default != "" {
			options.Set(o.Name, o.Default)
		}
	}
	for name, values := range r.Options {
		if values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" }); len(values) == 0 {
			continue
		}
		i := slices.IndexFunc(d.Options, func(o Option) bool { return o.Name == name })
		if i < 0 {
			return nil, &RequestError{name, "is no option of " + d.Name}
		}
		o := d.Options[i]
		if len(values) > 1 && !o.Repeated || len(values) > maxOptions {
			return nil, &RequestError{name, "is given too often"}
		}
		for _, v := range values {
			switch {
			case o.Enum != nil && !slices.Contains(o.Enum, v):
				return nil, &RequestError{name, fmt.Sprintf("%q is none of %s", v, strings.Join(o.Enum, ", "))}
			case len(v) > maxOption || !utf8.ValidString(v):
				return nil, &RequestError{name, fmt.Sprintf("is longer than %d bytes or no UTF-8", maxOption)}
			}
		}
		options[name] = values
	}
	r.Options = options
	if d.filters != nil {
		for name := range r.Filter.Query() {
			if !slices.Contains(d.filters, name) {
				return nil, &RequestError{name, fmt.Sprintf("is no filter of %s; it takes %s", d.Name, strings.Join(d.filters, ", "))}
			}
		}
	}
	if d.build != nil {
		if err := d.build(r, &d); err != nil {
			return nil, err
		}
	}
	return &d, nil
}

// describe makes the title and the lines below it: the period, the filters and who made it when.
func (j *Job) describe(ctx context.Context) error {
	lang, f := j.r.Lang, j.r.Filter
	from, to := f.Get("from"), f.Get("to")
	if from == "" || to == "" {
		// Of an open period people want to know what it came to.
		where, params := f.Where()
		var first, last *time.Time
		row := j.e.o.DB.QueryRow(ctx, "SELECT minOrNull(day), maxOrNull(day) FROM sessions WHERE "+where, params...)
		if err := row.Scan(&first, &last); err != nil {
			return fmt.Errorf("cannot find the period of %s: %w", j.d.Name, err)
		}
		if from == "" && first != nil {
			from = first.Format(time.DateOnly)
		}
		if to == "" && last != nil {
			to = last.Format(time.DateOnly)
		}
	}
	j.r.asOf = j.e.o.Now().In(j.e.o.Timezone).Format(time.DateOnly)
	if j.r.from, j.r.to = from, to; from == "" || to == "" {
		j.r.from, j.r.to = j.r.asOf, j.r.asOf // there is nothing at all
	}
	j.title = j.d.Title.In(lang)
	if from != "" && to != "" {
		j.title += " " + from + Words{" 至 ", " to "}[lang] + to
	}
	j.about = []string{j.filterLine()}
	made := fmt.Sprintf(Words{"导出时间 %s（时区 %s）", "Exported at %s (time zone %s)"}[lang], j.e.o.Now().In(j.e.o.Timezone).Format("2006-01-02 15:04"), j.e.o.Timezone)
	if j.r.By != "" {
		made += Words{"，导出人 ", " by "}[lang] + j.r.By
	}
	j.about = append(j.about, made+Words{"；各列含义与单位见“说明”工作表", "; the sheet “Notes” explains the columns"}[lang])
	return nil
}

// filterLine says what the rows were narrowed to.
func (j *Job) filterLine() string {
	lang := j.r.Lang
	var parts []string
	q := j.r.Filter.Query()
	for _, field := range filter.Fields() {
		values := q[field.Name]
		if len(values) == 0 || field.Name == "from" || field.Name == "to" {
			continue
		}
		for i, v := range values {
			switch {
			case v == filter.None:
				values[i] = Words{"（空）", "(none)"}[lang]
			case field.Type == "bool":
				values[i] = map[bool]Words{true: {"是", "yes"}, false: {"否", "no"}}[v == "1"].In(lang)
			default:
				values[i] = label(lang, j.e.o.RuleNames, field.Name, v)
			}
		}
		parts = append(parts, filterName(lang, field.Name)+Words{"：", ": "}[lang]+strings.Join(values, Words{"、", ", "}[lang]))
	}
	for _, o := range j.d.Options {
		values := slices.Clone(j.r.Options[o.Name])
		if len(values) == 0 || values[0] == o.Default {
			continue
		}
		for i, v := range values {
			if values[i] = label(lang, nil, o.Name, v); v == filter.None {
				values[i] = Words{"（空）", "(none)"}[lang]
			}
		}
		parts = append(parts, filterName(lang, o.Name)+Words{"：", ": "}[lang]+strings.Join(values, Words{"、", ", "}[lang]))
	}
	if len(parts) == 0 {
		return Words{"筛选：无（全部数据）", "Filter: none (everything)"}[lang]
	}
	return Words{"筛选：", "Filter: "}[lang] + strings.Join(parts, Words{"；", "; "}[lang])
}

var filterNames = map[string]Words{
	"state": {"状态", "state"}, "flagged": {"需复核", "flagged"}, "severity": {"严重程度", "severity"}, "channel": {"渠道", "channel"}, "shop": {"店铺", "shop"},
	"business": {"业务", "business"}, "team": {"团队", "team"}, "agent": {"客服", "agent"}, "customer": {"客户", "customer"}, "score_min": {"最低分", "lowest score"},
	"score_max": {"最高分", "highest score"}, "rule": {"规则", "rule"}, "decision": {"复核结果", "decision"}, "emotion": {"客户情绪", "customer emotion"},
	"opinion": {"观点", "opinion"}, "kind": {"诉求类型", "kind"}, "aspect": {"方面", "aspect"}, "product": {"商品", "product"}, "q": {"搜索", "search"},
	"status": {"处理状态", "status"}, "trend": {"趋势", "trend"}, "department": {"部门", "department"}, "owner": {"负责人", "owner"},
	"level": {"维度", "level"}, "by": {"粒度", "by"}, "profile": {"口径", "profile"}, "role": {"角色", "role"}, "valuable": {"有价值", "valuable"}, "polarity": {"情感", "polarity"}, "breaches": {"只看违规", "breaches only"},
}

func filterName(l Lang, name string) string {
	if w, ok := filterNames[name]; ok {
		return w.In(l)
	}
	return name
}

// optional is a condition on a column where an option is set, with its parameter.
func optional(r *Request, option, column string) (string, []any) {
	values := slices.Clone(r.Options[option])
	if len(values) == 0 {
		return "1", nil
	}
	for i, v := range values {
		if v == filter.None {
			values[i] = ""
		}
	}
	return column + " IN {o_" + option + ":Array(String)}", []any{clickhouse.Named("o_"+option, values)}
}

// Takes says whether the dataset understands a filter.
func (d *Dataset) Takes(name string) bool {
	return d.filters == nil || slices.Contains(d.filters, name)
}

// Described are the columns that the dataset has with its default options.
func (d *Dataset) Described() []Column {
	if d.build == nil {
		return d.Columns
	}
	c := *d
	r := Request{Options: url.Values{}}
	for _, o := range d.Options {
		r.Options.Set(o.Name, o.Default)
	}
	if err := d.build(&r, &c); err != nil {
		return nil
	}
	return c.Columns
}
