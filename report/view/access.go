package view

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
)

// Find returns the index of the column of a name.
func (v *View) Find(name string) (int, bool) {
	for i := range v.Columns {
		if v.Columns[i].Name == name {
			return i, true
		}
	}
	return -1, false
}

// Numbers returns the numbers of a column, one for each row: of a category or a
// text the index of the value, from 0. NaN stands where there is none, and
// everywhere if there is no such column.
func (v *View) Numbers(column int) []float64 {
	out := make([]float64, v.Trials.Rows)
	for i := range out {
		out[i] = math.NaN()
	}
	if column < 0 || column >= len(v.Columns) {
		return out
	}
	c := &v.Columns[column]
	xs := v.decode(c.Block, c.Encoding)
	if c.Kind != "number" {
		for i, x := range xs {
			if x > 0 {
				out[i] = x - 1
			}
		}
		return out
	}
	if len(c.Values) == 0 {
		copy(out, xs)
		return out
	}
	for i, x := range xs {
		if k := int(x) - 1; k >= 0 && k < len(c.Values) {
			if f, ok := c.Values[k].(float64); ok {
				out[i] = f
			}
		}
	}
	return out
}

// Texts returns the values of a category or a text, which the numbers of the
// column count from 0; nil if the column holds numbers.
func (v *View) Texts(column int) []string {
	if column < 0 || column >= len(v.Columns) || v.Columns[column].Kind == "number" {
		return nil
	}
	c := &v.Columns[column]
	values := c.Values
	if c.Texts != "" {
		values = nil
		if json.Unmarshal(v.blocks[c.Texts].bytes, &values) != nil {
			return nil
		}
	}
	out := make([]string, len(values))
	for i, x := range values {
		out[i], _ = x.(string)
	}
	return out
}

// Steps returns the intermediate results of one of Curves.Metrics: their rows,
// steps and values, by row and step. A step without the metric has NaN.
func (v *View) Steps(metric int) (rows []int, steps, values []float64) {
	if v.Curves == nil || metric < 0 || metric >= len(v.Curves.Metrics) {
		return nil, nil, nil
	}
	at := v.decode("curves.row", "u32")
	rows = make([]int, len(at))
	for i, x := range at {
		rows[i] = int(x)
	}
	return rows, v.decode("curves.step", "f64"), v.decode("curves.value."+strconv.Itoa(metric), "f64")
}

// decode reads a block of numbers.
func (v *View) decode(name, encoding string) []float64 {
	b := v.blocks[name]
	if b.width == 0 {
		return nil
	}
	le := binary.LittleEndian
	out := make([]float64, len(b.bytes)/b.width)
	for i := range out {
		p := b.bytes[i*b.width:]
		switch encoding {
		case "f64":
			out[i] = math.Float64frombits(le.Uint64(p))
		case "f32":
			out[i] = float64(math.Float32frombits(le.Uint32(p)))
		case "i32":
			if out[i] = float64(int32(le.Uint32(p))); out[i] == absent {
				out[i] = math.NaN()
			}
		case "u8":
			out[i] = float64(p[0])
		case "u16":
			out[i] = float64(le.Uint16(p))
		case "u32":
			out[i] = float64(le.Uint32(p))
		}
	}
	return out
}
