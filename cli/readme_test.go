package cli_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"stocksync/testenv"
	"stocksync/topics"
)

// Ensure the commands that README.md gives for a Kafka of one's own do what they are said to, in that order.
func TestReadme_CommandsRunInTheirOrder(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```\nexport KAFKA_BROKERS=[^\n]*\n(.*?)```").FindStringSubmatch(string(readme))
	if block == nil {
		t.Fatal("README.md shows no commands")
	}
	c := testenv.StartKfake(t, func(k *testenv.KfakeConfig) {
		k.Configs = map[string]string{"log.cleaner.backoff.ms": "86400000"} // it heeds no open transaction
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dir, binary := t.TempDir(), testenv.Binary(t)
	ledger := "line_id,version,sku,warehouse,qty,effective_at\n1,1,A001,JKT,40,2026-01-30\n"
	if err := os.WriteFile(filepath.Join(dir, "ledger.csv"), []byte(ledger), 0o600); err != nil {
		t.Fatal(err)
	}
	var ran []string
	for line := range strings.Lines(block[1]) {
		command, _, _ := strings.Cut(strings.TrimSpace(line), "#")
		args, ok := strings.CutPrefix(strings.TrimSpace(command), "stocksync ")
		if !ok {
			t.Fatalf("README.md has the command %q", command)
		}
		ran = append(ran, args)
		p := testenv.StartProcess(t, testenv.ProcessConfig{
			Args: strings.Fields(args), Env: map[string]string{"KAFKA_BROKERS": c.Brokers[0]}, Dir: dir, Binary: binary,
		})
		if args == "run" {
			if err := p.WaitReady(ctx); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if code, err := p.Wait(ctx); code != 0 || err != nil {
			t.Fatalf("stocksync %s: exit code %d, %v: %s", args, code, err, p.Log())
		}
		if strings.HasPrefix(args, "load ") {
			if err := testenv.WaitQuiet(ctx, c, topics.DefaultPrefix); err != nil {
				t.Fatal(err)
			}
		}
		if strings.HasPrefix(args, "explain ") && !strings.Contains(p.Stdout(), "Actual 40, Reserved 0, Available 40") {
			t.Errorf("stocksync %s: %s", args, p.Stdout())
		}
	}
	if len(ran) < 6 {
		t.Errorf("README.md shows %q only", ran)
	}
}
