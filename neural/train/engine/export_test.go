package engine

import "github.com/daedalus-search/daedalus/neural/train/internal/cpu"

// CPU returns the backend of a device, if it is ours.
func (d *Device) CPU() (*cpu.Backend, bool) {
	b, ok := d.b.(*cpu.Backend)
	return b, ok
}

// OnDevice makes a device add gradients by computations, as where memory is not
// shared.
func (d *Device) OnDevice() { d.shared = false }

// Compiled returns how many networks and computations are compiled.
func (d *Device) Compiled() (nets, programs int) {
	for e := d.entries.order.Front(); e != nil; e = e.Next() {
		nets++
		programs += e.Value.(pair[entryKey, *entry]).v.programs.order.Len()
	}
	return nets, programs
}
