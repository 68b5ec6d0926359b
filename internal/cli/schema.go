package cli

import (
	"github.com/spf13/cobra"

	"github.com/daedalus-search/daedalus/studyfile"
)

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of study files, for editors",
		Long: `Schema prints a JSON Schema (draft 2020-12) of study files. Editors that know
it complete keys, show their documentation and mark mistakes while you type.`,
		Example: `  daedalus schema > study.schema.json
  # then, as the first line of a study file:
  # yaml-language-server: $schema=study.schema.json`,
		Args: args("no arguments", 0, 0),
		RunE: func(*cobra.Command, []string) error { return a.writeJSON(a.out, studyfile.Schema()) },
	}
}
