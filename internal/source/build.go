package source

// MapOf returns a map of some entries, placed where at stands, so that a part
// of a map can be read as a whole.
func MapOf(at *Value, entries ...Entry) *Value {
	v := &Value{kind: Map}
	if at != nil {
		v.from, v.line, v.column, v.via = at.from, at.line, at.column, at.via
	}
	v.size = 2
	for _, e := range entries {
		v.appendEntry(e)
		v.size += e.Value.size + e.Key.size + 2
		v.depth = max(v.depth, e.Value.depth)
	}
	v.depth++
	return v
}
