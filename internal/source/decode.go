package source

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Decode reads a map into the struct that into points to, strictly: an unknown
// key, a wrong type or a value out of range is reported with its place and
// what was expected. It reports whether all went well, and sets every field it
// can either way. A nil or empty value stands for a map without keys.
//
// Fields are named by their tags; a field without a yaml tag is left alone:
//
//	type Options struct {
//		Population int           `yaml:"population" default:"100" min:"2" doc:"living designs"`
//		Crossover  float64       `yaml:"crossover" default:"0.9" min:"0" max:"1"`
//		Rate       float64       `yaml:"rate" default:"0.1" min:">0" doc:"> and < exclude the bound"`
//		Select     string        `yaml:"select" default:"rank" oneof:"rank tournament"`
//		Timeout    time.Duration `yaml:"timeout" default:"30s" min:"1s"`
//		Layers     []int         `yaml:"layers" default:"[64, 64]" min:"1"`
//		Target     *float64      `yaml:"target" doc:"a pointer may be empty"`
//		Space      string        `yaml:"space,required"`
//	}
//
// A key that is not in the file gives its field the default tag's value; a
// field without that tag keeps what it had. The bounds of a slice or a map are
// those of its elements. Structs nest, and an embedded struct without a tag
// adds its keys to those around it. A field of type *Value takes what it finds
// as it is, one of type any takes [Value.Plain], and a type with UnmarshalText
// reads a scalar's text.
//
// Decode panics if into is not a pointer to a struct, or if a tag makes no
// sense: those are mistakes of the program, and its tests meet them at once.
func Decode(r *Report, v *Value, into any) bool {
	p := reflect.ValueOf(into)
	if p.Kind() != reflect.Pointer || p.IsNil() || p.Elem().Kind() != reflect.Struct {
		panic(fmt.Sprintf("source: Decode into %T, want a pointer to a struct", into))
	}
	return decodeStruct(r, v, p.Elem())
}

// Defaults gives every field the value of its default tag, as [Decode] of an
// empty map does; keys that are required are not asked for.
func Defaults(into any) { Decode(new(Report), &Value{kind: Map}, into) }

// A field is what the tags of one struct field say.
type field struct {
	at       []int // the index path, through embedded structs
	name     string
	typ      reflect.Type
	doc      string
	fallback string // the default tag
	hasFall  bool
	required bool
	limits   bounds
}

// bounds are the min, max and oneof tags.
type bounds struct {
	min, max string // as in the tags
	limits   []Limit
	oneOf    []string
}

var (
	durationType  = reflect.TypeFor[time.Duration]()
	valueType     = reflect.TypeFor[*Value]()
	textType      = reflect.TypeFor[encoding.TextUnmarshaler]()
	fieldsOfTypes sync.Map // reflect.Type → []field
)

// fieldsOf returns the tagged fields of a struct type, in order.
func fieldsOf(t reflect.Type) []field {
	if fs, ok := fieldsOfTypes.Load(t); ok {
		return fs.([]field)
	}
	var fs []field
	for sf := range t.Fields() {
		tag, tagged := sf.Tag.Lookup("yaml")
		if !tagged && sf.Anonymous && sf.Type.Kind() == reflect.Struct {
			for _, f := range fieldsOf(sf.Type) {
				f.at = append(slices.Clone(sf.Index), f.at...)
				fs = append(fs, f)
			}
			continue
		}
		if !tagged || tag == "-" {
			continue
		}
		name, option, _ := strings.Cut(tag, ",")
		f := field{at: sf.Index, name: name, typ: sf.Type, doc: sf.Tag.Get("doc"), required: option == "required"}
		where := t.String() + "." + sf.Name
		if !sf.IsExported() || name == "" || option != "" && option != "required" {
			panic(fmt.Sprintf("source: field %s has the tag yaml:%q, want an exported field and a name", where, tag))
		}
		if typeName(sf.Type) == "" {
			panic(fmt.Sprintf("source: field %s has type %s, which cannot be decoded into", where, sf.Type))
		}
		f.fallback, f.hasFall = sf.Tag.Lookup("default")
		f.limits = boundsOf(sf, where)
		fs = append(fs, f)
	}
	for i, f := range fs {
		if slices.ContainsFunc(fs[:i], func(g field) bool { return g.name == f.name }) {
			panic(fmt.Sprintf("source: struct %s has two fields named %s", t, f.name))
		}
		if f.hasFall {
			f.setDefault(reflect.New(f.typ).Elem()) // panics if it breaks its own rules
		}
	}
	fieldsOfTypes.Store(t, fs)
	return fs
}

