package predict

import (
	"fmt"
	"reflect"
)

// A plainModel is a model that is a struct of exported fields made of numbers,
// strings, slices, pointers and structs of such. It is saved field by field, a
// slice with its length before it, a pointer with whether it is there.
type plainModel interface {
	Model
	saveKind() string
	// sound reports whether the fields fit together, so that no file can make
	// Predict reach outside a slice.
	sound() bool
}

// plainRow returns the row of saveKinds of a kind of plain model.
func plainRow[T any, P interface {
	*T
	plainModel
}]() saveRow {
	return saveRow{kind: P(new(T)).saveKind(), version: 1, read: func(r *saveReader, _ uint64) Model {
		m := P(new(T))
		plainRead(r, reflect.ValueOf(m).Elem())
		if r.err == nil && !m.sound() {
			r.fail(r.what, "fields that do not fit together", "a model that was saved here")
		}
		if r.err != nil {
			return nil
		}
		return m
	}}
}

func plainSave(w *saveWriter, m plainModel) { plainWrite(w, reflect.ValueOf(m).Elem()) }

var plainModelType = reflect.TypeFor[Model]()

func plainWrite(w *saveWriter, v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		w.bool(v.Bool())
	case reflect.Int, reflect.Int32, reflect.Int8:
		w.int(int(v.Int()))
	case reflect.Uint64:
		w.uint(v.Uint())
	case reflect.Float32, reflect.Float64:
		w.float(v.Float())
	case reflect.String:
		w.string(v.String())
	case reflect.Slice:
		w.uint(uint64(v.Len()))
		for i := range v.Len() {
			plainWrite(w, v.Index(i))
		}
	case reflect.Pointer:
		w.bool(!v.IsNil())
		if !v.IsNil() {
			plainWrite(w, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				plainWrite(w, v.Field(i))
			}
		}
	case reflect.Interface:
		m, _ := v.Interface().(Model)
		w.model(m)
	default:
		panic(fmt.Sprintf("predict: cannot save a %v", v.Type()))
	}
}

func plainRead(r *saveReader, v reflect.Value) {
	if r.err != nil {
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(r.bool())
	case reflect.Int, reflect.Int32, reflect.Int8:
		x := r.int()
		if v.OverflowInt(int64(x)) {
			r.fail(r.what, fmt.Sprint(x), "a smaller number")
			return
		}
		v.SetInt(int64(x))
	case reflect.Uint64:
		v.SetUint(r.uint())
	case reflect.Float32, reflect.Float64:
		v.SetFloat(r.float())
	case reflect.String:
		v.SetString(r.string())
	case reflect.Slice:
		size := 1
		if k := v.Type().Elem().Kind(); k == reflect.Float32 || k == reflect.Float64 {
			size = 8
		}
		n := r.count(size)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := 0; i < n && r.err == nil; i++ {
			plainRead(r, v.Index(i))
		}
	case reflect.Pointer:
		if r.bool() {
			v.Set(reflect.New(v.Type().Elem()))
			plainRead(r, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				plainRead(r, v.Field(i))
			}
		}
	case reflect.Interface:
		if m := r.model(); m != nil && reflect.TypeOf(m).AssignableTo(plainModelType) {
			v.Set(reflect.ValueOf(m))
		}
	default:
		panic(fmt.Sprintf("predict: cannot read a %v", v.Type()))
	}
}

// sound reports whether a form reads no column outside a row of the given
// length and writes no number outside its width.
func (f *linForm) sound(columns int) bool {
	if f == nil || columns < 1 || f.Width < 0 {
		return false
	}
	to := 0
	for _, c := range f.Cols {
		if c.From < 0 || c.From >= columns || c.To != to {
			return false
		}
		to++
		if c.Flag {
			to++
		}
		if len(c.Slot) > 0 {
			to += len(c.Share) - 1
			if len(c.Share) == 0 || c.Flag {
				return false
			}
			for _, s := range c.Slot {
				if int(s) >= len(c.Share) {
					return false
				}
			}
		}
	}
	return to == f.Width
}

func (m *ridgeModel) saveKind() string      { return "ridge" }
func (m *ridgeModel) save(w *saveWriter)    { plainSave(w, m) }
func (m *elasticModel) saveKind() string    { return "elastic net" }
func (m *elasticModel) save(w *saveWriter)  { plainSave(w, m) }
func (m *neighborModel) saveKind() string   { return "neighbors" }
func (m *neighborModel) save(w *saveWriter) { plainSave(w, m) }

func (m *ridgeModel) sound() bool {
	return m.Form.sound(m.Columns) && len(m.B) == m.Form.Width && len(m.Mean) == 1 && len(m.Direction) == len(m.Rank)*m.Form.Width
}

func (m *elasticModel) sound() bool {
	return m.Form.sound(m.Columns) && len(m.B) == m.Form.Width
}

func (m *neighborModel) sound() bool {
	return m.Form.sound(m.Columns) && m.K > 0 && len(m.Y) > 0 && len(m.Y) == len(m.W) && len(m.X) == len(m.Y)*m.Form.Width
}

// plainKinds are the rows of saveKinds of the plain models.
func plainKinds() []saveRow {
	return []saveRow{
		plainRow[ridgeModel](),
		plainRow[elasticModel](),
		plainRow[neighborModel](),
		plainRow[mlpModel](),
		plainRow[retModel](),
		plainRow[stackModel](),
		plainRow[transferModel](),
		plainRow[bosModel](),
	}
}

func (m *stackModel) columnCount() int { return m.Columns }

func (m *transferModel) columnCount() int {
	_, columns := m.transferForm()
	return columns
}
