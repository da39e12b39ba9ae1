package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"

	"stocksync/state"
	"stocksync/topics"
)

// layer is what the packages under one path may import besides the standard library, and why no more.
type layer struct {
	path string
	may  []string
	why  string
}

const (
	franz      = "github.com/twmb/franz-go"
	pebble     = "github.com/cockroachdb/pebble/v2"
	prometheus = "github.com/prometheus"
	retryable  = "github.com/hashicorp/go-retryablehttp"
)

// layers is the import rule of the tree; a package belongs to the longest path that holds it.
var layers = []layer{
	{"stocksync/topics", []string{franz, "github.com/go-json-experiment/json"}, "the leaf: records, codecs and topic definitions, which every part and every outsider agrees on"},
	{"stocksync/state", []string{"stocksync/topics", pebble, prometheus}, "the fold and its store know no broker: a record in, effects out"},
	{"stocksync/processor", []string{"stocksync/topics", "stocksync/state", franz, prometheus}, "the loop meets sinks and console in topics alone"},
	{"stocksync/sinks", []string{"stocksync/topics", "stocksync/state", "stocksync/sinks", franz, prometheus, retryable, "golang.org/x/time"}, "sinks meet the processor in topics alone"},
	{"stocksync/sinks/conformance", []string{"stocksync/topics", "stocksync/sinks", "stocksync/testenv/twin"}, "a suite for tests of adapters: it knows shops, and no part of ours but the interface"},
	{"stocksync/cli", []string{"stocksync", franz, prometheus, "github.com/spf13/cobra", "github.com/go-json-experiment/json", "github.com/schollz/progressbar/v3", "golang.org/x/sync", "golang.org/x/term"}, "commands build parts; no part knows the command line"},
	{"stocksync/testenv", []string{"stocksync/topics", "stocksync/state", "stocksync/processor", "stocksync/sinks", "stocksync/testenv", franz, pebble, prometheus, "pgregory.net/rapid", "golang.org/x/sync", "golang.org/x/sys", "golang.org/x/time", "github.com/HdrHistogram/hdrhistogram-go"}, "tests and the demo may see every part, but no command"},
	{"stocksync", []string{"stocksync/cli", "github.com/caarlos0/env/v11"}, "main reads the environment and hands over"},
}

// confined names the dependencies that one part keeps to itself, and why.
var confined = []layer{
	{pebble, []string{"stocksync/state", "stocksync/testenv"}, "the key layout is package state's secret"},
	{"github.com/caarlos0/env/v11", []string{"stocksync"}, "config.go alone reads the environment"},
	{retryable, []string{"stocksync/sinks"}, "every request to a shop goes through one client"},
	{"stocksync/cli", []string{"stocksync"}, "the command line is main's"},
	{"stocksync/testenv", []string{"stocksync/testenv", "stocksync/cli", "stocksync/sinks/conformance"}, "only tests, their suite and the demo run on it"},
}

// goPackage is what `go list -json` says of a package.
type goPackage struct {
	ImportPath, Dir                    string
	GoFiles                            []string
	Imports, TestImports, XTestImports []string
}

func TestLayers_EachPackageImportsOnlyWhatItMay(t *testing.T) {
	for _, p := range packages(t) {
		rule, ok := layerOf(p.ImportPath)
		if !ok {
			t.Errorf("%s belongs to no layer", p.ImportPath)
			continue
		}
		for _, imp := range p.Imports {
			if !standard(imp) && !slices.ContainsFunc(rule.may, func(may string) bool { return under(imp, may) }) {
				t.Errorf("%s imports %s, but %s", p.ImportPath, imp, rule.why)
			}
		}
	}
}

func TestLayers_DependenciesStayWhereTheyBelong(t *testing.T) {
	for _, p := range packages(t) {
		for _, c := range confined {
			uses := slices.ContainsFunc(p.Imports, func(imp string) bool { return under(imp, c.path) })
			if uses && !slices.ContainsFunc(c.may, func(may string) bool { return home(p.ImportPath, may) }) {
				t.Errorf("%s imports %s, but %s", p.ImportPath, c.path, c.why)
			}
		}
	}
}