func boundsOf(sf reflect.StructField, where string) bounds {
	b := bounds{min: sf.Tag.Get("min"), max: sf.Tag.Get("max"), oneOf: strings.Fields(sf.Tag.Get("oneof"))}
	scalar := element(sf.Type)
	limit := func(tag, exclude string, closed, open func(float64) Limit) {
		if tag == "" {
			return
		}
		text, exclusive := strings.CutPrefix(tag, exclude)
		var x float64
		var err error
		switch {
		case scalar == durationType:
			var d time.Duration
			d, err = time.ParseDuration(text)
			x = d.Seconds()
		case isNumber(scalar):
			x, err = strconv.ParseFloat(text, 64)
		default:
			err = fmt.Errorf("%s has no order", scalar)
		}
		if err != nil {
			panic(fmt.Sprintf("source: field %s has the bound %q: %v", where, tag, err))
		}
		if exclusive {
			closed = open
		}
		b.limits = append(b.limits, closed(x))
	}
	limit(b.min, ">", AtLeast, Above)
	limit(b.max, "<", AtMost, Below)
	return b
}

// element is the type that bounds apply to.
func element(t reflect.Type) reflect.Type {
	for t != valueType && (t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map) {
		if reflect.PointerTo(t).Implements(textType) {
			break
		}
		t = t.Elem()
	}
	return t
}

func isNumber(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Float32, reflect.Float64:
		return true
	}
	return false
}

// typeName is the name of a type in help texts, or "" for one that cannot be
// decoded into.
func typeName(t reflect.Type) string {
	switch {
	case t == durationType:
		return "duration"
	case t == valueType:
		return "any"
	case reflect.PointerTo(t).Implements(textType):
		return "text"
	}
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "bool"
	case reflect.Float32, reflect.Float64:
		return "float"
	case reflect.Struct:
		return "map"
	case reflect.Interface:
		if t.NumMethod() == 0 {
			return "any"
		}
	case reflect.Pointer:
		return typeName(t.Elem())
	case reflect.Slice:
		if e := typeName(t.Elem()); e != "" {
			return "list of " + e
		}
	case reflect.Map:
		if e := typeName(t.Elem()); e != "" && t.Key().Kind() == reflect.String {
			return "map of " + e
		}
	}
	if isNumber(t) {
		return "int"
	}
	return ""
}

func decodeStruct(r *Report, v *Value, into reflect.Value) bool {
	fields := fieldsOf(into.Type())
	ok := true
	if !v.IsNull() {
		names := make([]string, len(fields))
		for i, f := range fields {
			names[i] = f.name
		}
		ok = v.Fields(r, names...)
	}
	var missing []string
	for _, f := range fields {
		target := into.FieldByIndex(f.at)
		value := v.Get(f.name)
		if value != nil {
			ok = decodeValue(r, value, target, &f.limits) && ok
			continue
		}
		if f.required {
			missing = append(missing, f.name)
		}
		switch {
		case f.hasFall:
			f.setDefault(target)
		case target.Kind() == reflect.Struct && typeName(target.Type()) == "map" && !f.required:
			ok = decodeStruct(r, nil, target) && ok
		}
	}
	switch {
	case len(missing) == 0:
	case v == nil:
		r.Errorf(nil, "keys %s are missing", quoteAll(missing))
		ok = false
	case v.kind == Null:
		mismatch(r, v, "a map with "+quoteAll(missing), "")
		ok = false
	default:
		ok = v.Required(r, missing...) && ok
	}
	return ok
}

// setDefault panics where the default tag does not fit its own field.
func (f *field) setDefault(target reflect.Value) {
	v := &Value{kind: String, text: f.fallback}
	own := new(Report)
	if e := typeName(f.typ); e != "text" {
		v, own = Parse("default of "+f.name, []byte(f.fallback))
	}
	if own.Failed() || !decodeValue(own, v, target, &f.limits) {
		panic(fmt.Sprintf("source: field %s has the default %q: %v", f.name, f.fallback, own))
	}
}

