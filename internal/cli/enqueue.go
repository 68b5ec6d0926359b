package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/daedalus-search/daedalus/internal/term"
	"github.com/daedalus-search/daedalus/space"
	"github.com/daedalus-search/daedalus/study"
)

func (a *app) enqueueCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "enqueue STUDY.yaml [DESIGN …]",
		Short: "Have designs of your own tried next",
		Long: `Enqueue puts designs in front of what the search method proposes: the one in
production, a guess of yours. The next "run" or "ask" takes them first. Designs
are JSON as "ask" and "export" print it, given as arguments or on standard
input.`,
		Example: `  daedalus enqueue tuning.yaml '{"opt": "O2", "tile": 32, "fast": true}'
  daedalus export old.yaml --best | daedalus enqueue tuning.yaml`,
		Args:              args("STUDY.yaml", 1, -1),
		ValidArgsFunction: completeStudy,
		RunE: func(cmd *cobra.Command, args []string) error {
			texts := make([][]byte, 0, len(args))
			for _, x := range args[1:] {
				texts = append(texts, []byte(x))
			}
			if len(texts) == 0 {
				d := json.NewDecoder(a.in)
				for {
					var raw json.RawMessage
					err := d.Decode(&raw)
					if errors.Is(err, io.EOF) {
						break
					}
					if err != nil {
						return usagef("", "standard input: design %d: %v", len(texts)+1, err)
					}
					texts = append(texts, raw)
				}
			}
			if len(texts) == 0 {
				return usagef("`daedalus enqueue --help` shows examples", "no design is given")
			}
			return a.drive(cmd.Context(), args[0], func(s *study.Study) error {
				var ds []space.Design
				var errs []error
				for i, text := range texts {
					d, err := s.Space().ParseJSON(text)
					if err != nil {
						errs = append(errs, fmt.Errorf("design %d: %w", i+1, err))
						continue
					}
					ds = append(ds, d)
				}
				if err := errors.Join(errs...); err != nil {
					return &failure{err: err, code: exitUsage, hint: "nothing was enqueued; `daedalus show " + args[0] + "` prints the space"}
				}
				if err := s.Enqueue(cmd.Context(), ds...); err != nil {
					return err
				}
				if a.json {
					return a.writeJSON(a.out, map[string]int{"enqueued": len(ds)})
				}
				a.note("%s will be tried next", term.Plural(int64(len(ds)), "design"))
				return nil
			})
		},
	}
}
