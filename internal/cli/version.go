package cli

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Version returns the version of this engine: of the module if it was
// installed as one, else of the commit it was built from.
func Version() string {
	b, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := b.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	v := "devel"
	if r := setting(b, "vcs.revision"); r != "" {
		v += "-" + r[:min(12, len(r))]
		if setting(b, "vcs.modified") == "true" {
			v += "+dirty"
		}
	}
	return v
}

func setting(b *debug.BuildInfo, key string) string {
	for _, s := range b.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long:  "Version prints what this program was built from. Studies record it too.",
		Example: `  daedalus version
  daedalus version --json`,
		Args: args("no arguments", 0, 0),
		RunE: func(*cobra.Command, []string) error {
			if !a.json {
				a.say("daedalus %s (%s, %s/%s)", Version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
				return nil
			}
			v := map[string]string{"version": Version(), "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH}
			if b, ok := debug.ReadBuildInfo(); ok {
				v["commit"], v["time"] = setting(b, "vcs.revision"), setting(b, "vcs.time")
			}
			return a.writeJSON(a.out, v)
		},
	}
}
