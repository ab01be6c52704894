package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// TestMentionsFromEndToEnd runs the seed cases through the program: kind, aspect, value, product and department, and a
// department that the configuration changes.
func TestMentionsFromEndToEnd(t *testing.T) {
	dir := t.TempDir()
	products := writeFile(t, "products.yaml", "products:\n  - {name: 面膜A, aliases: [A款], shop: 花漾}\n  - {name: 面膜B, aliases: [B款], shop: 花漾}\n")
	config := writeFile(t, "tingke.yaml", "nlp: {products: '"+filepath.ToSlash(products)+"'}\ndepartments: {price: 定价}\n")
	session := `{"session_id":"s1","shop":"花漾","turns":[
		{"role":"customer","text":"为什么面膜B比面膜A贵了一百多块钱？"},{"role":"agent","text":"B款含有进口精华哦"},
		{"role":"customer","text":"面膜B这么贵，它贵在哪里？"},{"role":"agent","text":"亲，面膜B的精华含量更高"},
		{"role":"customer","text":"太差了"},{"role":"agent","text":"抱歉，您说的是面膜B吗"},
		{"role":"customer","text":"你们的面膜太硬了，用起来不舒服"}]}`
	path := writeFile(t, "s.jsonl", strings.Join(strings.Fields(session), " ")+"\n")
	out, stderr, code := tingke(t, "", "--dir", dir, "--config", config, "analyze", "--json", path)
	if code != 0 {
		t.Fatalf("code %d: %s", code, stderr)
	}
	var got struct {
		Mentions []struct {
			Turn                                              int
			Text, Kind, Aspect, Product, Polarity, Department string
			Valuable                                          bool
		}
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	by := map[int]string{}
	for _, m := range got.Mentions {
		s := m.Kind + " " + m.Aspect + " " + m.Product + " " + m.Department
		if m.Valuable {
			s += " valuable"
		}
		by[m.Turn] += s + ";"
	}
	f := func(turn int, want string) {
		t.Helper()
		if by[turn] != want {
			t.Errorf("turn %d: got %q, want %q", turn, by[turn], want)
		}
	}
	f(1, "question price 面膜B 定价 valuable;")
	f(3, "question price 面膜B 定价 valuable;")
	f(5, "complaint quality 面膜B 产品;")
	f(7, "complaint quality  产品 valuable;")
}
