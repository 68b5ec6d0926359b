// Package device predicts how long a neural network takes on a CPU, a GPU or a
// phone, from as few measurements as there are.
//
// What is known of the device decides the model:
//
//   - nothing but its datasheet: a [Roofline], the larger of computing and
//     moving for each layer
//   - a few hundred measured layers: a [LayerTable], read off and interpolated
//   - a few hundred measured networks: an [Additive] model, a number for each
//     setting of each place, or a [Learned] one, any learner of package predict
//   - ten measured networks, and models of other devices: a [Transferred] model
//
// The last is the question of HELP (Lee, Lee, Chong and Hwang, "HELP:
// Hardware-Adaptive Efficient Latency Prediction for NAS via Meta-Learning",
// NeurIPS 2021). A [Space] says what networks there are, [Measurements] hold
// what was timed and come from a CSV, and [Save] and [Load] keep a [Model]:
//
//	m, err := device.ReadMeasurements(file, "fbnet.csv", device.FBNet())
//	model, err := device.AdditiveOptions{}.Fit(m.Of("pixel3"))
//	ms := model.LatencyMS(network)
//
// [BitFusion] is a simulator beside these, of an accelerator whose units split
// into ones of fewer bits.
package device
