package cli

import (
	"os"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets this test binary be the daedalus command of scripts.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"daedalus": func() { os.Exit(Main()) }})
}

// script runs one file of testdata.
func script(t *testing.T, name string) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Files:               []string{"testdata/" + name + ".txtar"},
		RequireExplicitExec: true,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exit": wantExit,
		},
	})
}

// wantExit is the script command "exit CODE COMMAND …".
func wantExit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exit CODE COMMAND …")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if e, ok := err.(interface{ ExitCode() int }); ok {
		code = e.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if want := args[0]; want != strconv.Itoa(code) {
		ts.Fatalf("exit code %d, want %s", code, want)
	}
}