func decodeValue(r *Report, v *Value, into reflect.Value, b *bounds) bool {
	t := into.Type()
	switch {
	case t == valueType:
		into.Set(reflect.ValueOf(v))
		return true
	case t == durationType:
		d, ok := v.Duration(r, b.limits...)
		if ok {
			into.SetInt(int64(d))
		}
		return ok && b.listed(r, v)
	case t.Kind() != reflect.Pointer && reflect.PointerTo(t).Implements(textType):
		if !v.IsScalar() || v.kind == Null {
			mismatch(r, v, "text", "")
			return false
		}
		if err := into.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(v.text)); err != nil {
			r.Errorf(v, "%s: %v", found(v), err).Found = found(v)
			return false
		}
		return b.listed(r, v)
	}
	switch t.Kind() {
	case reflect.Pointer:
		if v.IsNull() {
			into.SetZero()
			return true
		}
		p := reflect.New(t.Elem())
		if !decodeValue(r, v, p.Elem(), b) {
			return false
		}
		into.Set(p)
		return true
	case reflect.Struct:
		if v.kind == Null {
			mismatch(r, v, "a map", "leave the key out for its defaults")
			return false
		}
		return decodeStruct(r, v, into)
	case reflect.Slice:
		list, ok := v.List(r)
		if !ok {
			return false
		}
		s := reflect.MakeSlice(t, len(list), len(list))
		for i, e := range list {
			ok = decodeValue(r, e, s.Index(i), b) && ok
		}
		into.Set(s)
		return ok
	case reflect.Map:
		entries, ok := v.Map(r)
		if !ok {
			return false
		}
		m := reflect.MakeMapWithSize(t, len(entries))
		for _, e := range entries {
			x := reflect.New(t.Elem()).Elem()
			ok = decodeValue(r, e.Value, x, b) && ok
			m.SetMapIndex(reflect.ValueOf(e.Key.text).Convert(t.Key()), x)
		}
		into.Set(m)
		return ok
	case reflect.Interface:
		if p := v.Plain(); p != nil {
			into.Set(reflect.ValueOf(p))
		} else {
			into.SetZero()
		}
		return true
	case reflect.String:
		if len(b.oneOf) > 0 {
			s, ok := v.Word(r, b.oneOf...)
			if ok {
				into.SetString(s)
			}
			return ok
		}
		s, ok := v.Str(r)
		if ok {
			into.SetString(s)
		}
		return ok
	case reflect.Bool:
		x, ok := v.Bool(r)
		if ok {
			into.SetBool(x)
		}
		return ok
	case reflect.Float32, reflect.Float64:
		x, ok := v.Float(r, b.limits...)
		if !ok {
			return false
		}
		if into.OverflowFloat(x) {
			mismatch(r, v, "a number that fits 32 bits", "")
			return false
		}
		into.SetFloat(x)
		return b.listed(r, v)
	}
	if into.CanUint() {
		return b.unsigned(r, v, into)
	}
	n, ok := v.Int(r, b.limits...)
	if !ok {
		return false
	}
	if into.OverflowInt(n) {
		bits := t.Bits()
		mismatch(r, v, fmt.Sprintf("a whole number from %d to %d", int64(-1)<<(bits-1), int64(1)<<(bits-1)-1), "")
		return false
	}
	into.SetInt(n)
	return b.listed(r, v)
}

// unsigned reads all 64 bits, which seeds use, where [Value.Int] has 63.
func (b *bounds) unsigned(r *Report, v *Value, into reflect.Value) bool {
	if v.kind == Int {
		if n, err := strconv.ParseUint(decimal(v.text), 10, 64); err == nil && n > math.MaxInt64 && !into.OverflowUint(n) {
			for _, l := range b.limits {
				if !l.holds(float64(n)) {
					mismatch(r, v, "a whole number "+within(b.limits, showInt), "")
					return false
				}
			}
			into.SetUint(n)
			return b.listed(r, v)
		}
	}
	limits := b.limits
	if b.min == "" {
		limits = append([]Limit{AtLeast(0)}, limits...)
	}
	n, ok := v.Int(r, limits...)
	if !ok {
		return false
	}
	if n < 0 || into.OverflowUint(uint64(n)) {
		mismatch(r, v, fmt.Sprintf("a whole number from 0 to %d", ^uint64(0)>>(64-into.Type().Bits())), "")
		return false
	}
	into.SetUint(uint64(n))
	return b.listed(r, v)
}

// listed holds a scalar against the oneof tag, by its text.
func (b *bounds) listed(r *Report, v *Value) bool {
	if len(b.oneOf) == 0 {
		return true
	}
	_, ok := v.Word(r, b.oneOf...)
	return ok
}
