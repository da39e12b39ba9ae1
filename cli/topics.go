package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"

	"stocksync/topics"
)

const ensureLong = `Create the topics that are missing and verify those that are there. It never
changes the partitions or the cleanup of a topic: a topic that differs is an error that names
topic, setting, found, wanted and what mends it. PARTITIONS, SINK_PARTITIONS and
REPLICATION_FACTOR count for new topics only. It returns when every partition has a leader.`

const describeLong = `Show every topic of the installation as it is: partitions, replicas,
settings, and how it differs from what stocksync needs. It changes nothing. Exit code 3 says
that something must be mended.`

func (a *app) topicsCommand() *cobra.Command {
	parent := &cobra.Command{
		Use:     "topics",
		GroupID: groupWork,
		Short:   "Create and check the Kafka topics",
		Long: `Create and check the Kafka topics of the installation that TOPIC_PREFIX names: 'topics ensure' once, before
anything else, and after each upgrade; 'topics describe' to look; 'topics schema' for who writes or reads them.`,
		Args: cobra.ArbitraryArgs,
		RunE: a.parent(),
	}
	ensure := &cobra.Command{
		Use:     "ensure",
		Short:   "Create missing topics, verify the others",
		Long:    ensureLong,
		Example: "  stocksync topics ensure\n  PARTITIONS=64 REPLICATION_FACTOR=3 stocksync topics ensure",
		Args:    cobra.NoArgs,
		RunE: a.run(func(ctx context.Context, c *call, _ []string) error {
			return c.topics(func(admin *kadm.Client) (topics.Report, error) {
				return topics.Ensure(ctx, admin, c.ensureConfig())
			})
		}),
	}
	describe := &cobra.Command{
		Use:         "describe",
		Short:       "Show the topics and how they differ from what is needed",
		Long:        describeLong,
		Example:     "  stocksync topics describe\n  stocksync topics describe --json",
		Annotations: map[string]string{exitAnnotation: exitText + exitDifferentText},
		Args:        cobra.NoArgs,
		RunE: a.run(func(ctx context.Context, c *call, _ []string) error {
			return c.topics(func(admin *kadm.Client) (topics.Report, error) {
				report, err := topics.Describe(ctx, admin, topics.Prefix(c.cfg.TopicPrefix))
				if err == nil && report.Err() != nil {
					err = ErrDifferent
				}
				return report, err
			})
		}),
	}
	addJSON(ensure)
	addJSON(describe)
	parent.AddCommand(ensure, describe, a.schemaCommand())
	return parent
}

// ensureConfig says what new topics are made like.
func (c *call) ensureConfig() topics.EnsureConfig {
	return topics.EnsureConfig{
		Prefix: topics.Prefix(c.cfg.TopicPrefix), Partitions: c.cfg.Partitions, SinkPartitions: c.cfg.SinkPartitions,
		ReplicationFactor: c.cfg.ReplicationFactor, Log: c.log,
	}
}

// topics runs Ensure or Describe and prints the report, also beside an error.
func (c *call) topics(run func(*kadm.Client) (topics.Report, error)) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	report, err := run(kadm.NewClient(cl))
	if len(report.Topics) == 0 {
		return err
	}
	if printed := c.printTopics(report); printed != nil {
		return printed
	}
	return err
}

// printTopics writes one row a topic and one line a finding.
func (c *call) printTopics(report topics.Report) error {
	if c.json {
		return printJSON(c.Stdout, report)
	}
	t := newTable("TOPIC", ">PARTITIONS", ">REPLICAS", "CLEANUP", "STATE")
	for _, topic := range report.Topics {
		state := "there"
		switch {
		case topic.Created:
			state = "created"
		case topic.Partitions == 0:
			state = "missing"
		}
		t.add(topic.Name, fmt.Sprint(topic.Partitions), fmt.Sprint(topic.Replicas),
			topic.Settings["cleanup.policy"], state)
	}
	if err := t.print(c.Stdout); err != nil {
		return err
	}
	for _, f := range report.Findings {
		if _, err := fmt.Fprintf(c.Stdout, "%s: %s\n", f.Level, f); err != nil {
			return fmt.Errorf("write result: %w", err)
		}
	}
	return nil
}
