//go:build race

package engine_test

// backends leaves out go: a kernel of GoMLX's steps beyond an array with a pointer that
// it does not use, which the race detector's checks end the process for.
var backends = []string{"cpu"}
