package study

import "testing"

func TestReworded(t *testing.T) {
	t.Parallel()
	const before = `{"study":"a","problem":{"vision":{"train":{"epochs":40,"batch":16},"side":16}},"seed":1}`
	const kept = ", since the last run: its 6 trials are kept as they were measured; to measure them again, start the study afresh"
	for now, want := range map[string]string{
		before: "",
		`{"problem":{"vision":{"side":16,"train":{"batch":16,"epochs":40}}},"budget":{"trials":9}}`: "",
		`{"problem":{"vision":{"train":{"epochs":30,"batch":16},"side":16}}}`:                       "problem.vision.train.epochs changed from 40 to 30" + kept,
		`{"problem":{"vision":{"train":{"batch":16},"side":16}}}`:                                   "problem.vision.train.epochs changed from 40 to what is not given" + kept,
		`{"problem":{"vision":{"train":{"epochs":40,"batch":16},"side":24,"grey":true}}}`:           "problem.vision.grey changed from what is not given to true (and 1 more)" + kept,
		`{"problem":"nasbench201"}`: `problem changed from {"vision":{"side":16,"train":{"batch":16,"epochs":40}}} to "nasbench201"` + kept,
		`{"problem":`:               "", // it is told elsewhere what is wrong
		``:                          "",
	} {
		if got := reworded([]byte(before), []byte(now), 6); got != want {
			t.Errorf("%s: %q, want %q", now, got, want)
		}
	}
	if got := reworded(nil, []byte(before), 6); got != "" {
		t.Errorf("a new study: %q", got)
	}
}
