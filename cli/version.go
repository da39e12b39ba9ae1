package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Version is what the binary knows of its own making.
type Version struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"`
	Modified bool   `json:"modified"` // built from a tree with changes that are not committed
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// readVersion returns the build information that the Go tool put into the binary.
func readVersion() Version {
	v := Version{
		Version: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Version = info.Main.Version
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.time":
			v.Time = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

// text names the build in one word: the version, or the revision of one that has none.
func (v Version) text() string {
	const shown = 12
	if v.Version == "(devel)" && len(v.Revision) >= shown {
		return v.Revision[:shown]
	}
	return v.Version
}

func (a *app) versionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version",
		GroupID: groupOther,
		Short:   "Show version, revision and Go version of this binary",
		Long:    "Show the version of this binary, the revision it was built from and the Go version that built it.",
		Example: "  stocksync version\n  stocksync version --json",
		Args:    cobra.NoArgs,
	}
	addJSON(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		a.started = true
		v := readVersion()
		if asJSON, err := cmd.Flags().GetBool("json"); err == nil && asJSON {
			return printJSON(a.Stdout, v)
		}
		changed := ""
		if v.Modified {
			changed = " with local changes"
		}
		_, err := fmt.Fprintf(a.Stdout, "stocksync %s\nrevision %s%s %s\n%s %s\n",
			v.Version, v.Revision, changed, v.Time, v.Go, v.Platform)
		return err
	}
	return cmd
}
