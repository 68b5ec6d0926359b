//go:build race

package cpu_test

// underRace says whether the race detector is on, under which products in GoMLX's own
// backend end the process (it makes pointers past the end of slices).
const underRace = true
