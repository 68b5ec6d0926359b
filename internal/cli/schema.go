package cli

import (
	"github.com/spf13/cobra"

	"github.com/daedalus-search/daedalus/arena"
	"github.com/daedalus-search/daedalus/studyfile"
)

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema [study|arena]",
		Short: "Print the JSON Schema of study files or arena files, for editors",
		Long: `Schema prints a JSON Schema (draft 2020-12) of study files, or of arena files.
Editors that know it complete keys, show their documentation and mark mistakes
while you type.`,
		Example: `  daedalus schema > study.schema.json
  # then, as the first line of a study file:
  # yaml-language-server: $schema=study.schema.json`,
		Args:      args("study or arena", 0, 1),
		ValidArgs: []string{"study", "arena"},
		RunE: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 || args[0] == "study":
				return a.writeJSON(a.out, studyfile.Schema())
			case args[0] == "arena":
				return a.writeJSON(a.out, arena.Schema())
			}
			return usagef("there are schemas of study files and of arena files", "schema %s; expected study or arena", args[0])
		},
	}
}
