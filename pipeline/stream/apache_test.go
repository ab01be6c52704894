//go:build faults

package stream

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/tingke/tingke/pipeline/broker/apachekafka"
)

// TestMain runs the tests of this package against a real Apache Kafka of their own, or against the servers of
// KAFKA_BROKERS. Without the build tag they run against the embedded broker.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		if os.Getenv("KAFKA_BROKERS") != "" {
			return m.Run()
		}
		dir, err := os.MkdirTemp("", "apachekafka-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		k, err := apachekafka.Start(ctx, dir)
		if errors.Is(err, apachekafka.ErrMissing) {
			fmt.Fprintln(os.Stderr, "SKIPPED: the stream worker is NOT tested against real Apache Kafka:", err)
			return 0
		} else if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer k.Stop()
		if err := os.Setenv("KAFKA_BROKERS", k.Addr); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Printf("against Apache Kafka %s on %s\n", apachekafka.Version, k.Addr)
		return m.Run()
	}())
}
