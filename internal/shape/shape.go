// Package shape reads spaces and designs as what they are on disk: JSON. Looking
// at a study needs no more, so that one can be looked at whose space this
// version could not search, and a hundred thousand designs in well under a
// second.
//
//	s, err := shape.Read(record.Space)
//	if err != nil {
//		return err
//	}
//	err = s.Walk(trial.Design, func(p shape.Place, value []byte) {
//		fmt.Printf("%s = %s\n", p.Path, value) // stages[0].width = 64
//	})
//
// [Shape.Parts] is the space as a tree, for people.
package shape

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/daedalus-search/daedalus/internal/source"
)

// A Shape is the shape of a space: what designs look like as nested JSON, in
// which order their parts stand, and what each may be.
type Shape struct {
	root *Part
	all  []*Part
}

// A Type is the type of a part's values.
type Type uint8

// The types.
const (
	Text Type = iota
	Int
	Float
	Bool
)

// A Part is one node of a space, or a case of a choice.
type Part struct {
	Name  string
	Path  string // without indexes
	Kind  string // a kind word of study files, "categorical" for a choice among values, "case" or "rule"
	Order int32  // in declaration order
	Type  Type   // of the values

	Unit   string
	Doc    string
	When   string   // its condition
	Domain string   // what it may be, for people: "8 … 64, whole, step 8"
	Values []string // the options of an ordinal, a categorical, a subset or a permutation
	Low    float64  // range of a float, an int or a repeat
	High   float64
	Log    bool

	Parent   *Part   // nil at the top
	Parts    []*Part // in declaration order: of a group, a case, a repeat; the cases of a choice; the rules of a grammar
	Body     *Part   // of a repeat of one nameless node
	Requires []string

	kids map[string]*Part
}

// Parts returns every part in declaration order.
func (s *Shape) Parts() []*Part { return s.all }

// Requires returns the constraints of the whole space.
func (s *Shape) Requires() []string { return s.root.Requires }

// Numeric reports whether the part's values are numbers with a range.
func (p *Part) Numeric() bool { return p.Kind == "float" || p.Kind == "int" || p.Kind == "repeat" }

var words = []string{"float", "int", "ordinal", "choice", "bool", "const", "group", "repeat", "subset", "permutation", "grammar"}

// Read reads the JSON of a space. No text is an empty space.
func Read(text []byte) (*Shape, error) {
	s := &Shape{root: &Part{Kind: "group", kids: map[string]*Part{}}}
	if len(text) == 0 {
		return s, nil
	}
	root, report := source.Parse("space", text)
	if err := report.Err(); err != nil {
		return nil, err
	}
	r := reader{shape: s, report: report}
	r.nodes(root.Get("space"), s.root)
	s.root.Requires = append(s.root.Requires, r.texts(root.Get("require"))...)
	return s, report.Err()
}

type reader struct {
	shape  *Shape
	report *source.Report
}

func (r *reader) texts(v *source.Value) []string {
	if v.Kind() != source.List {
		return nil
	}
	list, _ := v.List(r.report)
	out := make([]string, len(list))
	for i, x := range list {
		out[i] = x.Text()
	}
	return out
}

// list writes options for people.
func list(values []string) string {
	if len(values) > 24 {
		return strings.Join(values[:20], ", ") + fmt.Sprintf(", … (%d values)", len(values))
	}
	return strings.Join(values, ", ")
}

// span writes a range, or the one number of it, for people.
func (r *reader) span(v *source.Value) string {
	if ends := r.texts(v); len(ends) == 2 {
		return ends[0] + " … " + ends[1]
	}
	return v.Text()
}

func (r *reader) ends(v *source.Value) (low, high float64) {
	if v.Kind() == source.List {
		if ends := r.texts(v); len(ends) == 2 {
			low, _ = strconv.ParseFloat(ends[0], 64)
			high, _ = strconv.ParseFloat(ends[1], 64)
		}
		return low, high
	}
	low, _ = strconv.ParseFloat(v.Text(), 64)
	return low, low
}

// nodes reads the nodes below a part.
func (r *reader) nodes(v *source.Value, into *Part) {
	if into.kids == nil {
		into.kids = map[string]*Part{}
	}
	entries, _ := v.Map(r.report)
	for _, e := range entries {
		if e.Name() == "require" {
			into.Requires = append(into.Requires, r.texts(e.Value)...)
			continue
		}
		name := unquote(e.Name())
		r.node(name, join(into.Path, name), e.Value, into)
	}
}

