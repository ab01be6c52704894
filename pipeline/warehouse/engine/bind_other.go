//go:build !linux && !darwin

package engine

import (
	"fmt"
	"runtime"
)

func bind(string, []symbol) ([]string, error) {
	return nil, fmt.Errorf("the embedded engine exists for Linux and macOS, not for %s; set CLICKHOUSE_DSN to use a server", runtime.GOOS)
}
