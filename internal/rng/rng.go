// Package rng makes the random streams of a study.
//
// Every consumer of randomness has its own stream, named by the study's seed, a
// purpose and a number (a trial, a worker, a repetition). Streams are never
// shared, so adding a consumer or running in another order changes nothing for
// the others, and the numbers are the same on every platform.
//
//	r := rng.New(7, "evolution/mutate", trial)
//	x := rng.Norm(r)
package rng

import (
	"math/rand/v2"

	"github.com/daedalus-search/daedalus/internal/detmath"
)

// New returns the stream for (seed, purpose, id). Streams that differ in any of
// the three are independent for practical purposes.
func New(seed uint64, purpose string, id uint64) *rand.Rand {
	return rand.New(rand.NewPCG(State(seed, purpose, id)))
}

// State returns the 128-bit generator state of the stream for (seed, purpose,
// id), for callers that reuse one generator with [rand.PCG.Seed] instead of
// allocating a new one.
func State(seed uint64, purpose string, id uint64) (hi, lo uint64) {
	// Two lanes absorb the same words in different ways. The length of the
	// purpose is absorbed too, so no two inputs give the same words.
	hi, lo = 0x9e3779b97f4a7c15, 0xd1b54a32d192ed03
	hi, lo = absorb(hi, lo, seed)
	hi, lo = absorb(hi, lo, uint64(len(purpose)))
	for len(purpose) > 0 {
		var w uint64
		n := min(len(purpose), 8)
		for i := range n {
			w |= uint64(purpose[i]) << (8 * i)
		}
		hi, lo = absorb(hi, lo, w)
		purpose = purpose[n:]
	}
	hi, lo = absorb(hi, lo, id)
	return mix(hi ^ (lo<<32 | lo>>32)), mix(lo + hi)
}

func absorb(hi, lo, w uint64) (uint64, uint64) {
	hi = mix(hi ^ w)
	lo = mix(lo + w*0x9e3779b97f4a7c15 + hi)
	return hi, lo
}

// mix is Stafford's variant 13 of the MurmurHash3 finaliser, as in SplitMix64
// (Steele, Lea and Flood 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Norm returns a standard normal deviate.
//
// It inverts the distribution function at one uniform draw, so it consumes
// exactly one Uint64 and, unlike [rand.Rand.NormFloat64], has the same bits on
// every platform. Values lie within ±8.21.
func Norm(r *rand.Rand) float64 {
	return detmath.PhiInv(Open(r))
}

// Open returns a uniform number in the open interval (0, 1), symmetric around
// one half: (k + 1/2) / 2**52.
func Open(r *rand.Rand) float64 {
	return float64((float64(r.Uint64()>>12) + 0.5) * 0x1p-52)
}
