//go:build !invariants

package serving

func (b *replica) invariants() {}
