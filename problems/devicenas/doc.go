// Package devicenas is the search for networks for a device of which only a few
// networks were measured, as when a phone is new and its owner has an afternoon.
//
//	p, err := devicenas.Options{Device: "samsung_a50", Samples: 10}.New()
//
// Models of other devices and the measured networks make a model of this one
// (package hardware/device); the search sees what that predicts. What it found
// is judged, by [Judged.Verify], by the latency that was really measured. No
// batch size of the device itself is among those known.
//
// On NAS-Bench-201 accuracies, latencies and what verifies them are measured. Of
// FBNet's networks no accuracy was published: operations and parameters stand for
// capacity, and what verifies is a sum fitted to 5,000 timed networks.
//
// With [Options].Measurements, a CSV of your own, the device is yours: then nobody
// knows the truth, and the problem is no [problem.Verifier].
package devicenas
