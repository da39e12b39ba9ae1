package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

// environment returns variables for loadConfig: a host name's worth of defaults, and those given.
func environment(vars ...string) []string { return append([]string{"INSTANCE_ID=test"}, vars...) }

func TestConfig_DefaultsAreThoseOfTheContract(t *testing.T) {
	c, err := loadConfig(environment())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{
		"KAFKA_BROKERS": strings.Join(c.KafkaBrokers, ","), "TOPIC_PREFIX": c.TopicPrefix, "PARTITIONS": c.Partitions,
		"SINK_PARTITIONS": c.SinkPartitions, "REPLICATION_FACTOR": c.ReplicationFactor, "STATE_DIR": c.StateDir,
		"HTTP_ADDR": c.HTTPAddr, "COMMIT_INTERVAL": c.CommitInterval, "COMMIT_MAX_RECORDS": c.CommitMaxRecords,
		"MAX_RECORD_BYTES": c.MaxRecordBytes, "RETURNS_RESERVE": c.ReturnsReserve, "ON_HOLD_RESERVES": c.OnHoldReserves,
		"HISTORY_RETENTION": c.HistoryRetention, "ACTIVE_WINDOW": c.ActiveWindow, "NIGHTLY_AT": c.NightlyAt, "NIGHTLY_RATE": c.NightlyRate,
		"CATALOG_INTERVAL": c.CatalogInterval,
		"TIMEZONE":         c.Timezone, "READY_MAX_LAG": c.ReadyMaxLag, "LOG_LEVEL": c.LogLevel.String(), "LOG_FORMAT": c.LogFormat,
	}
	want := map[string]any{
		"KAFKA_BROKERS": "localhost:9092", "TOPIC_PREFIX": "stock.", "PARTITIONS": int32(16), "SINK_PARTITIONS": int32(16),
		"REPLICATION_FACTOR": int16(-1), "STATE_DIR": "./data", "HTTP_ADDR": "127.0.0.1:8080",
		"COMMIT_INTERVAL": 25 * time.Millisecond, "COMMIT_MAX_RECORDS": 20000, "MAX_RECORD_BYTES": 1 << 20,
		"HISTORY_RETENTION": 1080 * time.Hour, "ACTIVE_WINDOW": 48 * time.Hour, "NIGHTLY_AT": "00:00", "NIGHTLY_RATE": 2000,
		"CATALOG_INTERVAL": 6 * time.Hour,
		"RETURNS_RESERVE":  true, "ON_HOLD_RESERVES": false, "TIMEZONE": "Asia/Jakarta", "READY_MAX_LAG": time.Minute,
		"LOG_LEVEL": "INFO", "LOG_FORMAT": "",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

func TestConfig_InstanceIsTheHostUnlessNamed(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Skip(err)
	}
	c, err := loadConfig(nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.InstanceID != host {
		t.Errorf("got %q, want %q", c.InstanceID, host)
	}
}

func TestConfig_EmptyVariablesAreDefaults(t *testing.T) {
	c, err := loadConfig(environment("PARTITIONS=", "TOPIC_PREFIX=", "LOG_LEVEL="))
	if err != nil {
		t.Fatal(err)
	}
	if c.Partitions != 16 || c.TopicPrefix != "stock." {
		t.Errorf("got %d and %q", c.Partitions, c.TopicPrefix)
	}
}

func TestConfig_ReportsEveryFaultAtOnce(t *testing.T) {
	faults := []string{
		"KAFKA_BROKERS=nohost", "KAFKA_TLS=perhaps", "KAFKA_TLS_CERT_FILE=x", "KAFKA_SASL_MECHANISM=NTLM",
		"TOPIC_PREFIX=has space", "PARTITIONS=0", "SINK_PARTITIONS=1e3", "REPLICATION_FACTOR=0", "INSTANCE_ID=a/b",
		"HTTP_ADDR=8080", "READY_MAX_LAG=0s", "PROCESSOR_WORKERS=-1", "COMMIT_INTERVAL=25", "COMMIT_MAX_RECORDS=0",
		"MAX_RECORD_BYTES=10", "RETURNS_RESERVE=maybe", "TIMEZONE=Mars",
		"HISTORY_RETENTION=10h0m0s", "ACTIVE_WINDOW=1000h0m0s", "NIGHTLY_AT=24:00", "NIGHTLY_RATE=0", "CATALOG_INTERVAL=1s", "LOG_LEVEL=loud", "LOG_FORMAT=xml",
	}
	_, err := loadConfig(faults)
	if err == nil {
		t.Fatal("no error")
	}
	lines := strings.Split(err.Error(), "\n")
	for _, f := range faults {
		name, value, _ := strings.Cut(f, "=")
		want := fmt.Sprintf("%s=%q: ", name, value)
		n := 0
		for _, line := range lines {
			if strings.HasPrefix(line, want) {
				n++
			}
		}
		if n == 0 {
			t.Errorf("no line starts with %s", want)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
}

func TestConfig_SecretsComeFromFilesAndAreNotPrinted(t *testing.T) {
	dir := t.TempDir()
	user, password := filepath.Join(dir, "user"), filepath.Join(dir, "password")
	for path, text := range map[string]string{user: "ana\n", password: "hunter2\r\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	vars := environment("KAFKA_SASL_MECHANISM=PLAIN", "KAFKA_SASL_USERNAME_FILE="+user, "KAFKA_SASL_PASSWORD_FILE="+password)
	c, err := loadConfig(vars)
	if err != nil {
		t.Fatal(err)
	}
	if c.KafkaSASLUsername != "ana" || string(c.KafkaSASLPassword) != "hunter2" {
		t.Errorf("got %q and %q", c.KafkaSASLUsername, string(c.KafkaSASLPassword))
	}
	if text := fmt.Sprintf("%v %+v %#v", settings(c), c, c); strings.Contains(text, "hunter2") {
		t.Error("the password is printed")
	}
	direct, err := loadConfig(environment("KAFKA_SASL_MECHANISM=PLAIN", "KAFKA_SASL_USERNAME=u", "KAFKA_SASL_PASSWORD=hunter2"))
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%v %+v %#v", direct, *direct, direct); strings.Contains(text, "hunter2") {
		t.Error("the password is printed")
	}
	_, err = loadConfig(append(vars, "KAFKA_SASL_PASSWORD=other"))
	if err == nil || !strings.Contains(err.Error(), "KAFKA_SASL_PASSWORD and KAFKA_SASL_PASSWORD_FILE are both set") {
		t.Errorf("got %v", err)
	}
	_, err = loadConfig(environment("KAFKA_SASL_PASSWORD_FILE=" + filepath.Join(dir, "missing")))
	if err == nil || !strings.Contains(err.Error(), "KAFKA_SASL_PASSWORD_FILE") {
		t.Errorf("got %v", err)
	}
}

func TestConfig_EveryVariableIsDocumented(t *testing.T) {
	fields := reflect.TypeFor[Config]()
	documented := settings(nil)
	exported := 0
	for field := range fields.Fields() {
		if field.IsExported() {
			exported++
		}
	}
	if len(documented) != exported {
		t.Errorf("%d variables are documented, there are %d", len(documented), exported)
	}
	for _, s := range documented {
		if len(s.Meaning) < 10 || !strings.HasSuffix(s.Meaning, ".") || strings.Contains(s.Meaning, "|") {
			t.Errorf("%s: meaning %q", s.Name, s.Meaning)
		}
	}
}

func TestConfig_CredentialsAreFilesOrVariablesAndNeverOurOwn(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"shop-1": `{"secret":"whsec_file","key":"k"}`, "plain": "whsec_plain\n", "broken": "hunter2",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := loadConfig(environment("CREDENTIALS_DIR="+dir, "SHOP=whsec_variable", "shop-1=whsec_other",
		"KAFKA_SASL_MECHANISM=PLAIN", "KAFKA_SASL_USERNAME=u", "KAFKA_SASL_PASSWORD=whsec_ours"))
	if err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]map[string]string{
		"shop-1": {"secret": "whsec_file", "key": "k"}, "plain": {"secret": "whsec_plain"}, "SHOP": {"secret": "whsec_variable"},
	} {
		if got, err := c.credentials(ref); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, %v", ref, got, err)
		}
	}
	for _, ref := range []string{"broken", "missing", "", "..", "../shop-1", dir + "/shop-1", "KAFKA_SASL_PASSWORD", "."} {
		got, err := c.credentials(ref)
		if err == nil || got != nil {
			t.Errorf("%q: got %v", ref, got)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "credentials_ref") {
			t.Errorf("%q: error %v", ref, err)
		}
	}
}

func TestTune_LeavesWhatThePersonHasSet(t *testing.T) {
	limit, percent := debug.SetMemoryLimit(-1), debug.SetGCPercent(100)
	t.Cleanup(func() {
		debug.SetMemoryLimit(limit)
		debug.SetGCPercent(percent)
	})
	const memory, own, ownPercent = 2 << 30, 7 << 30, 150
	for _, tt := range []struct {
		set     []string // variables of the environment
		limit   int64
		percent int
	}{
		{nil, 5 << 29, gcPercent},
		{[]string{"GOMEMLIMIT"}, own, gcPercent},
		{[]string{"GOGC"}, 5 << 29, ownPercent},
		{[]string{"GOMEMLIMIT", "GOGC"}, own, ownPercent},
	} {
		for _, name := range []string{"GOMEMLIMIT", "GOGC"} {
			t.Setenv(name, "") // so that it is restored
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range tt.set {
			t.Setenv(name, "set")
		}
		debug.SetMemoryLimit(own) // what the runtime has made of the variables
		debug.SetGCPercent(ownPercent)
		if got := tune(memory); got != tt.limit {
			t.Errorf("%v set: got a limit of %d bytes, want %d", tt.set, got, tt.limit)
		}
		if got := debug.SetGCPercent(ownPercent); got != tt.percent {
			t.Errorf("%v set: got GOGC %d, want %d", tt.set, got, tt.percent)
		}
	}
}

func TestCacheWithin_IsAThirdOfTheLimit(t *testing.T) {
	for limit, want := range map[int64]int64{
		math.MaxInt64: 1 << 30, 4 << 30: 1 << 30, 768 << 20: 256 << 20, 16 << 20: 32 << 20,
	} {
		if got := cacheWithin(limit); got != want {
			t.Errorf("limit %d: got %d bytes, want %d", limit, got, want)
		}
	}
}

// TestConfig_TokensAreNotKeptInWhatMayBeDeleted ensures that a consent of a seller does not go with the cache.
func TestConfig_TokensAreNotKeptInWhatMayBeDeleted(t *testing.T) {
	for dir, ok := range map[string]bool{
		"": true, "/var/tokens": true, "/var/state-of-tokens": true, "/var/state": false, "/var/state/tokens": false,
		"/var/credentials/../state/y": false,
	} {
		if _, err := loadConfig(environment("STATE_DIR=/var/state", "TOKENS_DIR="+dir)); (err == nil) != ok {
			t.Errorf("%q: got %v, want it taken: %v", dir, err, ok)
		}
	}
}
