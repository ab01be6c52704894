package export

import (
	"strings"
	"testing"
)

func TestDisarm(t *testing.T) {
	f := func(in string, wantSafe bool) {
		t.Helper()
		out := Disarm(in)
		if (out == in) != wantSafe {
			t.Errorf("Disarm(%q) = %q, changed is wrong", in, out)
		}
		if Rearm(out) != in {
			t.Errorf("Rearm(Disarm(%q)) = %q", in, Rearm(out))
		}
	}
	for _, s := range []string{"=1+1", "+cmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!A0", "@SUM(1)", "\t=1", "\r=1", "\n=1", "\tx", "＝1+1", "＋1+1", "－1＋1", "＠SUM(1)",
		"﹦1", " =1", "　=1", "\u00a0=1", "\u200b=1", "\ufeff=1", "\x00=1", "- 不好用", "@小美 在吗", "'=1+1", "''=1", "=HYPERLINK(\"http://x\")"} {
		f(s, false)
	}
	for _, s := range []string{"", "面膜", "-5", "+86", "-12.5", "+3.5%", "1=2", "a@b.c", "'", "'quoted'", "价格-贵", "5-3", "（=1）", "～", "…", "—— 谢谢"} {
		f(s, true)
	}
}

func FuzzDisarm(f *testing.F) {
	for _, s := range []string{"=1", "'=1", "-5", "\t", "＝", "''@x", "' '=", "\xff=", "\u200d+1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := Disarm(s)
		if risky(out) {
			t.Errorf("Disarm(%q) = %q can still be a formula", s, out)
		}
		if Rearm(out) != s {
			t.Errorf("Rearm(%q) = %q, want %q", out, Rearm(out), s)
		}
		if len(out) > len(s)+1 || !strings.HasSuffix(out, s) {
			t.Errorf("Disarm(%q) = %q spoils the text", s, out)
		}
	})
}
