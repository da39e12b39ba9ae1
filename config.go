package main

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"stocksync/cli"
)

// Config holds every setting of stocksync. A field is one variable of the environment, the tag holds its
// default, and the comment above it is its documentation: `stocksync config` and README print that comment.
type Config struct {
	// Bootstrap list of Kafka brokers, `host:port`, separated by commas.
	KafkaBrokers []string `env:"KAFKA_BROKERS" envDefault:"localhost:9092"`
	// Talk TLS to the brokers.
	KafkaTLS bool `env:"KAFKA_TLS" envDefault:"false"`
	// PEM file of the authorities that sign the brokers' certificates; empty means the system's.
	KafkaTLSCAFile string `env:"KAFKA_TLS_CA_FILE"`
	// PEM file of the client's certificate, for brokers that ask for one.
	KafkaTLSCertFile string `env:"KAFKA_TLS_CERT_FILE"`
	// PEM file of the client's private key.
	KafkaTLSKeyFile string `env:"KAFKA_TLS_KEY_FILE"`
	// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`; empty means no login.
	KafkaSASLMechanism string `env:"KAFKA_SASL_MECHANISM"`
	// User name of the login.
	KafkaSASLUsername string `env:"KAFKA_SASL_USERNAME"`
	// File that holds the user name, instead of the variable.
	KafkaSASLUsernameFile string `env:"KAFKA_SASL_USERNAME_FILE"`
	// Password of the login. It is never printed.
	KafkaSASLPassword cli.Secret `env:"KAFKA_SASL_PASSWORD"`
	// File that holds the password, instead of the variable.
	KafkaSASLPasswordFile string `env:"KAFKA_SASL_PASSWORD_FILE"`

	// Prefix of every topic, group and transactional id: one prefix is one installation.
	TopicPrefix string `env:"TOPIC_PREFIX" envDefault:"stock."`
	// Partitions of the topics with key SKU; `topics ensure` creates them with it.
	Partitions int32 `env:"PARTITIONS" envDefault:"16"`
	// Partitions of the topics with key store, or store and SKU; `topics ensure` creates them with it.
	SinkPartitions int32 `env:"SINK_PARTITIONS" envDefault:"16"`
	// Replicas of each topic that `topics ensure` creates; -1 is the broker's default.
	ReplicationFactor int16 `env:"REPLICATION_FACTOR" envDefault:"-1" shown:"broker's"`

	// Stable and unique name of this instance; one state directory each.
	InstanceID string `env:"INSTANCE_ID" shown:"host name"`
	// Local state (Pebble), locked while in use; it may be deleted at any time and is rebuilt from Kafka.
	StateDir string `env:"STATE_DIR" envDefault:"./data"`
	// Most memory for SKUs held decoded, in bytes; 0 is 1 GiB, or a third of `GOMEMLIMIT` where that is less.
	CacheBytes int64 `env:"CACHE_BYTES" envDefault:"0"`
	// Address of `/metrics`, `/healthz` and `/readyz`; port 0 picks a free one and logs it.
	HTTPAddr string `env:"HTTP_ADDR" envDefault:"127.0.0.1:8080"`
	// Not ready when the oldest unread input is older than this.
	ReadyMaxLag time.Duration `env:"READY_MAX_LAG" envDefault:"60s"`

	// Lanes of the processor, each one group member and transactional producer; 0 is the number of CPUs.
	ProcessorWorkers int `env:"PROCESSOR_WORKERS" envDefault:"0" shown:"CPUs"`
	// Longest time between the first event of a transaction and its commit.
	CommitInterval time.Duration `env:"COMMIT_INTERVAL" envDefault:"25ms"`
	// Most input records in one transaction, ten times as many for a lane that is behind; halved after an abort, restored
	// on success.
	CommitMaxRecords int `env:"COMMIT_MAX_RECORDS" envDefault:"20000"`
	// Largest value of an input record in bytes; larger ones are dead letters.
	MaxRecordBytes int `env:"MAX_RECORD_BYTES" envDefault:"1048576"`
	// Goods that come back against an open order line are reserved again (ERPNext's default).
	ReturnsReserve bool `env:"RETURNS_RESERVE" envDefault:"true"`
	// Order lines with status `on_hold` reserve too.
	OnHoldReserves bool `env:"ON_HOLD_RESERVES" envDefault:"false"`

	// Lines unchanged for so long are collapsed by the nightly run; later versions of them are dead letters.
	HistoryRetention time.Duration `env:"HISTORY_RETENTION" envDefault:"1080h"`
	// The nightly run sends every SKU again that had an accepted event in so long, up to whole days (UTC).
	ActiveWindow time.Duration `env:"ACTIVE_WINDOW" envDefault:"48h"`
	// Time zone of the business: of the nightly run, and of local times without a zone that `load` reads.
	Timezone string `env:"TIMEZONE" envDefault:"Asia/Jakarta"`
	// Time of day at which the nightly run begins, `HH:MM`.
	NightlyAt string `env:"NIGHTLY_AT" envDefault:"00:00"`
	// SKUs that the nightly run of one instance deals with in a second; live events go first.
	NightlyRate int `env:"NIGHTLY_RATE" envDefault:"2000"`
	// Time between two passes over a shop's catalogue.
	CatalogInterval time.Duration `env:"CATALOG_INTERVAL" envDefault:"6h"`

	// Directory of the stores' credentials: the file `credentials_ref` names in it is used before a variable.
	CredentialsDir string `env:"CREDENTIALS_DIR"`
	// Directory for tokens that are renewed, which all instances of the sinks share. It is no cache: keep it.
	TokensDir string `env:"TOKENS_DIR"`
	// Let stores' URLs name private, loopback and link-local addresses, for shops in the own network.
	AllowPrivateURLs bool `env:"ALLOW_PRIVATE_URLS" envDefault:"false"`

	// `debug`, `info`, `warn` or `error`.
	LogLevel slog.Level `env:"LOG_LEVEL" envDefault:"info"`
	// `text` or `json`; empty is text on a terminal and JSON elsewhere.
	LogFormat string `env:"LOG_FORMAT" shown:"text on a terminal, JSON elsewhere"`

	// lookup is the environment that the struct was read from, for credentials. A function, so that it is never
	// printed with the rest.
	lookup func(name string) (value string, ok bool)
}

