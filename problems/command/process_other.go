//go:build !linux

package command

// awaitExit reports that this system cannot wait without reaping.
func (g *group) awaitExit() bool { return false }
