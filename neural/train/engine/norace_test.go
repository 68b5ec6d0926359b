//go:build !race

package engine_test

// backends are those that every machine has.
var backends = []string{"cpu", "go"}
