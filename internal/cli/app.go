package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/pprof"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/neural/train"
	"github.com/daedalus-search/daedalus/problems/networks"
	"github.com/daedalus-search/daedalus/study"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2 // a wrong command line or a study file with mistakes
	exitOver        = 3 // of ask: nothing is left to evaluate
	exitInterrupted = 130
)

// app is what the commands share.
type app struct {
	in       io.Reader
	out, err io.Writer
	json     bool
	quiet    bool
	verbose  bool
	profile  string
	began    bool // a command has taken over from the parser of the command line
}

// Main runs the command line of this process and returns its exit code. The
// first interrupt asks the command to finish; a second one ends it at once.
func Main() int {
	// Networks are trained in processes of their own, which are this program again.
	train.Main(networks.Handlers())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		stop()
	}()
	return Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}

// Run runs one command and returns its exit code.
func Run(ctx context.Context, args []string, in io.Reader, out, err io.Writer) int {
	a := &app{in: in, out: out, err: err}
	root := a.root()
	root.SetArgs(args)
	e := root.ExecuteContext(ctx)
	if e == nil {
		return exitOK
	}
	return a.fail(ctx, args, e)
}

// A failure is an error with an exit code of its own or with advice.
type failure struct {
	err   error
	code  int
	hint  string
	quiet bool // everything was said already
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func usagef(hint, format string, args ...any) error {
	return &failure{err: fmt.Errorf(format, args...), code: exitUsage, hint: hint}
}

func failf(hint, format string, args ...any) error {
	return &failure{err: fmt.Errorf(format, args...), code: exitFailed, hint: hint}
}

// fail reports an error and returns the exit code.
func (a *app) fail(ctx context.Context, args []string, err error) int {
	code, hint := exitFailed, ""
	var f *failure
	var mistakes *source.Report
	isReport := errors.As(err, &mistakes)
	switch {
	case errors.As(err, &f):
		code, hint = f.code, f.hint
		if f.quiet {
			return code
		}
	case isReport:
		code = exitUsage
	case !a.began:
		code, hint = exitUsage, "`daedalus --help` lists the commands, `daedalus COMMAND --help` explains one"
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		code, err = exitInterrupted, errors.New("interrupted")
	case errors.As(err, new(*study.ConfigError)):
		code = exitUsage
	}
	for _, x := range args { // the flag may stand behind the mistake that stopped the parser
		if x == "--" {
			break
		}
		a.json = a.json || x == "--json"
	}
	if a.json {
		e := map[string]any{"error": strings.TrimSpace(err.Error()), "exit": code}
		if hint != "" {
			e["hint"] = hint
		}
		if isReport {
			e["diagnostics"] = mistakes
		}
		_ = a.writeJSON(a.err, e)
		return code
	}
	if isReport {
		fmt.Fprintln(a.err, strings.TrimRight(err.Error(), "\n"))
	} else {
		fmt.Fprintf(a.err, "daedalus: %s\n", strings.TrimRight(err.Error(), "\n"))
	}
	if hint != "" {
		fmt.Fprintf(a.err, "  %s\n", hint)
	}
	return code
}

func (a *app) writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	return nil
}

// note tells the user something on standard error.
func (a *app) note(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintf(a.err, format+"\n", args...)
	}
}

// say writes a line of the result.
func (a *app) say(format string, args ...any) { fmt.Fprintf(a.out, format+"\n", args...) }

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "daedalus",
		Short: "Search for architectures: describe what may be built, get the best designs",
		Long: `Daedalus searches spaces of designs: networks, kernels, chips, pipelines, anything
that a space can describe and a program or a built-in problem can measure.

A study file says what may be built, what is measured, what counts and how long
to look. "run" answers it and keeps every trial in a file beside it, so that it
can be stopped and continued at any time.`,
		Example: `  daedalus init                      # write a small study of your own
  daedalus run study.yaml            # search, print the front
  daedalus run study.yaml --trials 1000
  daedalus front study.yaml          # look again later
  daedalus list problems             # what is built in`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			a.began = true
			if a.quiet && a.verbose {
				return usagef("give one of them", "both --quiet and --verbose")
			}
			return a.startProfile()
		},
		PersistentPostRun: func(*cobra.Command, []string) {
			if a.profile != "" {
				pprof.StopCPUProfile()
			}
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	f := root.PersistentFlags()
	f.BoolVar(&a.json, "json", false, "machine-readable output on standard output; errors are JSON on standard error")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "no progress and no notes")
	f.BoolVarP(&a.verbose, "verbose", "v", false, "more detail: a line a trial")
	f.StringVar(&a.profile, "cpuprofile", "", "write a CPU profile to this file")
	_ = f.MarkHidden("cpuprofile")
	root.AddGroup(
		&cobra.Group{ID: "search", Title: "Search:"},
		&cobra.Group{ID: "look", Title: "Look at results:"},
		&cobra.Group{ID: "drive", Title: "Evaluate by yourself:"},
		&cobra.Group{ID: "learn", Title: "Learn:"},
	)
	add := func(group string, cmds ...*cobra.Command) {
		for _, c := range cmds {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("search", a.runCommand(), a.compareCommand(), a.showCommand(), a.initCommand())
	add("look", a.reportCommand(), a.frontCommand(), a.bestCommand(), a.trialsCommand(), a.exportCommand(), a.plotCommand(), a.doctorCommand())
	add("drive", a.askCommand(), a.tellCommand(), a.enqueueCommand())
	add("learn", a.listCommand(), a.schemaCommand(), a.versionCommand())
	root.SetHelpCommandGroupID("learn")
	root.SetCompletionCommandGroupID("learn")
	return root
}

func (a *app) startProfile() error {
	if a.profile == "" {
		return nil
	}
	f, err := os.Create(a.profile)
	if err != nil {
		return err
	}
	return pprof.StartCPUProfile(f)
}

// args demands a number of arguments and names the missing one.
func args(names string, least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		hint := "`" + cmd.CommandPath() + " --help` shows examples"
		switch {
		case len(args) < least:
			return usagef(hint, "%s needs %s", cmd.Name(), strings.Join(strings.Fields(names)[len(args):least], " and "))
		case most >= 0 && len(args) > most:
			return usagef(hint, "%s takes %s; found %q too", cmd.Name(), names, args[most])
		}
		return nil
	}
}

// completeStudy offers study files and their databases.
func completeStudy(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return []string{"yaml", "yml", "db"}, cobra.ShellCompDirectiveFilterFileExt
}