func TestPackages_HaveOneDocComment(t *testing.T) {
	for _, p := range packages(t) {
		var with []string
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil,
				parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			if file.Doc != nil {
				with = append(with, name)
			}
		}
		if len(p.GoFiles) > 0 && len(with) != 1 {
			t.Errorf("%s has its package comment in %d files %v, not in one", p.ImportPath, len(with), with)
		}
	}
}

// module is a dependency that code here imports: its licence, a phrase of the licence's text, and what it is for.
type module struct{ licence, what string }

// allowed is every module that packages or tests of this tree import themselves. A new one is a decision: it is
// added here, with its licence, or it does not come in.
var allowed = map[string]module{
	"github.com/HdrHistogram/hdrhistogram-go":  {"MIT", "latency quantiles of the benchmarks"},
	"github.com/caarlos0/env/v11":              {"MIT", "configuration from the environment"},
	"github.com/cockroachdb/pebble/v2":         {"BSD-3", "the local store"},
	"github.com/compose-spec/compose-go/v2":    {"Apache-2.0", "checks docker-compose.yml in a test"},
	"github.com/go-json-experiment/json":       {"BSD-3", "JSON off the hot path"},
	"github.com/google/go-cmp":                 {"BSD-3", "comparisons in tests"},
	"github.com/hashicorp/go-retryablehttp":    {"MPL-2.0", "HTTP to the shops"},
	"github.com/prometheus/client_golang":      {"Apache-2.0", "metrics"},
	"github.com/santhosh-tekuri/jsonschema/v6": {"Apache-2.0", "holds schemas and records together in tests"},
	"github.com/schollz/progressbar/v3":        {"MIT", "progress of load"},
	"github.com/spf13/cobra":                   {"Apache-2.0", "the command line"},
	"github.com/twmb/franz-go":                 {"BSD-3", "the Kafka client"},
	"github.com/twmb/franz-go/pkg/kadm":        {"BSD-3", "topics and their settings"},
	"github.com/twmb/franz-go/pkg/kfake":       {"BSD-3", "the broker in process"},
	"github.com/twmb/franz-go/pkg/kmsg":        {"BSD-3", "requests the client has no call for"},
	"golang.org/x/sync":                        {"BSD-3", "groups of goroutines"},
	"golang.org/x/term":                        {"BSD-3", "is standard error a terminal"},
	"golang.org/x/time":                        {"BSD-3", "rate limits"},
	"pgregory.net/rapid":                       {"MPL-2.0", "property tests"},
}

// licences holds a phrase that only that licence's text has.
var licences = map[string]string{
	"Apache-2.0": "Apache License",
	"BSD-3":      "Redistribution and use in source and binary forms",
	"MIT":        "Permission is hereby granted, free of charge",
	"MPL-2.0":    "Mozilla Public License",
}

func TestModules_AreOnTheAllowListWithTheirLicence(t *testing.T) {
	type dep struct {
		ImportPath string
		Module     *struct{ Path, Dir string }
	}
	of, dirs := map[string]string{}, map[string]string{} // import path to module, module to its directory
	for _, d := range goList[dep](t, "-deps", "-test", "./...") {
		if d.Module != nil {
			of[d.ImportPath], dirs[d.Module.Path] = d.Module.Path, d.Module.Dir
		}
	}
	used := map[string]bool{}
	for _, p := range packages(t) {
		for _, imp := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			if !standard(imp) && !under(imp, "stocksync") {
				used[of[imp]] = true
			}
		}
	}
	for _, path := range slices.Sorted(maps.Keys(used)) {
		entry, ok := allowed[path]
		if !ok {
			t.Errorf("module %s is not on the allow-list", path)
			continue
		}
		files, err := filepath.Glob(filepath.Join(dirs[path], "LICENSE*"))
		if err != nil || len(files) == 0 {
			t.Errorf("module %s has no licence file (%v)", path, err)
			continue
		}
		if !strings.Contains(read(t, files[0]), licences[entry.licence]) {
			t.Errorf("module %s is not under %s", path, entry.licence)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(allowed)) {
		if !used[path] {
			t.Errorf("the allow-list holds %s, which nothing imports", path)
		}
	}
}

func TestTree_NamesNoRegistryAndNoPathOfAMachine(t *testing.T) {
	hosts := []string{
		"proxy.golang" + ".org", "sum.golang" + ".org", "registry.npmjs" + ".org", "pypi" + ".org",
		"pythonhosted" + ".org", "crates" + ".io", "repo.maven.apache" + ".org", "repo1.maven" + ".org",
		"deb.debian" + ".org", "docker" + ".io", "gcr" + ".io", "quay" + ".io", "ghcr" + ".io",
	}
	machine := regexp.MustCompile(`(?m)(^|[\s"'` + "`" + `(=:])/(work|root|home)/`)
	for path, text := range textFiles(t) {
		for _, host := range hosts {
			if strings.Contains(text, host) {
				t.Errorf("%s names the registry host %s", path, host)
			}
		}
		if at := machine.FindString(text); at != "" {
			t.Errorf("%s names a path of some machine: %q", path, strings.TrimSpace(at))
		}
	}
}

func TestTree_CitesNoLineNumbers(t *testing.T) {
	cites := regexp.MustCompile(`\.(go|md|sh|yml|yaml|json):[0-9]+|#L[0-9]+`)
	for path, text := range textFiles(t) {
		if at := cites.FindString(text); at != "" {
			t.Errorf("%s cites a line by its number, which moves: %q", path, at)
		}
	}
}

func TestReadme_ConfigurationTableIsTheProgramsOwn(t *testing.T) {
	table := stocksync(t, "config", "--markdown")
	if !strings.Contains(read(t, "README.md"), table) {
		t.Errorf("README.md has another configuration table than `stocksync config --markdown`:\n%s", table)
	}
}

func TestReadme_NamesOnlyTestsAndFilesThatExist(t *testing.T) {
	funcs := map[string]bool{}
	for path, text := range textFiles(t) {
		if !strings.HasSuffix(path, "_test.go") {
			continue
		}
		for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark|Example)\w*)\(`).FindAllStringSubmatch(text, -1) {
			funcs[m[1]] = true
		}
	}
	readme := read(t, "README.md")
	for _, m := range regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z_]\\w*)`").FindAllStringSubmatch(readme, -1) {
		if !funcs[m[1]] {
			t.Errorf("README.md names %s, which is no test", m[1])
		}
	}
	for _, m := range regexp.MustCompile("`([\\w./-]+(?:/|\\.(?:go|yml|md|json|yaml)))`").FindAllStringSubmatch(readme, -1) {
		if _, err := os.Stat(m[1]); err != nil {
			t.Errorf("README.md names %s, which is not in the tree", m[1])
		}
	}
	for _, p := range packages(t) {
		if dir := strings.TrimPrefix(p.ImportPath, "stocksync/"); dir != p.ImportPath && !strings.Contains(dir, "/") &&
			!strings.Contains(readme, "`"+dir+"/`") {
			t.Errorf("README.md's file map leaves out %s/", dir)
		}
	}
}

func TestReadme_NamesOnlyCommandsThatExist(t *testing.T) {
	readme, makefile := read(t, "README.md"), read(t, "Makefile")
	for _, m := range regexp.MustCompile("(?m)(?:^|`)make ([a-z][a-z-]*)").FindAllStringSubmatch(readme, -1) {
		if !strings.Contains(makefile, "\n"+m[1]+":") {
			t.Errorf("README.md names `make %s`, which the Makefile has not", m[1])
		}
	}
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)(?:`|^|&& |\\| )stocksync ([a-z]+(?: (?:ensure|describe|show|set)\\b)?)").FindAllStringSubmatch(readme, -1) {
		if !seen[m[1]] {
			wantCommand(t, strings.Fields(m[1])...)
		}
		seen[m[1]] = true
	}
}

// TestReadme_RecipesComeOutAsTheySay folds the records of each recipe and looks at the quantities after "=>".
func TestReadme_RecipesComeOutAsTheySay(t *testing.T) {
	recipes := regexp.MustCompile("(?ms)^```recipe (.+?):[^\n]*\n(.*?)^```").FindAllStringSubmatch(read(t, "README.md"), -1)
	if len(recipes) < 4 {
		t.Fatalf("README.md has %d recipes", len(recipes))
	}
	for _, r := range recipes {
		t.Run(r[1], func(t *testing.T) {
			store, err := state.Open(state.Config{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			task, err := store.OpenTask(t.Context(), 0, state.Policy{ReturnsReserve: true}, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			defer task.Close()
			latest := map[string]*topics.Availability{}
			commit := int64(0)
			for line := range strings.Lines(r[2]) {
				topic, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
				if topic != "=>" {
					foldExample(t, task, topic, rest)
					continue
				}
				task.Prepare(time.Now(), func(o state.Output) {
					if o.Kind == state.ToAvailability {
						a, err := topics.DecodeAvailability(o.Value)
						if err != nil {
							t.Fatal(err)
						}
						latest[a.SKU] = a
					}
				})
				if err := task.Committed(commit, time.Now()); err != nil {
					t.Fatal(err)
				}
				commit++
				sku, _, _ := strings.Cut(rest, " ")
				if got := quantities(latest[sku]); !slices.Contains(got, rest) {
					t.Errorf("the fold says %v, README.md says %s", got, rest)
				}
			}
		})
	}
}

// foldExample decodes one record of a recipe, as strictly as the processor does, and folds it.
func foldExample(t *testing.T, task *state.Task, topic, value string) {
	t.Helper()
	var key struct{ SKU string }
	if err := json.Unmarshal([]byte(value), &key); err != nil {
		t.Fatalf("%v in %s", err, value)
	}
	var outcome state.Outcome
	var reject *topics.Reject
	var err error
	switch arrival := (&state.Arrival{Topic: topic, Time: topics.TimeOf(time.Now())}); topic {
	case topics.Mutations:
		var m topics.Mutation
		if reject = topics.DecodeMutation([]byte(key.SKU), []byte(value), 1<<20, &m); reject == nil {
			outcome, reject, err = task.Mutation(&m, arrival)
		}
	case topics.Orders:
		var o topics.Order
		if reject = topics.DecodeOrder([]byte(key.SKU), []byte(value), 1<<20, &o); reject == nil {
			outcome, reject, err = task.Order(&o, arrival)
		}
	default:
		t.Fatalf("a recipe writes to %q", topic)
	}
	if reject != nil || err != nil || outcome != state.Applied {
		t.Fatalf("%s, %v, %v: %s", outcome, reject, err, value)
	}
}

// quantities returns "SKU WAREHOUSE actual N reserved N" for each warehouse of a record.
func quantities(a *topics.Availability) []string {
	var all []string
	if a != nil {
		for _, w := range a.Warehouses {
			all = append(all, fmt.Sprintf("%s %s actual %s reserved %s", a.SKU, w.Warehouse, w.Actual, w.Reserved))
		}
	}
	return all
}

func TestReadme_ExamplesOfRecordsAreValid(t *testing.T) {
	examples := regexp.MustCompile("(?ms)^```json\n(.*?)^```").FindAllStringSubmatch(read(t, "README.md"), -1)
	for _, e := range examples {
		var err error
		switch value := []byte(e[1]); {
		case strings.HasPrefix(e[1], `{"sku":`):
			_, err = topics.DecodeAvailability(value)
		case strings.HasPrefix(e[1], `{"store":`):
			_, err = topics.DecodeStore(value)
		default:
			continue
		}
		if err != nil {
			t.Errorf("%v in %s", err, e[1])
		}
	}
}

// TestDockerfile_RunsUnprivilegedFromNothing is point 25 of the security list, as far as the text shows it.
func TestDockerfile_RunsUnprivilegedFromNothing(t *testing.T) {
	text := read(t, "Dockerfile")
	stages := strings.Split(text, "\nFROM ")
	last := "FROM " + stages[len(stages)-1]
	for _, want := range []string{"FROM scratch\n", "\nUSER 65532:65532\n", "\nVOLUME [\"/state\", \"/tokens\"]\n", "\nENTRYPOINT ["} {
		if !strings.Contains(last, want) {
			t.Errorf("the image lacks %q", strings.TrimSpace(want))
		}
	}
	for _, want := range []string{"CGO_ENABLED=0", "-trimpath", "chmod 0700 /out/root/state /out/root/tokens", "go mod verify"} {
		if !strings.Contains(text, want) {
			t.Errorf("the build lacks %q", want)
		}
	}
	for _, not := range []string{"\nADD ", "PASSWORD", "SECRET", "TOKEN=", "KAFKA_SASL", ":latest"} {
		if strings.Contains(text, not) {
			t.Errorf("the Dockerfile has %q", strings.TrimSpace(not))
		}
	}
	if from := regexp.MustCompile(`FROM golang:([0-9.]+)`).FindStringSubmatch(text); from == nil ||
		!strings.Contains(read(t, "go.mod"), "\ngo "+from[1]+"\n") {
		t.Errorf("the Dockerfile builds with another Go than go.mod names: %v", from)
	}
}

func TestCompose_ServicesAreCompleteAndApart(t *testing.T) {
	project := composeProject(t)
	settings := configNames(t)
	ids, volumes := map[string]string{}, map[string]string{}
	for name, s := range project.Services {
		if len(s.CapDrop) != 1 || s.CapDrop[0] != "ALL" || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s keeps privileges: cap_drop %v, security_opt %v", name, s.CapDrop, s.SecurityOpt)
		}
		for _, v := range s.Volumes {
			if v.Type != types.VolumeTypeVolume {
				t.Errorf("%s mounts %s, which is no named volume", name, v.Source)
			}
			if other, taken := volumes[v.Source]; taken {
				t.Errorf("%s and %s share the volume %s", name, other, v.Source)
			}
			volumes[v.Source] = name
		}
		if name == "kafka" {
			continue
		}
		if !s.ReadOnly || s.Privileged || len(s.Ports) > 0 {
			t.Errorf("%s: read_only %v, privileged %v, ports %v", name, s.ReadOnly, s.Privileged, s.Ports)
		}
		for env := range s.Environment {
			if !settings[env] {
				t.Errorf("%s sets %s, which config.go does not read", name, env)
			}
		}
		wantCommand(t, s.Command...)
		id := s.Environment["INSTANCE_ID"]
		if name == "topics" {
			continue
		}
		if id == nil || ids[*id] != "" {
			t.Errorf("%s has no INSTANCE_ID of its own", name)
			continue
		}
		ids[*id] = name
		want := []string{"/state"}
		if name == "sinks" {
			want = append(want, "/tokens")
		}
		var got []string
		for _, v := range s.Volumes {
			got = append(got, v.Target)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s has volumes at %v, want %v", name, got, want)
		}
	}
	if got, want := slices.Sorted(maps.Keys(ids)), []string{"processor-1", "processor-2", "sinks-1"}; !slices.Equal(got, want) {
		t.Errorf("instances %v, want %v", got, want)
	}
}

func TestCompose_StartsInOrderAndWatchesHealth(t *testing.T) {
	project := composeProject(t)
	for _, name := range []string{"kafka", "topics", "processor-1", "processor-2", "sinks"} {
		s, ok := project.Services[name]
		if !ok {
			t.Errorf("no service %s", name)
			continue
		}
		want := map[string]string{"kafka": types.ServiceConditionHealthy, "topics": types.ServiceConditionCompletedSuccessfully}
		switch name {
		case "kafka":
			want = map[string]string{}
		case "topics":
			delete(want, "topics")
		}
		got := map[string]string{}
		for on, d := range s.DependsOn {
			got[on] = d.Condition
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s waits for %v, want %v", name, got, want)
		}
		if name == "topics" {
			continue // runs once: its exit code is its health
		}
		if s.HealthCheck == nil || s.HealthCheck.Disable || len(s.HealthCheck.Test) < 2 {
			t.Errorf("%s has no health check", name)
		} else if name != "kafka" {
			check := s.HealthCheck.Test
			if check[0] != "CMD" || check[1] != "/stocksync" {
				t.Errorf("%s: the image holds nothing that can run %v", name, check)
			}
			wantCommand(t, check[2:]...)
		}
	}
}

// composeProject loads docker-compose.yml as Docker Compose does, which validates it against its schema.
func composeProject(t *testing.T) *types.Project {
	t.Helper()
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir:  ".",
		ConfigFiles: []types.ConfigFile{{Filename: "docker-compose.yml"}},
		Environment: types.Mapping{},
	})
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// configNames returns the variables that config.go's struct reads.
func configNames(t *testing.T) map[string]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "config.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		field, ok := n.(*ast.Field)
		if !ok || field.Tag == nil {
			return true
		}
		tag, err := strconv.Unquote(field.Tag.Value)
		if err != nil {
			t.Fatal(err)
		}
		if m := regexp.MustCompile(`env:"(\w+)`).FindStringSubmatch(tag); m != nil {
			names[m[1]] = true
		}
		return true
	})
	if len(names) == 0 {
		t.Fatal("config.go reads no variable")
	}
	return names
}

// stocksync runs the program with no setting of the caller's and returns what it prints.
func stocksync(t *testing.T, args ...string) string {
	t.Helper()
	return string(goTool(t, append([]string{"run", "."}, args...)...))
}

// wantCommand fails the test when the program has no such command: help of an unknown one is that of its parent.
func wantCommand(t *testing.T, args ...string) {
	t.Helper()
	help := stocksync(t, append(slices.Clone(args), "--help")...)
	if line := "\n  stocksync " + strings.Join(args, " "); !strings.Contains(help, line+" ") && !strings.Contains(help, line+"\n") {
		t.Errorf("stocksync has no command %q", strings.Join(args, " "))
	}
}

// packages lists the packages of the tree.
func packages(t *testing.T) []goPackage {
	t.Helper()
	return goList[goPackage](t, "./...")
}

// goList runs `go list -json` with args and decodes what it prints.
func goList[T any](t *testing.T, args ...string) []T {
	t.Helper()
	var all []T
	for dec := json.NewDecoder(bytes.NewReader(goTool(t, append([]string{"list", "-json"}, args...)...))); ; {
		var one T
		if err := dec.Decode(&one); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
}

// goTool runs the go command and returns its standard output.
func goTool(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return out
}

// textFiles returns the text files of the tree by path, without what git ignores and what git keeps for itself.
func textFiles(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (path == ".git" || path == "bin" || path == "data"):
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		text, err := os.ReadFile(path)
		if err == nil && !bytes.ContainsRune(text, 0) {
			files[filepath.ToSlash(path)] = string(text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// standard says whether an import path is of the standard library.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".") && first != "stocksync"
}

// under says whether path is root or below it.
func under(path, root string) bool {
	return path == root || strings.HasPrefix(path, root+"/")
}

// home is under, except that the module's own path means package main alone.
func home(path, root string) bool {
	return path == root || root != "stocksync" && under(path, root)
}

// layerOf returns the layer with the longest path that holds the package.
func layerOf(path string) (layer, bool) {
	var found layer
	for _, l := range layers {
		if home(path, l.path) && len(l.path) > len(found.path) {
			found = l
		}
	}
	return found, found.path != ""
}

// Ensure each guarantee names tests that show it; TestReadme_NamesOnlyTestsAndFilesThatExist looks for them.
func TestReadme_EveryGuaranteeNamesTests(t *testing.T) {
	_, rest, _ := strings.Cut(read(t, "README.md"), "\n## Guarantees\n")
	section, _, _ := strings.Cut(rest, "\n## ")
	rows := 0
	for line := range strings.Lines(section) {
		if cells := strings.Split(strings.TrimSpace(line), "|"); len(cells) == 5 && !strings.HasPrefix(cells[1], "---") {
			if rows++; rows > 1 && !regexp.MustCompile("`Test[A-Z]\\w*`").MatchString(cells[3]) {
				t.Errorf("no test is named for: %s", strings.TrimSpace(cells[1]))
			}
		}
	}
	if rows < 10 {
		t.Errorf("README.md has %d guarantees", rows-1)
	}
}
