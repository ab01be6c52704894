package apachekafka

import (
	"errors"
	"testing"

	"context"
)

// TestMissing: without Java the reason names what to install.
func TestMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := Start(context.Background(), t.TempDir()); !errors.Is(err, ErrMissing) {
		t.Errorf("Start gives %v, want ErrMissing", err)
	}
}

// TestPortsDiffer: two ports asked for at once are two ports.
func TestPortsDiffer(t *testing.T) {
	p, err := freePorts(2)
	if err != nil || p[0] == p[1] {
		t.Errorf("ports %v, %v", p, err)
	}
}
