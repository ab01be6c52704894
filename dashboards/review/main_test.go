package review

import (
	"os"
	"testing"

	"github.com/tingke/tingke/pipeline/warehouse/warehousetest"
)

func TestMain(m *testing.M) { os.Exit(warehousetest.Main(m)) }
