//go:build !linux

package process

// AwaitExit reports that this system cannot wait without reaping.
func (g *Group) AwaitExit() bool { return false }
