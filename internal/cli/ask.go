package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/space"
	"github.com/daedalus-search/daedalus/study"
)

// taskJSON is a design to be evaluated, as ask prints it.
type taskJSON struct {
	Trial  int64        `json:"trial"`
	Design space.Design `json:"design"`
	Seed   uint64       `json:"seed"`
	Why    string       `json:"why,omitempty"`

	Fidelity   float64 `json:"fidelity,omitempty"`
	Resumed    float64 `json:"resumed_at,omitempty"`
	Checkpoint string  `json:"checkpoint,omitempty"`
}

func (a *app) askCommand() *cobra.Command {
	var n int
	var running bool
	cmd := &cobra.Command{
		Use:   "ask STUDY.yaml",
		Short: "Get designs to evaluate by yourself, as JSON",
		Long: `Ask hands out designs for evaluation by any program, on any machine, and "tell"
takes the results. The problem of the study file is not run. Each design is one
line of JSON: {"trial": 3, "design": {…}, "seed": …}; --json prints one array.

A trial that was handed out stays running until it is told, also if nothing
ever comes: --running lists these. When the budget is spent or the space is
exhausted, ask prints nothing and exits with code 3.`,
		Example: `  daedalus ask tuning.yaml
  daedalus ask tuning.yaml -n 4 --json
  while task=$(daedalus ask tuning.yaml); do
    trial=$(echo "$task" | jq .trial)
    daedalus tell tuning.yaml $trial runtime=$(echo "$task" | jq .design | ./measure)
  done`,
		Args:              args("STUDY.yaml", 1, 1),
		ValidArgsFunction: completeStudy,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			var tasks []study.Task
			err := a.drive(ctx, args[0], func(s *study.Study) (err error) {
				if running {
					tasks = s.Running()
					return nil
				}
				tasks, err = s.Ask(ctx, n)
				return err
			})
			if errors.Is(err, study.ErrBudget) || errors.Is(err, search.ErrExhausted) {
				return &failure{err: err, code: exitOver, hint: "`daedalus front " + args[0] + "` shows the result"}
			}
			if err != nil {
				return err
			}
			out := make([]taskJSON, len(tasks))
			for i, t := range tasks {
				out[i] = taskJSON(t)
			}
			if a.json {
				return a.writeJSON(a.out, out)
			}
			for _, t := range out {
				if err := a.writeLine(t); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().IntVarP(&n, "number", "n", 1, "how many designs")
	cmd.Flags().BoolVar(&running, "running", false, "list the trials that were handed out and not told yet")
	return cmd
}

// writeLine writes a value as JSON on one line.
func (a *app) writeLine(v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	_, err := a.out.Write(b.Bytes())
	return err
}
