package source

import (
	"strconv"
	"strings"
)

// Set changes what a dotted path leads to, as --set budget.trials=1000 on a
// command line does. The value is read as YAML, so 1000, true, "text",
// [a, b] and {k: v} mean what they mean in a file, and an empty value is
// [Null]. Elements of a list are named by number, from 0: problems.0.seed or
// problems[0].seed; the number after the last adds an element. Maps on the way
// that do not exist are made.
//
// A mistake is reported, and leaves v as it was. Diagnostics about the new
// value, then and later, name "--set path" as their place.
func Set(r *Report, v *Value, path, value string) bool {
	from := &origin{name: "--set " + path, flag: true, text: value}
	place := func() *Value { return &Value{from: from, line: 1, column: 1} }
	steps := strings.Split(strings.NewReplacer("[", ".", "]", "").Replace(path), ".")
	for _, s := range steps {
		if s == "" {
			r.Errorf(place(), "path %s has an empty part", quote(path)).Want = "names separated by dots, as in budget.trials"
			return false
		}
	}
	if v == nil {
		r.Errorf(place(), "there is no file to set %s in", quote(path))
		return false
	}
	own := new(Report)
	fresh := parse(from, value, own)
	r.Merge(own)
	if fresh == nil || own.Failed() {
		return false
	}
	if len(steps)+fresh.depth > MaxDepth {
		r.Errorf(place(), "nested too deeply: more than %d levels of lists and maps", MaxDepth)
		return false
	}

	// First see that every step can be taken, so that a mistake changes nothing.
	for i, at := 0, v; i < len(steps) && at != nil && at.kind != Null; i++ {
		next, ok := at.child(steps[i])
		if !ok {
			d := r.Errorf(place(), "%s", at.cannotHold(steps, i))
			d.Found = found(at)
			return false
		}
		at = next
	}
	for i, step := range steps {
		if v.kind == Null { // what is empty becomes a map
			v.kind, v.text, v.from, v.line, v.column = Map, "", from, 1, 1
		}
		child := fresh
		if i < len(steps)-1 {
			// Values may be shared by aliases: change a copy.
			if old, _ := v.child(step); old != nil {
				c := *old
				c.list = append([]*Value(nil), old.list...)
				c.entries = append([]Entry(nil), old.entries...)
				c.reindex()
				child = &c
			} else {
				child = place()
			}
		}
		v.replace(step, child, from)
		v = child
	}
	return true
}

// child returns what a step leads to: nil where there is nothing yet, and ok
// false where there can be nothing.
func (v *Value) child(step string) (child *Value, ok bool) {
	switch v.kind {
	case Map:
		return v.Get(step), true
	case List:
		n, err := strconv.Atoi(step)
		if err != nil || n < 0 || n > len(v.list) {
			return nil, false
		}
		if n < len(v.list) {
			return v.list[n], true
		}
		return nil, true
	}
	return nil, v.kind == Null
}

func (v *Value) cannotHold(steps []string, i int) string {
	holder := "the file"
	if i > 0 {
		holder = strings.Join(steps[:i], ".")
	}
	if v.kind == List {
		return holder + " is a list: " + quote(steps[i]) + " must be a number from 0 to " + strconv.Itoa(len(v.list))
	}
	return holder + " is " + found(v) + ", and so cannot have " + quote(steps[i])
}

func (v *Value) replace(step string, child *Value, from *origin) {
	if v.kind == List {
		n, _ := strconv.Atoi(step)
		if n == len(v.list) {
			v.list = append(v.list, child)
		} else {
			v.list[n] = child
		}
		return
	}
	if i := v.find(step); i >= 0 {
		v.entries[i].Value = child
		return
	}
	v.appendEntry(Entry{Key: &Value{kind: String, text: step, from: from, line: 1, column: 1}, Value: child})
}
