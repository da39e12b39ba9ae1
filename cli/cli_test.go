package cli_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"stocksync/cli"
	"stocksync/testenv"
)

// result is what one call of the program left behind.
type result struct {
	code           int
	stdout, stderr string
}

// config returns the settings of a test: the defaults, and a state directory of its own.
func config(t *testing.T) cli.Config {
	t.Helper()
	jakarta, err := time.LoadLocation("Asia/Jakarta")
	if err != nil {
		t.Fatal(err)
	}
	return cli.Config{
		Kafka:       cli.Kafka{Brokers: []string{"127.0.0.1:1"}},
		TopicPrefix: "test.", Partitions: 4, SinkPartitions: 2, ReplicationFactor: -1,
		InstanceID: "test", StateDir: t.TempDir(), HTTPAddr: "127.0.0.1:0", ReadyMaxLag: time.Minute,
		ProcessorWorkers: 1, CommitInterval: 10 * time.Millisecond, CommitMaxRecords: 1000, MaxRecordBytes: 1 << 20,
		ReturnsReserve: true, Timezone: jakarta, AllowPrivateURLs: true, LogLevel: slog.LevelInfo, LogFormat: "json",
	}
}

// run calls the program with these settings and arguments.
func run(t *testing.T, cfg cli.Config, args ...string) result {
	t.Helper()
	return runInput(t, cfg, nil, args...)
}

// runInput is run with a standard input.
func runInput(t *testing.T, cfg cli.Config, stdin io.Reader, args ...string) result {
	t.Helper()
	return runContext(t.Context(), cfg, stdin, args...)
}

func runContext(ctx context.Context, cfg cli.Config, stdin io.Reader, args ...string) result {
	var stdout, stderr bytes.Buffer
	code := cli.Main(ctx, cli.Program{
		Args: args, Stdin: stdin, Stdout: &stdout, Stderr: &stderr,
		Config: func() (cli.Config, error) { return cfg, nil },
		Settings: func(values bool) ([]cli.Setting, error) {
			s := cli.Setting{Name: "KAFKA_BROKERS", Default: "localhost:9092", Meaning: "Bootstrap list."}
			if values {
				s.Value = strings.Join(cfg.Kafka.Brokers, ",")
			}
			return []cli.Setting{s}, nil
		},
	})
	return result{code, stdout.String(), stderr.String()}
}

// want checks the exit code and that the outputs hold these texts: "1:..." in standard output, "2:..." in standard
// error.
func (r result) want(t *testing.T, code int, texts ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d", r.code, code)
	}
	for _, text := range texts {
		where, text := text[:1], text[2:]
		out := map[string]string{"1": r.stdout, "2": r.stderr}[where]
		if !strings.Contains(out, text) {
			t.Errorf("stream %s lacks %q", where, text)
		}
	}
	if t.Failed() {
		t.Fatalf("stdout:\n%s\nstderr:\n%s", r.stdout, r.stderr)
	}
}

// write makes a file in a directory of the test.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestMain_ExitsTwoForWrongUsage(t *testing.T) {
	cases := map[string][]string{
		"unknown command":             {"bogus"},
		"unknown command with flags":  {"lod", "--topic", "orders"},
		"unknown flag":                {"summary", "--bogus"},
		"missing flag":                {"load", "x.csv"},
		"missing argument":            {"explain"},
		"too many arguments":          {"explain", "a", "b", "c"},
		"missing subcommand":          {"topics"},
		"unknown subcommand":          {"topics", "bogus"},
		"value out of range":          {"summary", "--limit", "-1"},
		"negative limit":              {"audit", "--limit", "-1"},
		"empty sku":                   {"audit", "--sku", ""},
		"value of an enumeration":     {"summary", "--sort", "colour"},
		"topic that takes no files":   {"load", "--topic", "availability", "x.csv"},
		"flags that exclude another":  {"summary", "--csv", "--json"},
		"mapping of an unknown field": {"load", "--topic", "orders", "--map", "colour=x", "x.csv"},
		"template with open brace":    {"load", "--topic", "orders", "--set", "sku={x", "x.csv"},
	}
	for name, args := range cases {
		t.Run(name, func(t *testing.T) {
			r := run(t, config(t), args...)
			r.want(t, cli.ExitUsage, "2:stocksync: ", "2:--help")
			if r.stdout != "" {
				t.Errorf("stdout has %q", r.stdout)
			}
		})
	}
}

