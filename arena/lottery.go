package arena

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/daedalus-search/daedalus/catalog"
	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/space"
)

// lotteryOptions are the scalar keys of "lottery".
type lotteryOptions struct {
	Settings int           `yaml:"settings" default:"16" min:"2" max:"10000" doc:"random settings of each searcher, besides the one it stands in the arena with"`
	Seed     uint64        `yaml:"seed" default:"0" doc:"seed that draws them"`
	Seeds    *source.Value `yaml:"seeds" doc:"seeds of each setting: a number or a list; by default the first three"`
	Problems *source.Value `yaml:"problems" doc:"labels of the problems; by default all"`
	Search   *source.Value `yaml:"searchers" doc:"labels of the searchers, each with the space of its options or nothing; by default all of the catalog's that have options"`
}

func (r *reader) lottery(v *source.Value) {
	if v == nil {
		return
	}
	var o lotteryOptions
	if v.IsNull() {
		v = source.MapOf(v)
	}
	if !source.Decode(r.report, v, &o) {
		return
	}
	l := &Lottery{Settings: map[string][]Setting{}, Seeds: r.f.Seeds[:min(3, len(r.f.Seeds))]}
	if o.Seeds != nil {
		l.Seeds = r.seeds(o.Seeds, 3)
	}
	labels := make([]string, len(r.f.Problems))
	for i, p := range r.f.Problems {
		labels[i] = p.Label
	}
	l.Problems = labels
	if o.Problems != nil {
		l.Problems = nil
		for _, x := range r.items(o.Problems) {
			if w, ok := x.Word(r.report, labels...); ok {
				l.Problems = append(l.Problems, w)
			}
		}
	}
	for i := range r.f.Searchers {
		s := &r.f.Searchers[i]
		var own *source.Value
		if o.Search != nil {
			if own = r.entry(o.Search, s.Label); own == nil {
				continue
			}
		}
		if own == nil && (s.Peer != nil || s.Name == "auto" || s.Name == RandomName) {
			continue
		}
		if s.Peer != nil || s.Name == "auto" {
			r.expect(own, "a method of the catalog: only those say what their options are", "%s in the lottery", s.Label)
			continue
		}
		draw, ok := r.sweep(s, own)
		if !ok {
			continue
		}
		l.Settings[s.Label] = r.settings(s, draw, o)
	}
	if o.Search != nil && !r.report.Failed() {
		known := make([]string, len(r.f.Searchers))
		for i, s := range r.f.Searchers {
			known[i] = s.Label
		}
		if o.Search.Kind() == source.Map {
			o.Search.Fields(r.report, known...)
		} else {
			for _, x := range r.items(o.Search) {
				x.Word(r.report, known...)
			}
		}
	}
	if len(l.Settings) == 0 && !r.report.Failed() {
		r.expect(v, "at least one searcher with options", "no searcher to sweep")
	}
	r.f.Lottery = l
}

// entry returns what is said about a label in a list of labels or a map, nil if
// nothing is.
func (r *reader) entry(v *source.Value, label string) *source.Value {
	if v.Kind() == source.Map {
		return v.Get(label)
	}
	for _, x := range r.items(v) {
		if x.Text() == label {
			return x
		}
	}
	return nil
}

// sweep returns what draws options of a searcher: from the space that the file
// gives, or from what the options say of themselves.
func (r *reader) sweep(s *Searcher, own *source.Value) (func(*rand.Rand) map[string]any, bool) {
	if own.Kind() == source.Map {
		sp, ok := space.Read(own, nil, r.report)
		if !ok {
			return nil, false
		}
		return func(x *rand.Rand) map[string]any {
			d, err := sp.Sample(x)
			if err != nil {
				return nil
			}
			return d.Map()
		}, true
	}
	row, err := catalog.FindSearcher(s.Name)
	if err != nil {
		return nil, false
	}
	var draws []func(*rand.Rand, map[string]any)
	numbers := false
	for _, f := range source.Describe(row.Options()) {
		if d := option(f); d != nil {
			draws = append(draws, d)
			numbers = numbers || len(f.OneOf) == 0 && f.Type != "bool"
		}
	}
	if len(draws) == 0 || !numbers && own == nil { // a few words are no sweep
		if own != nil {
			r.expect(own, "a space of its options, as in {gamma: {float: [0.1, 0.4]}}", "%s has no options with defaults to vary", s.Label)
		}
		return nil, false
	}
	return func(x *rand.Rand) map[string]any {
		m := map[string]any{}
		for _, d := range draws {
			d(x, m)
		}
		return m
	}, true
}

