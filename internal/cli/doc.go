// Package cli is the command line: flags to calls, and results to tables or
// JSON. There is one file for each verb. app.go holds what all verbs share,
// subject.go finds the study that an argument names, and design.go, front.go
// and progress.go say how designs, fronts and running studies look.
package cli
