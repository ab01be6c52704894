//go:build !unix

package engine

import (
	"errors"
	"os"
)

func takeLock(string) (*os.File, error) {
	return nil, errors.New("the embedded engine exists for Linux and macOS only; set CLICKHOUSE_DSN to use a server")
}
