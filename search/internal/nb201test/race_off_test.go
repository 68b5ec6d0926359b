//go:build !race

package nb201test_test

const raceEnabled = false
