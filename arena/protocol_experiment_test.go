//go:build experiment

package arena

import (
	"bytes"
	"strings"
	"testing"
)

// The protocol of "NAS evaluation is frustratingly hard" (Yang, Esperança and
// Carlucci 2020) on NAS-Bench-201, 100 trials, 100 seeds: relative improvement
// over the average cell with its interval, beside the gain over random search
// with the same budget. The accuracy is the signal, validation after 12 epochs, by
// which random search has an RI of 21, 46 and 59 %: an RI alone says nothing; nothing whose gain has an interval that reaches 0
// is called better; annealing that never cools is not better than random search.
//
//	go test ./arena -tags experiment -run ExperimentProtocol -v
func TestExperimentProtocol(t *testing.T) {
	f := parse(t, `
problems:
  - {nasbench201: {dataset: cifar10, disconnected: keep}, objectives: [maximize accuracy], label: CIFAR-10}
  - {nasbench201: {dataset: cifar100, disconnected: keep}, objectives: [maximize accuracy], label: CIFAR-100}
  - {nasbench201: {dataset: imagenet16, disconnected: keep}, objectives: [maximize accuracy], label: ImageNet16-120}
searchers: [regularized, tpe, {annealing: {temperature: 1000, cooling: 1}, label: hot annealing}]
seeds: 100
budget: {trials: 100}
`)
	res, err := f.Run(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := Analyse(t.Context(), f, res)
	if err != nil {
		t.Fatal(err)
	}
	verdicts := map[Verdict]string{Better: "better", Same: "no difference shown", Worse: "worse", Unknown: "the baseline"}
	for p, v := range a.Problems {
		for _, s := range a.Standing {
			c := s.Cells[p]
			t.Logf("%-14s %-14s RI %6.2f [%6.2f, %6.2f] %%, over the trimmed mean %5.2f, over the median %5.2f; gain over random search %5.2f [%5.2f, %5.2f] %%: %s",
				v.Label, s.Label, c.RI.At, c.RI.Low, c.RI.High, c.RITrimmed, c.RIMedian, c.Gain.At, c.Gain.Low, c.Gain.High, verdicts[c.Verdict])
			if !(c.RI.Low <= c.RI.At && c.RI.At <= c.RI.High && c.RI.Low > 0) {
				t.Errorf("%s on %s: relative improvement %v; expected an interval above 0", s.Label, v.Label, c.RI)
			}
			if c.Verdict == Better && c.Gain.Low <= 0 || c.Verdict == Worse && c.Gain.High >= 0 {
				t.Errorf("%s on %s: called %s with a gain of %v", s.Label, v.Label, verdicts[c.Verdict], c.Gain)
			}
			if s.Label == "hot annealing" && c.Verdict == Better || s.Label == "tpe" && c.Verdict != Better {
				t.Errorf("%s on %s is called %s", s.Label, v.Label, verdicts[c.Verdict])
			}
		}
	}
	var page bytes.Buffer
	if err := WriteHTML(&page, a); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"RI", "100 seeds", "95 %", "trimmed mean"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}
