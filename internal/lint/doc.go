// Package lint keeps the laws of the house as tests: which package may import
// which, which third-party modules were decided on, and that nothing which
// steers a search depends on the clock, on hidden randomness or on the
// platform.
package lint
