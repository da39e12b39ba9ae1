package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"stocksync/topics"
)

func (a *app) schemaCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schema [TOPIC]",
		Short: "Print the JSON Schema of a topic's values",
		Long: `Print the JSON Schema (2020-12) of a topic's values, with examples; of dead-letters, that of their headers.
TOPIC is a base name, such as orders, or a full one. Without it, list the topics that have a schema.`,
		Example: "  stocksync topics schema\n  stocksync topics schema mutations > mutations.json",
		Args:    cobra.MaximumNArgs(1),
		RunE: a.run(func(_ context.Context, c *call, args []string) error {
			if len(args) == 0 {
				return c.printSchemas()
			}
			text, err := topics.Schema(strings.TrimPrefix(args[0], c.cfg.TopicPrefix))
			if err != nil {
				return usagef("%w: 'stocksync topics schema' lists those that have one", err)
			}
			_, err = c.Stdout.Write(text)
			return err
		}),
	}
	addJSON(cmd)
	return cmd
}

// printSchemas lists the topics that have a schema, with what the schemas call their values.
func (c *call) printSchemas() error {
	type row struct {
		Topic string `json:"topic"`
		Title string `json:"title"`
	}
	t, rows := newTable("TOPIC", "VALUE"), []row{}
	for _, d := range topics.Definitions() {
		text, err := topics.Schema(d.Base)
		if err != nil {
			continue // its values are binary
		}
		r := row{Topic: d.Base}
		if err := json.Unmarshal(text, &r); err != nil {
			return fmt.Errorf("read schema of %s: %w", d.Base, err)
		}
		rows = append(rows, r)
		t.add(r.Topic, r.Title)
	}
	if c.json {
		return printJSON(c.Stdout, rows)
	}
	return t.print(c.Stdout)
}
