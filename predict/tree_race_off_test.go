//go:build !race

package predict_test

const raceOn = false
