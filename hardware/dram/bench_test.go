//go:build unix

package dram

import (
	"context"
	"runtime"
	"syscall"
	"testing"
)

// processor returns the processor time of this process in seconds, which a busy
// machine disturbs less than the time on the clock.
func processor(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

func run(b *testing.B, s *Simulator, l *Load, c Controller) int {
	if _, err := s.Run(context.Background(), l, c); err != nil {
		b.Fatal(err)
	}
	return l.Len()
}

// measure reports millions of requests a second, and a second of processor time.
func measure(b *testing.B, each func() int) {
	each()
	b.ReportAllocs()
	start, n := processor(b), 0
	for b.Loop() {
		n += each()
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds()/1e6, "Mreq/s")
	b.ReportMetric(float64(n)/(processor(b)-start)/1e6, "Mreq/cpu-s")
}

// The mix of the 800 recorded runs, with energy and statistics: the bar is a
// mean of 2.5 million requests a second on one core.
func BenchmarkRecordedMix(b *testing.B) {
	all, rows := loads(b), recorded(b)
	s := NewSimulator()
	measure(b, func() int {
		n := 0
		for _, g := range rows {
			n += run(b, s, all[g.trace], g.c)
		}
		return n
	})
}

// Random reads under FR-FCFS, in every recorded setting of the rest: the bar is
// 1.5 million requests a second.
func BenchmarkRandomFrFcfs(b *testing.B) {
	l := loads(b)["random"]
	var cs []Controller
	for _, g := range recorded(b) {
		if g.trace == "random" && g.c.Scheduler == FrFcfs {
			cs = append(cs, g.c)
		}
	}
	s := NewSimulator()
	measure(b, func() int {
		n := 0
		for _, c := range cs {
			n += run(b, s, l, c)
		}
		return n
	})
}

// Random reads under FR-FCFS with deep queues.
func BenchmarkRandomFrFcfsDeep(b *testing.B) {
	l := loads(b)["random"]
	s := NewSimulator()
	measure(b, func() int {
		return run(b, s, l, Controller{Scheduler: FrFcfs, RequestBufferSize: 8, RefreshPolicy: AllBank, Arbiter: ArbiterReorder, MaxActiveTransactions: 128})
	})
}

// Half writes under the scheduler that groups them.
func BenchmarkMixedFrFcfsGrp(b *testing.B) {
	m := must(Builtin("ddr3-1600"))
	l := must(m.Load(must(Generator{Pattern: Uniform, Seed: 1, Writes: 0.5}.Trace())))
	s := NewSimulator()
	measure(b, func() int {
		return run(b, s, l, Controller{Scheduler: FrFcfsGrp, RequestBufferSize: 8, Arbiter: ArbiterFifo, MaxActiveTransactions: 64})
	})
}

// Designs in parallel, a simulator each: requests a second over all cores.
func BenchmarkParallelDesigns(b *testing.B) {
	all, rows := loads(b), recorded(b)
	start := processor(b)
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		s := NewSimulator()
		for i := 0; p.Next(); i++ {
			g := rows[i%len(rows)]
			run(b, s, all[g.trace], g.c)
		}
	})
	n := float64(10_000 * b.N)
	b.ReportMetric(n/b.Elapsed().Seconds()/1e6, "Mreq/s")
	b.ReportMetric(n/(processor(b)-start)/1e6, "Mreq/cpu-s")
	b.ReportMetric(float64(runtime.GOMAXPROCS(0)), "cores")
}
