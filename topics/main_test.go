package topics_test

import (
	"os"
	"testing"

	"stocksync/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }
