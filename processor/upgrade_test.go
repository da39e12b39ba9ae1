package processor_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stocksync/testenv"
	"stocksync/topics"
)

// A rolling upgrade, with builds of this tree: "reads" knows format 2 of the changelog and writes 1, as a release
// does before it may write the new one; "writes" writes 2. Instances go from one to the other while both run. A
// build that does not know format 2 halts its tasks and names the format. The part that looks at the changelog must
// know format 2 as well: it runs in a test binary built like "reads". `make upgrade` runs it.
func TestUpgrade_RollsFromFormatToFormatAndRefusesANewerOne(t *testing.T) {
	switch {
	case os.Getenv(upgradeBuildsVar) != "":
		rollUpgrade(t, filepath.SplitList(os.Getenv(upgradeBuildsVar)))
		return
	case os.Getenv("STOCKSYNC_UPGRADE") == "":
		return
	}
	reading := []edit{
		{"state/header.go", `c.format(skuFormat, "changelog value")`, `c.format(2, "changelog value")`},
		{"state/chunk.go", `c.format(skuFormat, "changelog value")`, `c.format(2, "changelog value")`},
		{"state/task_record.go", `c.format(taskFormat, "task record")`, `c.format(2, "task record")`},
	}
	writing := []edit{
		{"state/header.go", "const skuFormat = 1\n", "const skuFormat = 2\n"},
		{"state/task_record.go", "const taskFormat = 1\n", "const taskFormat = 2\n"},
	}
	builds := []string{build(t), build(t, reading...), build(t, writing...)}
	t.Setenv(upgradeBuildsVar, strings.Join(builds, string(filepath.ListSeparator)))
	out, err := goCommand(t.Context(), overlay(t, reading...), "test", "-count", "1", "-v", "-run", "^"+t.Name()+"$", "./processor")
	if err != nil || !strings.Contains(out, "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
}

// upgradeBuildsVar holds the paths of the builds "now", "reads" and "writes".
const upgradeBuildsVar = "STOCKSYNC_UPGRADE_BUILDS"

func rollUpgrade(t *testing.T, builds []string) {
	t.Helper()
	now, reads, writes := builds[0], builds[1], builds[2]
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c := testenv.StartKfake(t)
	prefix := ensure(t, c, 4)
	w := testenv.NewWorkload(testenv.RealisticWorkload(5))
	var acks []testenv.Ack
	load := func() {
		t.Helper()
		acks = append(acks, produce(t, c, prefix, w, 1500)...)
		settle(t, c, prefix)
	}
	one, two := instanceOf(t, c, prefix, now, "one"), instanceOf(t, c, prefix, now, "two")
	load()
	for _, binary := range []string{reads, writes} {
		for _, i := range []*upgraded{one, two} {
			i.to(ctx, t, binary)
			load()
		}
	}
	one.stop(ctx, t)
	two.stop(ctx, t)
	old := instanceOf(t, c, prefix, now, "old")
	err := old.WaitHTTP(ctx, "/readyz", func(status int, body string) bool {
		return status == http.StatusServiceUnavailable && strings.Contains(body, "has format 2, this release reads up to 1")
	})
	if err != nil {
		t.Errorf("a release that does not know the format: %v", err)
	}
	old.stop(ctx, t)
	check(t, c, prefix, acks)
}

// build builds stocksync with edits and returns the binary.
func build(t *testing.T, edits ...edit) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stocksync")
	if out, err := goCommand(t.Context(), overlay(t, edits...), "build", "-o", path, "stocksync"); err != nil {
		t.Fatalf("build with %v: %v\n%s", edits, err, out)
	}
	return path
}

// upgraded is an instance that changes its binary.
type upgraded struct {
	*testenv.Process
	env map[string]string
}

func instanceOf(t *testing.T, c *testenv.Cluster, prefix topics.Prefix, binary, id string) *upgraded {
	t.Helper()
	u := &upgraded{env: map[string]string{
		"KAFKA_BROKERS": c.Brokers[0], "TOPIC_PREFIX": string(prefix), "INSTANCE_ID": id, "STATE_DIR": t.TempDir(),
		"PROCESSOR_WORKERS": "1", "LOG_FORMAT": "json",
	}}
	u.Process = testenv.StartProcess(t, testenv.ProcessConfig{Args: []string{"processor"}, Binary: binary, Env: u.env})
	return u
}

func (u *upgraded) stop(ctx context.Context, t *testing.T) {
	t.Helper()
	if code, err := u.Terminate(ctx); err != nil || code != 0 {
		t.Fatalf("stop: code %d, %v", code, err)
	}
}

// to restarts the instance as another build, on the same state, and waits until it is ready.
func (u *upgraded) to(ctx context.Context, t *testing.T, binary string) {
	t.Helper()
	u.stop(ctx, t)
	u.Process = testenv.StartProcess(t, testenv.ProcessConfig{Args: []string{"processor"}, Binary: binary, Env: u.env})
	if err := u.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
}