// add makes a part below another one.
func (r *reader) add(name, path, kind string, parent *Part) *Part {
	p := &Part{Name: name, Path: path, Kind: kind, Order: int32(len(r.shape.all)), Parent: parent}
	if parent == r.shape.root {
		p.Parent = nil
	}
	r.shape.all = append(r.shape.all, p)
	parent.Parts = append(parent.Parts, p)
	if parent.kids == nil {
		parent.kids = map[string]*Part{}
	}
	parent.kids[name] = p
	return p
}

func (r *reader) node(name, path string, v *source.Value, parent *Part) *Part {
	p := r.add(name, path, "bool", parent)
	p.Type = Bool
	p.Unit, p.Doc, p.When = v.Get("unit").Text(), v.Get("doc").Text(), v.Get("when").Text()
	var in *source.Value
	if !v.IsScalar() {
		var word string
		if word, in, _ = v.AtMostOne(r.report, words...); word == "" {
			word = "group"
			in = v
		}
		p.Kind = word
		if word != "bool" {
			p.Type = Text
		}
	}
	switch p.Kind {
	case "group":
		r.nodes(in, p)
	case "float":
		p.Type, p.Domain = Float, r.span(in)
		p.Low, p.High = r.ends(in)
	case "int":
		p.Type, p.Domain = Int, r.span(in)+", whole"
		p.Low, p.High = r.ends(in)
	case "ordinal":
		p.Type, p.Values = typeOf(in), r.texts(in)
		p.Domain = list(p.Values) + ", in order"
	case "bool":
		p.Domain = "true or false"
	case "const":
		p.Type, p.Domain = typeOf(in), "always "+in.Text()
	case "subset":
		p.Values = r.texts(in)
		p.Domain = "some of " + list(p.Values)
	case "permutation":
		p.Values = r.texts(in)
		p.Domain = "any order of " + list(p.Values)
	case "choice":
		if in.Kind() == source.List {
			p.Kind, p.Type, p.Values = "categorical", typeOf(in), r.texts(in)
			p.Domain = "one of " + list(p.Values)
			break
		}
		p.Domain = "one of"
		cases, _ := in.Map(r.report)
		for _, e := range cases {
			below := r.add(e.Name(), join(path, e.Name()), "case", p)
			p.Values = append(p.Values, e.Name())
			r.nodes(e.Value, below)
		}
	case "repeat":
		p.Type, p.Domain = Int, r.span(in)+" times"
		p.Low, p.High = r.ends(in)
		of := v.Get("of")
		nameless := of.IsScalar()
		for _, k := range words {
			nameless = nameless || of.Has(k)
		}
		if nameless {
			p.Body = r.node("each", path, of, p)
		} else {
			r.nodes(of, p)
		}
	case "grammar":
		p.Domain = "a grammar from " + in.Get("start").Text()
		rules, _ := in.Map(r.report)
		for _, e := range rules {
			if e.Name() == "start" {
				continue
			}
			rule := r.add(e.Name(), join(path, e.Name()), "rule", p)
			productions, _ := e.Value.List(r.report)
			var all []string
			for _, x := range productions {
				s := x.Get("use").Text()
				if use := r.texts(x.Get("use")); len(use) > 0 {
					s = strings.Join(use, " ")
				}
				if w := x.Get("p"); w != nil {
					s += " (" + w.Text() + ")"
				}
				all = append(all, s)
			}
			rule.Domain = strings.Join(all, " | ")
		}
	}
	if v.Get("log").Text() == "true" {
		p.Log = true
		p.Domain += ", logarithmic"
	}
	if x := v.Get("step"); x != nil {
		p.Domain += ", step " + x.Text()
	}
	if x := v.Get("depth"); x != nil {
		p.Domain += ", at most " + x.Text() + " deep"
	}
	if x := v.Get("size"); x != nil {
		p.Domain += ", size " + r.span(x)
	}
	if v.Get("weights") != nil {
		p.Domain += ", weighted"
	}
	return p
}

// typeOf is the narrowest type that holds a value or all values of a list.
func typeOf(v *source.Value) Type {
	list := []*source.Value{v}
	if v.Kind() == source.List {
		list, _ = v.List(new(source.Report))
	}
	typ, first := Text, true
	for _, e := range list {
		t := Text
		switch e.Kind() {
		case source.Int:
			t = Int
		case source.Float:
			t = Float
		case source.Bool:
			t = Bool
		}
		switch {
		case first:
			typ, first = t, false
		case typ == t:
		case typ == Int && t == Float || typ == Float && t == Int:
			typ = Float
		default:
			return Text
		}
	}
	return typ
}

// unquote takes away the backquotes around a name that is also a word.
func unquote(name string) string {
	if n := len(name); n > 2 && name[0] == '`' && name[n-1] == '`' {
		return name[1 : n-1]
	}
	return name
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
