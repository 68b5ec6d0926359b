//go:build race

package illuminate

const raceEnabled = true
