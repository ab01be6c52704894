package rules

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// TestReadmeExamplesRun: every example of the manual is a whole pack whose tests hold, and every logic word has one.
func TestReadmeExamplesRun(t *testing.T) {
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := ""
	for i, m := range yamlBlock.FindAllSubmatch(b, -1) {
		name := fmt.Sprintf("README example %d", i+1)
		shown += string(m[1])
		s, err := Load(Text(name, m[1]))
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		for _, w := range s.Warnings() {
			t.Errorf("%v", w)
		}
		for _, r := range s.Test(Literal{}) {
			if !r.OK {
				t.Errorf("%s:%d: rule %s, test %s: %s", r.File, r.Line, r.Rule, r.Name, r.Diff)
			}
		}
	}
	for word := range logicKeys {
		if !strings.Contains(shown, word+":") {
			t.Errorf("logic word %s has no example", word)
		}
	}
}
