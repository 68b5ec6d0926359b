//go:build race

package predict_test

// raceOn says that the race detector makes everything many times slower; tests
// then check one setting of several.
const raceOn = true
