//go:build race

package model_test

const gpRace = true
