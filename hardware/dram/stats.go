package dram

import "slices"

// A Result is what one run gave.
type Result struct {
	TimePS int64 // until the client has its last answer
	Cycles int64 // the same in cycles of the memory's clock
	Energy Energy
	Ranks  []Counts // what the energy of each rank was computed from; valid until the simulator runs again
	PowerW float64  // mean of the time that the energy was counted for, as DRAMPower reports it
	Stats  Stats
}

// TimeMS returns TimePS in milliseconds.
func (r *Result) TimeMS() float64 { return float64(r.TimePS) / 1e9 }

// Stats are what else a run shows. Latencies count from when the client asks to
// when it has the answer.
type Stats struct {
	Requests, Reads, Writes int

	RowHits      int // requests that found their row open
	RowMisses    int // that found the bank closed
	RowConflicts int // for which another row had to be closed first

	Activates, Precharges, Refreshes int64 // commands; precharges count banks

	LatencyMeanNS                                    float64
	LatencyP50NS, LatencyP95NS, LatencyP99NS         float64
	LatencyMaxNS                                     float64
	QueueMean                                        float64 // requests that wait in the scheduler, mean over the time
	QueueMax                                         int
	InFlightMean                                     float64 // requests asked and not answered, mean over the time
	BandwidthBytesPerSecond, BusUtilisation, HitRate float64
}

// A Command is one that was sent to the memory.
type Command struct {
	Cycle   int64
	Kind    Kind
	Rank    int
	Bank    int   // of all ranks; the first of the rank for PREA and REF
	Row     int   // of ACT, reads and writes
	Request int32 // that it serves, from 0; -1 if none
}

// latencies is a histogram of cycles, reused from run to run.
type latencies struct {
	counts []uint32
	high   []int64 // those above the histogram
	sum    int64
	max    int64
}

const histogram = 1 << 14

func (l *latencies) reset() {
	if l.counts == nil {
		l.counts = make([]uint32, histogram)
	} else {
		clear(l.counts)
	}
	l.high, l.sum, l.max = l.high[:0], 0, 0
}

func (l *latencies) add(cycles int64) {
	l.sum += cycles
	l.max = max(l.max, cycles)
	if cycles < histogram {
		l.counts[cycles]++
	} else {
		l.high = append(l.high, cycles)
	}
}

// percentiles returns, for rising percents, the smallest latency that so many
// of n requests do not exceed.
func (l *latencies) percentiles(n int, percents []int, out []int64) {
	slices.Sort(l.high)
	seen, at := 0, -1
	for i, p := range percents {
		rank := max((n*p+99)/100, 1)
		for seen < rank && at < histogram-1 {
			at++
			seen += int(l.counts[at])
		}
		if out[i] = int64(at); seen < rank {
			out[i] = l.high[rank-(n-len(l.high))-1]
		}
	}
}