// stretch is how far around its default an option is varied whose range is not
// a natural one: to a quarter and to four times of it.
const stretch = 4

// option returns what draws one option, nil for one that says too little. An
// option between 0 and 1 is drawn from that range; another number from a quarter
// of its default to four times of it, evenly by its logarithm, within its
// bounds; a word from its list; a bool either way.
func option(f source.Field) func(*rand.Rand, map[string]any) {
	switch {
	case f.Default == "" && f.Type != "bool":
		return nil
	case len(f.OneOf) > 0:
		return func(x *rand.Rand, m map[string]any) {
			m[f.Name] = plain(f.OneOf[x.IntN(len(f.OneOf))], f.Type)
		}
	case f.Type == "bool":
		return func(x *rand.Rand, m map[string]any) { m[f.Name] = x.IntN(2) == 1 }
	case f.Type != "int" && f.Type != "float":
		return nil
	}
	number := func(s string, fallback float64) float64 {
		v, err := strconv.ParseFloat(strings.TrimLeft(s, "<>"), 64)
		if err != nil {
			return fallback
		}
		return v
	}
	at := number(f.Default, 0)
	least, most := number(f.Min, math.Inf(-1)), number(f.Max, math.Inf(1))
	low, high, log := least, most, false
	if !(f.Type == "float" && least >= 0 && most <= 1) {
		if at <= 0 { // around zero there is no scale to go by
			return nil
		}
		low, high, log = max(at/stretch, least), min(at*stretch, most), true
	}
	if !(low < high) {
		return nil
	}
	return func(x *rand.Rand, m map[string]any) {
		u := x.Float64()
		v := low + u*(high-low)
		if log {
			v = low * math.Exp(u*math.Log(high/low))
		}
		if f.Type == "int" {
			m[f.Name] = int64(min(max(math.Round(v), least), most))
			return
		}
		// An open end cannot be drawn from 53 bits often enough to matter, but it can.
		if strings.HasPrefix(f.Min, ">") && v <= least || strings.HasPrefix(f.Max, "<") && v >= most {
			v = (low + high) / 2
		}
		m[f.Name], _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', 4, 64), 64)
	}
}

func plain(word, kind string) any {
	if kind == "int" || kind == "float" {
		if v, err := strconv.ParseFloat(word, 64); err == nil {
			return v
		}
	}
	return word
}

// settings draws different settings that the method accepts on a problem.
func (r *reader) settings(s *Searcher, draw func(*rand.Rand) map[string]any, o lotteryOptions) []Setting {
	x := rng.New(o.Seed, "arena/lottery/"+s.Label, 0)
	fixed := map[string]any{}
	if !s.text.IsScalar() {
		entries, _ := s.text.Map(new(source.Report))
		if m, ok := entries[0].Value.Plain().(map[string]any); ok {
			fixed = m
		}
	}
	var out []Setting
	var why string
	for try := 0; len(out) < o.Settings && try < 20*o.Settings; try++ {
		drawn := draw(x)
		if drawn == nil {
			continue
		}
		options := map[string]any{}
		for k, v := range fixed {
			options[k] = v
		}
		for k, v := range drawn {
			options[k] = v
		}
		text, err := json.Marshal(map[string]any{s.Name: options})
		if err != nil {
			continue
		}
		short, _ := json.Marshal(drawn)
		if slices.ContainsFunc(out, func(t Setting) bool { return t.Text == string(short) }) {
			continue
		}
		v, _ := source.Parse("lottery of "+s.Label, text)
		t := Setting{Text: string(short), searcher: Searcher{Label: s.Label, Name: s.Name, text: v, path: s.path}}
		ok := false
		for i := range r.f.Problems {
			p := &r.f.Problems[i]
			var err error
			if _, _, err = t.searcher.Method(p, p.setup(1)); err == nil {
				ok = true
				break
			}
			why = string(short) + ": " + err.Error()
		}
		if ok {
			out = append(out, t)
		}
	}
	if len(out) == 0 {
		r.expect(s.text, "settings that it accepts", "no setting of %s that the lottery drew can be used: %s", s.Label, why)
	} else if len(out) < o.Settings {
		r.report.Warnf(s.text, "%s", fmt.Sprintf("only %d different settings of %s were found, of %d", len(out), s.Label, o.Settings))
	}
	return out
}