//go:embed config.go
var configSource string

// loadConfig reads the variables, KEY=value each, and returns them checked. Its error names every fault.
func loadConfig(environ []string) (*Config, error) {
	vars := env.ToMap(environ)
	c := &Config{lookup: func(name string) (string, bool) { v, ok := vars[name]; return v, ok }}
	var faults []error
	if err := env.ParseWithOptions(c, env.Options{Environment: vars}); err != nil {
		faults = append(faults, c.parseFaults(err)...)
	}
	if c.InstanceID == "" {
		host, err := os.Hostname()
		if err != nil {
			faults = append(faults, fmt.Errorf("INSTANCE_ID: no host name to use: %w", err))
		}
		c.InstanceID = host
	}
	user, err := fromFile("KAFKA_SASL_USERNAME", c.KafkaSASLUsername, c.KafkaSASLUsernameFile)
	faults = append(faults, err)
	c.KafkaSASLUsername = user
	password, err := fromFile("KAFKA_SASL_PASSWORD", string(c.KafkaSASLPassword), c.KafkaSASLPasswordFile)
	faults = append(faults, err)
	c.KafkaSASLPassword = cli.Secret(password)
	for _, fault := range c.faults() {
		// A field that did not parse holds zero, which may be a fault of its own: one report is enough.
		reported := func(e error) bool { return e != nil && strings.HasPrefix(e.Error(), fault.name+"=") }
		if !slices.ContainsFunc(faults, reported) {
			faults = append(faults, fault)
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return c, nil
}

// parseFaults turns the library's errors, which name Go fields, into ones that name variable and value.
func (c *Config) parseFaults(err error) []error {
	var all env.AggregateError
	if !errors.As(err, &all) {
		return []error{err}
	}
	faults := make([]error, 0, len(all.Errors))
	for _, e := range all.Errors {
		var parse env.ParseError
		if !errors.As(e, &parse) {
			faults = append(faults, e)
			continue
		}
		field, _ := reflect.TypeFor[Config]().FieldByName(parse.Name)
		name := field.Tag.Get("env")
		cause := parse.Err
		if inner := errors.Unwrap(cause); inner != nil {
			cause = inner
		}
		value, _ := c.lookup(name)
		faults = append(faults, fmt.Errorf("%s=%q: not a %s: %w", name, value, kindName(field.Type), cause))
	}
	return faults
}

// kindName says in words what a variable of that type holds.
func kindName(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "duration such as 25ms, 60s or 48h"
	case t == reflect.TypeFor[slog.Level]():
		return "log level (debug, info, warn, error)"
	case t.Kind() == reflect.Bool:
		return "truth value (true, false)"
	default:
		return "whole number"
	}
}

// fromFile returns the value, or what the file holds without its last line end. Both given is a fault.
func fromFile(name, value, file string) (string, error) {
	if file == "" {
		return value, nil
	}
	if value != "" {
		return value, fmt.Errorf("%s and %s_FILE are both set: set one of them", name, name)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%s_FILE: %w", name, err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

// Limits of the values. They are wide: beyond them lies a slip of the keyboard, not a wish.
const (
	partitionsMax     = 10_000
	workersMax        = 1_024
	commitIntervalMax = 3 * time.Second // below the transaction timeout of 5 s
	commitRecordsMax  = 1_000_000
	recordBytesMin    = 1 << 10
	recordBytesMax    = 8 << 20 // what the output topics take
	cacheBytesMin     = 1 << 20
	nightlyRateMax    = 1_000_000
	activeWindowMax   = 30 * 24 * time.Hour
	// clockLead is how far the nightly run's clock may be ahead of the input: what is active by the input
	// must not be past the horizon by the clock.
	clockLead = 48 * time.Hour
)

// fault is one wrong setting.
type fault struct{ name, value, want string }

// Error names the variable, its value and what is wanted instead.
func (f fault) Error() string { return fmt.Sprintf("%s=%q: %s", f.name, f.value, f.want) }

// Validate returns every fault of the settings at once, each with the variable and its value, or nil.
func (c *Config) Validate() error {
	var all []error
	for _, f := range c.faults() {
		all = append(all, f)
	}
	return errors.Join(all...)
}

// faults checks the values one by one and against each other.
func (c *Config) faults() []fault {
	var faults []fault
	check := func(ok bool, name string, value any, want string) {
		if !ok {
			faults = append(faults, fault{name, fmt.Sprint(value), want})
		}
	}
	check(len(c.KafkaBrokers) > 0, "KAFKA_BROKERS", "", "give host:port")
	for _, b := range c.KafkaBrokers {
		check(hostPort(b) && !strings.HasPrefix(b, ":"), "KAFKA_BROKERS", b, "want host:port")
	}
	name := regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
	check(name.MatchString(c.TopicPrefix) && len(c.TopicPrefix) <= 100, "TOPIC_PREFIX", c.TopicPrefix,
		"want 1 to 100 of the characters A-Z a-z 0-9 . _ -")
	check(name.MatchString(c.InstanceID) && len(c.InstanceID) <= 100, "INSTANCE_ID", c.InstanceID,
		"want 1 to 100 of the characters A-Z a-z 0-9 . _ -")
	check(1 <= c.Partitions && c.Partitions <= partitionsMax, "PARTITIONS", c.Partitions, "want 1 to 10000")
	check(1 <= c.SinkPartitions && c.SinkPartitions <= partitionsMax, "SINK_PARTITIONS", c.SinkPartitions,
		"want 1 to 10000")
	check(c.ReplicationFactor == -1 || c.ReplicationFactor >= 1, "REPLICATION_FACTOR", c.ReplicationFactor,
		"want -1 (the broker's default) or at least 1")
	check(c.StateDir != "", "STATE_DIR", c.StateDir, "name a directory")
	check(c.CacheBytes == 0 || c.CacheBytes >= cacheBytesMin, "CACHE_BYTES", c.CacheBytes, "want 0 or at least 1048576")
	check(!within(c.StateDir, c.TokensDir), "TOKENS_DIR", c.TokensDir,
		"want a directory outside STATE_DIR, which may be deleted at any time")
	check(hostPort(c.HTTPAddr), "HTTP_ADDR", c.HTTPAddr, "want host:port or :port")
	check(c.ReadyMaxLag > 0, "READY_MAX_LAG", c.ReadyMaxLag, "want more than 0")
	check(0 <= c.ProcessorWorkers && c.ProcessorWorkers <= workersMax, "PROCESSOR_WORKERS", c.ProcessorWorkers,
		"want 0 (CPUs) to 1024")
	check(time.Millisecond <= c.CommitInterval && c.CommitInterval <= commitIntervalMax,
		"COMMIT_INTERVAL", c.CommitInterval, "want 1ms to 3s")
	check(1 <= c.CommitMaxRecords && c.CommitMaxRecords <= commitRecordsMax,
		"COMMIT_MAX_RECORDS", c.CommitMaxRecords, "want 1 to 1000000")
	check(recordBytesMin <= c.MaxRecordBytes && c.MaxRecordBytes <= recordBytesMax,
		"MAX_RECORD_BYTES", c.MaxRecordBytes, "want 1024 to 8388608")
	check(time.Hour <= c.ActiveWindow && c.ActiveWindow <= activeWindowMax, "ACTIVE_WINDOW", c.ActiveWindow,
		"want 1h to 720h")
	check(c.ActiveWindow+clockLead <= c.HistoryRetention, "HISTORY_RETENTION", c.HistoryRetention,
		"want at least 48h more than ACTIVE_WINDOW")
	_, err := timeOfDay(c.NightlyAt)
	check(err == nil, "NIGHTLY_AT", c.NightlyAt, "want HH:MM, such as 00:30")
	check(time.Minute <= c.CatalogInterval, "CATALOG_INTERVAL", c.CatalogInterval, "want 1m or more")
	check(1 <= c.NightlyRate && c.NightlyRate <= nightlyRateMax, "NIGHTLY_RATE", c.NightlyRate, "want 1 to 1000000")
	_, err = time.LoadLocation(c.Timezone)
	check(err == nil && c.Timezone != "", "TIMEZONE", c.Timezone, "want a name such as Asia/Jakarta")
	check(slices.Contains([]string{"", "text", "json"}, c.LogFormat), "LOG_FORMAT", c.LogFormat, "want text or json")
	c.securityFaults(check)
	return faults
}

// securityFaults checks the settings of login and encryption against each other.
func (c *Config) securityFaults(check func(ok bool, name string, value any, want string)) {
	known := []string{"", cli.MechanismPlain, cli.MechanismSCRAM256, cli.MechanismSCRAM512}
	check(slices.Contains(known, c.KafkaSASLMechanism), "KAFKA_SASL_MECHANISM", c.KafkaSASLMechanism,
		"want PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
	given := c.KafkaSASLMechanism != ""
	check(given == (c.KafkaSASLUsername != ""), "KAFKA_SASL_USERNAME", c.KafkaSASLUsername,
		"goes with KAFKA_SASL_MECHANISM, and with it only")
	check(given == (c.KafkaSASLPassword != ""), "KAFKA_SASL_PASSWORD", c.KafkaSASLPassword,
		"goes with KAFKA_SASL_MECHANISM, and with it only")
	files := []struct{ name, path string }{
		{"KAFKA_TLS_CA_FILE", c.KafkaTLSCAFile},
		{"KAFKA_TLS_CERT_FILE", c.KafkaTLSCertFile},
		{"KAFKA_TLS_KEY_FILE", c.KafkaTLSKeyFile},
	}
	for _, f := range files {
		check(f.path == "" || c.KafkaTLS, f.name, f.path, "has no use without KAFKA_TLS=true")
	}
	check((c.KafkaTLSCertFile == "") == (c.KafkaTLSKeyFile == ""), "KAFKA_TLS_CERT_FILE", c.KafkaTLSCertFile,
		"certificate and key go together")
}

// timeOfDay reads HH:MM as the time since midnight.
func timeOfDay(text string) (time.Duration, error) {
	t, err := time.Parse("15:04", text)
	if err != nil || len(text) != len("15:04") {
		return 0, errors.Join(errors.New("not a time of day"), err)
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, nil
}

// hostPort says whether the text is an address with a port from 0 to 65535; the host may be empty.
func hostPort(addr string) bool {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n <= 65535
}

// settings documents every variable, in the order of the fields. With a Config it holds the values in force.
func settings(c *Config) []cli.Setting {
	meaning := comments(configSource)
	var list []cli.Setting
	for i := range reflect.TypeFor[Config]().NumField() {
		f := reflect.TypeFor[Config]().Field(i)
		name := f.Tag.Get("env")
		if name == "" {
			continue
		}
		s := cli.Setting{Name: name, Default: f.Tag.Get("envDefault"), Meaning: meaning[name]}
		if shown := f.Tag.Get("shown"); shown != "" {
			s.Default = shown
		}
		if c != nil {
			s.Value = settingValue(reflect.ValueOf(c).Elem().Field(i))
		}
		list = append(list, s)
	}
	return list
}

// settingValue prints a value the way the variable is written. Secrets print as stars.
func settingValue(v reflect.Value) string {
	if list, ok := reflect.TypeAssert[[]string](v); ok {
		return strings.Join(list, ",")
	}
	return fmt.Sprint(v.Interface())
}

// comments returns the comment above each field of Config, by the name of its variable.
func comments(source string) map[string]string {
	tag := regexp.MustCompile("`env:\"([A-Z_]+)\"")
	out := map[string]string{}
	var above []string
	for line := range strings.Lines(source) {
		line = strings.TrimSpace(line)
		if text, ok := strings.CutPrefix(line, "// "); ok {
			above = append(above, text)
			continue
		}
		if m := tag.FindStringSubmatch(line); m != nil {
			out[m[1]] = strings.Join(above, " ")
		}
		above = nil
	}
	return out
}

// parts returns the settings as the commands and the parts of stocksync take them.
func (c *Config) parts() (cli.Config, error) {
	zone, err := time.LoadLocation(c.Timezone)
	if err != nil {
		return cli.Config{}, fmt.Errorf("load time zone: %w", err)
	}
	at, err := timeOfDay(c.NightlyAt)
	if err != nil {
		return cli.Config{}, fmt.Errorf("read NIGHTLY_AT: %w", err)
	}
	return cli.Config{
		Kafka: cli.Kafka{
			Brokers: c.KafkaBrokers,
			TLS:     c.KafkaTLS, CAFile: c.KafkaTLSCAFile, CertFile: c.KafkaTLSCertFile, KeyFile: c.KafkaTLSKeyFile,
			Mechanism: c.KafkaSASLMechanism, Username: c.KafkaSASLUsername, Password: c.KafkaSASLPassword,
		},
		TopicPrefix:       c.TopicPrefix,
		Partitions:        c.Partitions,
		SinkPartitions:    c.SinkPartitions,
		ReplicationFactor: c.ReplicationFactor,
		InstanceID:        c.InstanceID,
		StateDir:          c.StateDir,
		CacheBytes:        cmp.Or(c.CacheBytes, cacheWithin(debug.SetMemoryLimit(-1))),
		HTTPAddr:          c.HTTPAddr,
		ReadyMaxLag:       c.ReadyMaxLag,
		ProcessorWorkers:  c.ProcessorWorkers,
		CommitInterval:    c.CommitInterval,
		CommitMaxRecords:  c.CommitMaxRecords,
		MaxRecordBytes:    c.MaxRecordBytes,
		ReturnsReserve:    c.ReturnsReserve,
		OnHoldReserves:    c.OnHoldReserves,
		HistoryRetention:  c.HistoryRetention,
		ActiveWindow:      c.ActiveWindow,
		Timezone:          zone,
		NightlyAt:         at,
		NightlyRate:       c.NightlyRate,
		CatalogInterval:   c.CatalogInterval,
		Credentials:       c.credentials,
		AllowPrivateURLs:  c.AllowPrivateURLs,
		TokensDir:         c.TokensDir,
		LogLevel:          c.LogLevel,
		LogFormat:         c.LogFormat,
	}, nil
}

// within tells whether a path lies in a directory, or is it; no path lies nowhere.
func within(dir, path string) bool {
	if dir == "" || path == "" {
		return false
	}
	from, err := filepath.Abs(dir)
	to, err2 := filepath.Abs(path)
	if err != nil || err2 != nil {
		return false
	}
	rel, err := filepath.Rel(from, to)
	return err == nil && filepath.IsLocal(rel)
}

// credentials finds the secrets that a store's credentials_ref names: a file of CREDENTIALS_DIR, or else a
// variable of the environment. They are a JSON object of texts; a bare Standard Webhooks secret (whsec_...)
// stands for {"secret":"whsec_..."}. stocksync's own variables are never given away.
func (c *Config) credentials(ref string) (map[string]string, error) {
	text, err := c.credentialsText(ref)
	if err != nil {
		return nil, fmt.Errorf("credentials_ref %q: %w", ref, err)
	}
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "whsec_") {
		return map[string]string{"secret": text}, nil
	}
	var found map[string]string
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		// The decoder's error may quote the text: leave it out.
		return nil, fmt.Errorf("credentials_ref %q: neither a JSON object of texts nor a whsec_ secret", ref)
	}
	return found, nil
}

// errNoCredentials is returned for a reference that names neither a file nor a variable.
var errNoCredentials = errors.New("no such file in CREDENTIALS_DIR and no such variable")

func (c *Config) credentialsText(ref string) (string, error) {
	if c.CredentialsDir != "" && ref != "" && filepath.Base(ref) == ref && filepath.IsLocal(ref) {
		b, err := os.ReadFile(filepath.Join(c.CredentialsDir, ref))
		if err == nil {
			return string(b), nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
	}
	own := slices.ContainsFunc(settings(nil), func(s cli.Setting) bool { return s.Name == ref })
	text, ok := c.lookup(ref)
	if own || !ok {
		return "", errNoCredentials
	}
	return text, nil
}
