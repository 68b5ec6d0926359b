// Package command is the problem whose evaluator is a program, in any language.
//
// The program gets one design and prints what it measured:
//
//	#!/usr/bin/env python3
//	import json, sys
//	design = json.load(sys.stdin)
//	print(json.dumps({"runtime": run(design["tile"], design["unroll"])}))
//
// It is started directly; nothing goes through a shell.
//
//	p, err := command.New(space, command.Options{
//		Command: []string{"python3", "evaluate.py"},
//		Metrics: []metric.Metric{{Name: "runtime", Unit: "ms"}},
//		Timeout: 30 * time.Second,
//	})
//
// # What the program is given
//
// The design as one line of JSON on standard input, and the same in a file that
// the environment variable DAEDALUS_DESIGN names. A program that reads neither
// is fine. The file is gone when the program has ended. If a study runs it,
// DAEDALUS_STUDY, DAEDALUS_TRIAL, DAEDALUS_ATTEMPT (from 1) and DAEDALUS_SEED
// say for what; a program that draws random numbers should use the seed, which
// is the same for every attempt of a trial.
//
// If the options declare a fidelity, the amount of effort stands beside the
// parameters under its name, and in DAEDALUS_FIDELITY. DAEDALUS_CHECKPOINT is a
// folder that belongs to the design, and DAEDALUS_RESUME_FROM the amount at which
// an earlier evaluation of it ended, if this one may go on from there.
//
// # What it prints
//
// The metrics, on standard output, in one of two forms or both:
//
//	{"runtime": 12.5, "energy": 3.1}    a JSON object, on one line or several
//	runtime=12.5 energy=3.1             pairs; "runtime: 12.5" does as well
//
// Of several JSON objects that name a metric the last counts. A metric may be
// followed by its unit, as in "runtime=12.5 ms", if that is the declared one.
// All other lines are taken for a log and ignored, and so are names that nobody
// declared. Every declared metric must be there, once, and be a finite number.
//
// Intermediate results are lines with a step, which counts from 1:
//
//	{"step": 3, "loss": 0.51}
//	step=3 loss=0.51
//
// They are passed on as they arrive (so the program must not keep them in its
// buffer: flush). If they look bad the program is ended and the trial pruned.
//
// A program that finds that a design cannot be built prints why and exits, with
// any exit code:
//
//	infeasible: needs 12 registers, there are 8
//	{"infeasible": "needs 12 registers, there are 8"}
//
// # How it ends
//
// Exit code 0 means that the output holds. Exit code 75 (EX_TEMPFAIL of
// sysexits.h) means that it is worth trying again; any other, and a signal, is
// a crash. On a timeout, and when the study is stopped or prunes the trial, the
// whole process group gets SIGTERM and, after a grace period, SIGKILL. What the
// program left running in its process group when it ended is killed too, at
// once if it does not hold standard output or standard error open, otherwise
// half a second later. On Windows a job object takes the group's place, and
// CTRL_BREAK that of SIGTERM.
//
// Output may be of any length: it is read as it comes, and of standard error
// the end is kept for the trial's record.
package command
