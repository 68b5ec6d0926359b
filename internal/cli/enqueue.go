package cli

import (
	"cmp"
	"context"
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
	var numbers []int64
	var from string
	cmd := &cobra.Command{
		Use:   "enqueue STUDY.yaml [DESIGN …]",
		Short: "Have designs of your own tried next",
		Long: `Enqueue puts designs in front of what the search method proposes: the one in
production, a guess of yours. The next "run" or "ask" takes them first. Designs
are JSON as "ask" and "export" print it, given as arguments or on standard
input, or those of trials (--trial) of this study or of another one (--from). A
design that was measured before is measured again only if the study says
duplicates: evaluate.`,
		Example: `  daedalus enqueue tuning.yaml '{"opt": "O2", "tile": 32, "fast": true}'
  daedalus enqueue tuning.yaml --trial 17
  daedalus enqueue tuning.yaml --from old.db --trial 3 --trial 8
  daedalus export old.yaml --best | daedalus enqueue tuning.yaml`,
		Args:              args("STUDY.yaml", 1, -1),
		ValidArgsFunction: completeStudy,
		RunE: func(cmd *cobra.Command, args []string) error {
			texts := make([][]byte, 0, len(args))
			for _, x := range args[1:] {
				texts = append(texts, []byte(x))
			}
			if from != "" && len(numbers) == 0 {
				return usagef("for example --from "+from+" --trial 3", "--from without --trial")
			}
			if len(numbers) > 0 {
				again, err := a.designsOf(cmd.Context(), cmp.Or(from, args[0]), numbers)
				if err != nil {
					return err
				}
				texts = append(texts, again...)
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
	cmd.Flags().Int64SliceVar(&numbers, "trial", nil, "the design of this trial; may be repeated")
	cmd.Flags().StringVar(&from, "from", "", "the study that --trial speaks of, if it is another one")
	return cmd
}

// designsOf reads the designs of some trials.
func (a *app) designsOf(ctx context.Context, arg string, numbers []int64) ([][]byte, error) {
	r, err := a.look(ctx, arg)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out [][]byte
	for _, n := range numbers {
		t, err := r.trial(ctx, arg, n)
		if err != nil {
			return nil, err
		}
		out = append(out, t.Design)
	}
	return out, nil
}
