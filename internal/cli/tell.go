package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/internal/term"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/study"
)

// A result is what is told about one trial.
type result struct {
	Trial      *int64             `json:"trial"`
	Values     map[string]float64 `json:"values"`
	Failed     string             `json:"failed"`
	Infeasible string             `json:"infeasible"`
}

func (a *app) tellCommand() *cobra.Command {
	var failed, infeasible string
	cmd := &cobra.Command{
		Use:   "tell STUDY.yaml [TRIAL [NAME=VALUE …]]",
		Short: "Report what you measured for a design from ask",
		Long: `Tell finishes a trial that "ask" handed out, with the metrics that the study
file names. Without NAME=VALUE they are read from standard input as JSON:
{"runtime": 12.5, "energy": 3.1}. Without TRIAL, standard input has one result a
line: {"trial": 3, "values": {"runtime": 12.5}}, or "failed" or "infeasible"
with the reason in the place of "values".

A result that tell has accepted is safe on the disk. Telling it again does no
harm.`,
		Example: `  daedalus tell tuning.yaml 3 runtime=12.5 energy=3.1
  ./measure | daedalus tell tuning.yaml 3
  daedalus tell tuning.yaml 4 --failed "board did not answer"
  daedalus tell tuning.yaml 5 --infeasible "needs 12 registers, there are 8"`,
		Args:              args("STUDY.yaml", 1, -1),
		ValidArgsFunction: completeStudy,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			isFailed, isInfeasible := cmd.Flags().Changed("failed"), cmd.Flags().Changed("infeasible")
			results, err := a.results(args[1:], isFailed, failed, isInfeasible, infeasible)
			if err != nil {
				return err
			}
			return a.drive(ctx, args[0], func(s *study.Study) error {
				for i, r := range results {
					if err := checkNames(r.Values, s.Config().Problem.Metrics()); err != nil {
						return err
					}
					if err := s.Tell(ctx, *r.Trial, r.Values, r.failure()); err != nil {
						hint := "`daedalus ask " + args[0] + " --running` lists the trials that wait for a result"
						if i > 0 {
							hint = fmt.Sprintf("the first %d results were taken; %s", i, hint)
						}
						if !errors.Is(err, study.ErrNotRunning) {
							return err
						}
						return failf(hint, "%w", err)
					}
				}
				p := s.Progress()
				if a.json {
					return a.writeJSON(a.out, map[string]any{"told": len(results), "evaluated": p.Evaluated, "front": p.FrontSize, "running": len(s.Running())})
				}
				if !a.quiet {
					a.note("%s evaluated, front of %s", term.Plural(p.Evaluated, "trial"), term.Plural(int64(p.FrontSize), "design"))
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&failed, "failed", "", "the evaluation failed, with this message")
	cmd.Flags().StringVar(&infeasible, "infeasible", "", "the design cannot be built, for this reason")
	return cmd
}

func (r *result) failure() error {
	switch {
	case r.Infeasible != "":
		return &problem.InfeasibleError{Reason: r.Infeasible}
	case r.Failed != "":
		return &problem.EvalError{Class: problem.ClassCrash, Err: errors.New(r.Failed)}
	}
	return nil
}

// results reads what is told from the command line and standard input.
func (a *app) results(args []string, isFailed bool, failed string, isInfeasible bool, infeasible string) ([]result, error) {
	if len(args) == 0 {
		if isFailed || isInfeasible {
			return nil, usagef("for example: daedalus tell study.yaml 3 --failed MESSAGE", "--failed and --infeasible need the number of the trial")
		}
		return a.resultLines()
	}
	number, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil || number < 0 {
		return nil, usagef("it is the \"trial\" that ask printed", "trial %q: expected a number", args[0])
	}
	r := result{Trial: &number}
	switch {
	case isFailed && isInfeasible:
		return nil, usagef("give one of them", "both --failed and --infeasible")
	case (isFailed || isInfeasible) && len(args) > 1:
		return nil, usagef("", "values together with --failed or --infeasible")
	case isFailed:
		r.Failed = or(failed, "the evaluation failed")
	case isInfeasible:
		r.Infeasible = or(infeasible, "the design cannot be built")
	case len(args) > 1:
		r.Values = map[string]float64{}
		for _, x := range args[1:] {
			name, value, ok := strings.Cut(x, "=")
			f, err := strconv.ParseFloat(value, 64)
			if !ok || err != nil {
				return nil, usagef("", "%q: expected NAME=NUMBER", x)
			}
			if _, twice := r.Values[name]; twice {
				return nil, usagef("", "%s is given twice", name)
			}
			r.Values[name] = f
		}
	default:
		text, err := io.ReadAll(io.LimitReader(a.in, 1<<20))
		if err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
		if err := json.Unmarshal(text, &r.Values); err != nil {
			return nil, usagef(`for example {"runtime": 12.5}`, "standard input: expected a JSON object of metrics: %v", err)
		}
	}
	return []result{r}, nil
}

func (a *app) resultLines() ([]result, error) {
	var out []result
	d := json.NewDecoder(a.in)
	d.DisallowUnknownFields()
	for {
		var r result
		err := d.Decode(&r)
		if errors.Is(err, io.EOF) {
			if len(out) == 0 {
				return nil, usagef("", "standard input is empty; expected results as JSON, one a line")
			}
			return out, nil
		}
		if err == nil && (r.Trial == nil || (r.Values == nil) == (r.Failed == "" && r.Infeasible == "")) {
			err = errors.New(`expected "trial" and one of "values", "failed" and "infeasible"`)
		}
		if err != nil {
			return nil, usagef(`for example {"trial": 3, "values": {"runtime": 12.5}}`, "standard input: result %d: %v", len(out)+1, err)
		}
		out = append(out, r)
	}
}

// checkNames refuses metrics that the study does not know; a misspelt one would
// be lost silently.
func checkNames(v metric.Values, known []metric.Metric) error {
	names := make([]string, len(known))
	for i, m := range known {
		names[i] = m.Name
	}
	for _, name := range slices.Sorted(maps.Keys(v)) {
		if slices.Contains(names, name) {
			continue
		}
		hint := "known are " + strings.Join(names, ", ")
		if near, ok := source.Nearest(name, names); ok {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		return usagef(hint, "the study has no metric %q", name)
	}
	return nil
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