func TestMain_ExitsTwoForWrongConfiguration(t *testing.T) {
	var stderr bytes.Buffer
	code := cli.Main(t.Context(), cli.Program{
		Args: []string{"summary"}, Stdout: io.Discard, Stderr: &stderr,
		Config:   func() (cli.Config, error) { return cli.Config{}, errors.New("PARTITIONS=\"x\": not a whole number") },
		Settings: func(bool) ([]cli.Setting, error) { return nil, nil },
	})
	result{code: code, stderr: stderr.String()}.want(t, cli.ExitUsage, "2:PARTITIONS=\"x\": not a whole number")
}

// commands returns the words of every command, from the help of their parents.
func commands(t *testing.T, words ...string) [][]string {
	t.Helper()
	r := run(t, config(t), append(slices.Clone(words), "--help")...)
	if r.code != 0 {
		t.Fatalf("%v --help exits %d: %s", words, r.code, r.stderr)
	}
	all := [][]string{words}
	_, usage, _ := strings.Cut(r.stdout, "\nUsage:")
	for _, line := range regexp.MustCompile(`(?m)^  ([a-z]+) +[A-Z][a-z]`).FindAllStringSubmatch(usage, -1) {
		all = append(all, commands(t, append(slices.Clone(words), line[1])...)...)
	}
	return all
}

func TestHelp_OfEveryCommandNamesFlagsExamplesAndExitCodes(t *testing.T) {
	all := commands(t)
	if len(all) < 15 {
		t.Fatalf("found %d commands only: %v", len(all), all)
	}
	for _, words := range all {
		t.Run(strings.Join(append([]string{"stocksync"}, words...), " "), func(t *testing.T) {
			r := run(t, config(t), append(slices.Clone(words), "--help")...)
			r.want(t, cli.ExitOK, "1:Usage:", "1:Exit codes:\n  0  done\n  1  failed\n  2  wrong usage or configuration\n",
				"1:--help")
			if len(words) == 1 && words[0] != "completion" && words[0] != "topics" && words[0] != "positions" {
				r.want(t, cli.ExitOK, "1:Examples:")
			}
			for line := range strings.Lines(r.stdout) {
				if len([]rune(line)) > 125 && !strings.Contains(line, "github.com") {
					t.Errorf("line of %d columns: %q", len([]rune(line)), line)
				}
			}
		})
	}
}

func TestHelp_OfTheProgramDocumentsTheEnvironment(t *testing.T) {
	run(t, config(t), "--help").want(t, cli.ExitOK, "1:  KAFKA_BROKERS [localhost:9092]\n      Bootstrap list.\n",
		"1:  3  checked and found different")
	run(t, config(t)).want(t, cli.ExitOK, "1:Usage:")
}

func TestConfig_ShowsValuesDefaultsAndMeanings(t *testing.T) {
	run(t, config(t), "config").want(t, cli.ExitOK, "1:KAFKA_BROKERS  127.0.0.1:1  localhost:9092  Bootstrap list.")
	run(t, config(t), "config", "--json").want(t, cli.ExitOK, `1:"value": "127.0.0.1:1"`)
	r := run(t, config(t), "config", "--markdown")
	want := "| name | default | meaning |\n|---|---|---|\n| `KAFKA_BROKERS` | `localhost:9092` | Bootstrap list. |\n"
	if r.stdout != want {
		t.Errorf("got %q, want %q", r.stdout, want)
	}
}

func TestVersion_ShowsTheBuild(t *testing.T) {
	run(t, config(t), "version").want(t, cli.ExitOK, "1:stocksync ", "1:go1.")
	run(t, config(t), "version", "--json").want(t, cli.ExitOK, `1:"go": "go1.`)
}

func TestCompletion_KnowsCommandsAndValues(t *testing.T) {
	run(t, config(t), "completion", "bash").want(t, cli.ExitOK, "1:complete")
	run(t, config(t), "__complete", "load", "--topic", "").want(t, cli.ExitOK, "1:mutations\norders\n")
	run(t, config(t), "__complete", "summary", "--sort", "av").want(t, cli.ExitOK, "1:available\n")
}

func TestSecret_IsNeverPrinted(t *testing.T) {
	const password = "hunter2"
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	s := cli.Secret(password)
	log.Info("a", "secret", s, "kafka", cli.Kafka{Password: s})
	for _, text := range []string{out.String(), formatAll(s), formatAll(cli.Kafka{Password: s})} {
		if strings.Contains(text, password) || !strings.Contains(text, "*****") {
			t.Errorf("printed %q", text)
		}
	}
	if string(s) != password {
		t.Error("the secret is lost")
	}
}

// formatAll prints a value in all ways that fmt has.
func formatAll(v any) string {
	return fmt.Sprintf("%v %+v %#v %s %q", v, v, v, v, v)
}

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }
