package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// exitText closes every help text.
const exitText = "Exit codes:\n  0  done\n  1  failed\n  2  wrong usage or configuration\n"

// exitDifferentText is added for commands that check something, in the annotation of that name.
const (
	exitDifferentText = "  3  checked and found different\n"
	exitAnnotation    = "exit"
)

// usageTemplate is cobra's, with the exit codes at its end.
const usageTemplate = `Usage:{{if .Runnable}}
  {{.UseLine}}{{end}}{{if .HasAvailableSubCommands}}
  {{.CommandPath}} COMMAND{{end}}{{if .HasExample}}

Examples:
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}{{$cmds := .Commands}}{{if eq (len .Groups) 0}}

Commands:{{range $cmds}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding }} {{.Short}}{{end}}{{end}}{{else}}{{range $group := .Groups}}

{{.Title}}{{range $cmds}}{{if (and (eq .GroupID $group.ID) .IsAvailableCommand)}}
  {{rpad .Name .NamePadding }} {{.Short}}{{end}}{{end}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}

{{with index .Annotations "` + exitAnnotation + `"}}{{.}}{{else}}` + exitText + `{{end}}`

// Groups of commands in the help of stocksync itself.
const (
	groupServe = "serve"
	groupWork  = "work"
	groupLook  = "look"
	groupOther = "other"
)

// root builds the tree of commands.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:         "stocksync",
		Annotations: map[string]string{exitAnnotation: exitText + exitDifferentText},
		Short:       "Exact stock quantities from Kafka, in every marketplace store",
		Long: `stocksync folds stock mutations and sales orders from Kafka, exactly once, into the Actual and Reserved
quantity of each SKU and warehouse, writes one availability record for every change, and brings every
marketplace store to that availability.

See it work, with nothing installed:     stocksync demo
Against your own Kafka:                   stocksync topics ensure && stocksync run

Settings come from the environment; the table is below and from 'stocksync config'.
Results go to standard output, logs to standard error (LOG_LEVEL, LOG_FORMAT).`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.ArbitraryArgs,
		RunE:          a.parent(),
	}
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(a.flagError)
	root.AddGroup(
		&cobra.Group{ID: groupServe, Title: "Services:"},
		&cobra.Group{ID: groupWork, Title: "Work:"},
		&cobra.Group{ID: groupLook, Title: "Look:"},
		&cobra.Group{ID: groupOther, Title: "Other:"},
	)
	root.SetUsageTemplate(usageTemplate)
	root.SetHelpCommandGroupID(groupOther)
	root.SetCompletionCommandGroupID(groupOther)
	root.AddCommand(
		a.demoCommand(),
		a.runCommand(),
		a.processorCommand(),
		a.sinksCommand(),
		a.topicsCommand(),
		a.loadCommand(),
		a.resyncCommand(),
		a.nightlyCommand(),
		a.positionsCommand(),
		a.storesCommand(),
		a.itemsCommand(),
		a.summaryCommand(),
		a.statusCommand(),
		a.explainCommand(),
		a.auditCommand(),
		a.configCommand(),
		a.healthcheckCommand(),
		a.versionCommand(),
	)
	help := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		help(cmd, args)
		if cmd == root {
			a.helpSettings(cmd)
		}
	})
	return root
}

// parent is the body of a command that only holds others: without a further word it explains itself, as
// --help does, but that word was missing, and an unknown one is refused.
func (a *app) parent() func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			if cmd.HasParent() {
				return usagef("%s needs one of: %s", cmd.CommandPath(), strings.Join(names(cmd), ", "))
			}
			return cmd.Help()
		}
		text := fmt.Sprintf("unknown command %q for %q", args[0], cmd.CommandPath())
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			text += ": did you mean " + strings.Join(near, " or ") + "?"
		}
		return usagef("%s", text)
	}
}

// wants returns a check of the number of arguments that says in words what they are.
func wants(what string, least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return usagef("%s wants %s; got %d arguments", cmd.CommandPath(), what, len(args))
		}
		return nil
	}
}

// flagError explains a flag that is not known. After an unknown command every flag is: then that is said.
func (a *app) flagError(cmd *cobra.Command, err error) error {
	if len(a.Args) > 0 && cmd.HasSubCommands() && !strings.HasPrefix(a.Args[0], "-") && cmd.Name() != a.Args[0] {
		return usagef("unknown command %q for %q", a.Args[0], cmd.CommandPath())
	}
	return usagef("%w", err)
}

// names returns the names of the commands below cmd.
func names(cmd *cobra.Command) []string {
	var all []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			all = append(all, sub.Name())
		}
	}
	return all
}

// addJSON gives a command the flag --json.
func addJSON(cmd *cobra.Command) {
	cmd.Flags().Bool("json", false, "print the result as JSON")
}
