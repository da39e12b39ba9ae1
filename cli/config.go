package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stocksync/state"
	"stocksync/topics"
)

// Config holds the settings that main read, as plain values; config.go of main documents and checks them.
type Config struct {
	Kafka             Kafka
	TopicPrefix       string
	Partitions        int32
	SinkPartitions    int32
	ReplicationFactor int16 // -1: the broker's default

	InstanceID  string
	StateDir    string
	CacheBytes  int64 // of decoded SKUs; 0: the processor's default
	HTTPAddr    string
	ReadyMaxLag time.Duration

	ProcessorWorkers int // 0: number of CPUs
	CommitInterval   time.Duration
	CommitMaxRecords int
	MaxRecordBytes   int // of an input record's value
	ReturnsReserve   bool
	OnHoldReserves   bool
	HistoryRetention time.Duration
	ActiveWindow     time.Duration
	Timezone         *time.Location
	NightlyAt        time.Duration // since midnight
	NightlyRate      int           // SKUs a second
	CatalogInterval  time.Duration

	// Credentials returns the secrets that a store's credentials_ref names.
	Credentials      func(ref string) (map[string]string, error)
	AllowPrivateURLs bool
	// TokensDir is where tokens that are renewed are kept; empty: stores with such tokens can't be opened.
	TokensDir string

	LogLevel  slog.Level
	LogFormat string // text, json, or empty: text on a terminal and JSON elsewhere
}

// topic returns the full name of a topic.
func (c *call) topic(base string) string { return topics.Prefix(c.cfg.TopicPrefix).Name(base) }

// policy returns what an order line reserves.
func (c *call) policy() state.Policy {
	return state.Policy{ReturnsReserve: c.cfg.ReturnsReserve, OnHoldReserves: c.cfg.OnHoldReserves}
}

// Setting documents one variable of the environment.
type Setting struct {
	Name    string `json:"name"`
	Value   string `json:"value,omitempty"` // in force; secrets as stars
	Default string `json:"default"`
	Meaning string `json:"meaning"`
}

func (a *app) configCommand() *cobra.Command {
	markdown := false
	cmd := &cobra.Command{
		Use:     "config",
		GroupID: groupLook,
		Short:   "Show the settings in force, their defaults and what they mean",
		Long: `Show every setting, the value in force, its default and what it means. Settings come from environment
variables only. All faults of a configuration are reported at once, with exit code 2, so this command also
checks a configuration. Secrets show as stars.`,
		Example: `  stocksync config
  KAFKA_BROKERS=broker-1:9092,broker-2:9092 stocksync config --json
  stocksync config --markdown        # the table in README`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().BoolVar(&markdown, "markdown", false, "print the table of README, without values")
	addJSON(cmd)
	cmd.RunE = a.run(func(_ context.Context, c *call, _ []string) error {
		settings, err := c.Settings(!markdown)
		if err != nil {
			return err
		}
		switch {
		case markdown:
			return markdownSettings(c.Stdout, settings)
		case c.json:
			return printJSON(c.Stdout, settings)
		}
		t := newTable("NAME", "VALUE", "DEFAULT", "MEANING")
		for _, s := range settings {
			t.add(s.Name, s.Value, s.Default, s.Meaning)
		}
		return t.print(c.Stdout)
	})
	return cmd
}

// helpSettings adds the table of settings to a help text.
func (a *app) helpSettings(cmd *cobra.Command) {
	settings, err := a.Settings(false)
	if err != nil {
		return // help is shown as far as it goes; the fault appears with the first command that needs it
	}
	out := cmd.OutOrStdout()
	fmt.Fprintln(out, "\nEnvironment (default in brackets):")
	for _, s := range settings {
		def := ""
		if s.Default != "" {
			def = " [" + s.Default + "]"
		}
		fmt.Fprintf(out, "  %s%s\n      %s\n", s.Name, def, s.Meaning)
	}
}

// markdownSettings prints the documented table, one row a variable.
func markdownSettings(w io.Writer, settings []Setting) error {
	var b strings.Builder
	b.WriteString("| name | default | meaning |\n|---|---|---|\n")
	for _, s := range settings {
		def := s.Default
		if def != "" && !strings.Contains(def, " ") {
			def = "`" + def + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", s.Name, def, s.Meaning)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
