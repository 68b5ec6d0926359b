// Package dram simulates a memory controller and the DRAM behind it, command by
// command: which requests wait where, what is sent to which bank when, and what
// that costs in energy.
//
//	mem, _ := dram.NewMemory(dram.DDR3_1600(), dram.DDR3_1600Map())
//	load, _ := mem.Load(dram.Random(10_000, 1))
//	r, _ := dram.NewSimulator().Run(ctx, load, dram.Controller{Scheduler: dram.FrFcfs, RequestBufferSize: 8})
//	fmt.Println(r.TimePS, r.Energy.TotalPJ(), r.Stats.RowHits)
//
// Start with [Spec] (what a memory can do, read from DRAMSys' JSON), [AddressMap]
// (which bits of an address name the bank and the row), [Trace] (who asks for
// what when, read from .stl or generated), [Controller] (the ten policies that
// can be chosen) and [Simulator], which is reused from run to run and then does
// not allocate. [Check] judges a list of commands without knowing how it came
// about; [ReadCommands] and [Analyze] are DRAMPower's energy model for command
// traces of any origin.
//
// The controller is that of DRAMSys 4.0 (Steiner, Jung, Prado, Bykov and Wehn,
// "DRAMSys4.0: A Fast and Cycle-Accurate SystemC/TLM-Based DRAM Simulator", SAMOS
// 2020), the energy that of DRAMPower 4 (Chandrasekar et al., drampower.info).
// On DDR3 every one of 800 recorded runs of the originals comes out, in time to
// the picosecond. docs/hardware-dram.md explains the model and its limits.
//
// Times are clock cycles of the memory unless a name says otherwise.
package dram
