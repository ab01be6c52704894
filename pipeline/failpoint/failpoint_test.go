package failpoint

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

func TestParse(t *testing.T) {
	f := func(in string, name Name, nth int64, problem string) {
		t.Helper()
		p, err := parse(in)
		if problem != "" {
			if err == nil || !strings.Contains(err.Error(), problem) {
				t.Errorf("parse(%q) gives error %v, want one with %q", in, err, problem)
			}
			return
		}
		if err != nil {
			t.Errorf("parse(%q): %v", in, err)
		} else if p == nil && name != "" || p != nil && (p.name != name || p.nth != nth) {
			t.Errorf("parse(%q) = %+v", in, p)
		}
	}
	f("", "", 0, "")
	f("after-commit", AfterCommit, 1, "")
	f("after-commit:7", AfterCommit, 7, "")
	f("after-comit", "", 0, "unknown failpoint")
	f("after-commit:0", "", 0, "number from 1")
	f("after-commit:x", "", 0, "number from 1")
}

// TestHit kills a child process, which is this test binary, at its third visit.
func TestHit(t *testing.T) {
	if os.Getenv(Env) != "" {
		for i := range 5 {
			Hit(AfterDecode)
			Hit(AfterCommit)
			os.Stdout.WriteString(strings.Repeat("x", i+1) + "\n")
		}
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^TestHit$")
	cmd.Env = append(os.Environ(), Env+"="+string(AfterCommit)+":3")
	out, err := cmd.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the child ended with %v, want SIGKILL", err)
	}
	if got := string(out); got != "x\nxx\n" {
		t.Errorf("the child printed %q before it died", got)
	}
}
