package study

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// reworded says how a study file describes the problem otherwise than at the last run,
// or "". What was measured then is not measured again, and need not compare with what
// will be.
func reworded(before, now []byte, trials int) string {
	read := func(text []byte) (any, bool) {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		var spec struct {
			Problem any `json:"problem"`
		}
		return spec.Problem, d.Decode(&spec) == nil && spec.Problem != nil
	}
	old, ok := read(before)
	if !ok {
		return ""
	}
	problem, ok := read(now)
	if !ok {
		return ""
	}
	var all []string
	differences("problem", old, problem, &all)
	if len(all) == 0 {
		return ""
	}
	more := ""
	if len(all) > 1 {
		more = fmt.Sprintf(" (and %d more)", len(all)-1)
	}
	return fmt.Sprintf("%s%s, since the last run: its %d trials are kept as they were measured; to measure them again, start the study afresh", all[0], more, trials)
}

// differences lists where two values of JSON differ, in the order of their keys.
func differences(path string, a, b any, all *[]string) {
	x, ok := a.(map[string]any)
	y, both := b.(map[string]any)
	if ok && both {
		keys := maps.Clone(x)
		maps.Copy(keys, y)
		for _, k := range slices.Sorted(maps.Keys(keys)) {
			differences(path+"."+k, x[k], y[k], all)
		}
		return
	}
	was, err := json.Marshal(a)
	is, err2 := json.Marshal(b)
	if err != nil || err2 != nil || bytes.Equal(was, is) {
		return
	}
	say := func(x any, text []byte) string {
		const most = 60
		switch {
		case x == nil:
			return "what is not given"
		case len(text) > most:
			return string(bytes.ToValidUTF8(text[:most], nil)) + "…"
		}
		return string(text)
	}
	*all = append(*all, fmt.Sprintf("%s changed from %s to %s", path, say(a, was), say(b, is)))
}
