//go:build !invariants

package dram

const invariants = false

func (s *Simulator) check(*Result) {}
