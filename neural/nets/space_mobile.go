package nets

import (
	"fmt"
	"slices"
	"strings"

	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/space"
)

// OFASpace is the space of [OFA]: five units of two to four layers, each with a kernel
// and an expansion, and the size of the image. There are (9²+9³+9⁴)⁵ = 2.18e19
// networks for each of 25 sizes (Cai et al. 2020, section 3). The zero value is the
// released space. Settings of layers that are not there are no parameters.
type OFASpace struct {
	Depth   []int   `yaml:"depth" default:"[2, 4]" min:"1" max:"4" doc:"least and most layers of a unit"`
	Kernels []int   `yaml:"kernels" default:"[3, 5, 7]" min:"3" max:"7" doc:"kernels of a layer: 3, 5, 7"`
	Expand  []int   `yaml:"expand" default:"[3, 4, 6]" min:"1" max:"16" doc:"hidden channels of a layer for each channel that it reads"`
	Sides   []int   `yaml:"sides" min:"32" max:"1024" doc:"sides of the image in pixels; by default 128, 132 and so on to 224"`
	Width   float64 `yaml:"width" default:"1" min:">0" max:"8" doc:"factor of all channels; released are 1 and 1.2"` // 0 means 1
	Classes int     `yaml:"-"`                                                                                       // 0 means 1000
}

// kernels are those whose centres are smaller kernels.
var kernels = []int{1, 3, 5, 7, 9, 11}

func last[T any](s []T) T { return s[len(s)-1] }

// New makes the family.
func (s OFASpace) New() (*ElasticNetworks[OFA], error) {
	const name = "once-for-all"
	depth, ks, es := orOptions(s.Depth, 2, 4), orOptions(s.Kernels, 3, 5, 7), orOptions(s.Expand, 3, 4, 6)
	sides := s.Sides
	if len(sides) == 0 {
		for side := 128; side <= 224; side += 4 {
			sides = append(sides, side)
		}
	}
	fixed := OFA{Width: s.Width, Classes: or(s.Classes, 1000)}
	if fixed.Width == 0 {
		fixed.Width = 1
	}
	for _, err := range []error{
		span("depth", depth, 1, 4), ascending("kernels", ks, 3, 7), known("kernels", ks, kernels),
		ascending("expand", es, 1, 16), ascending("sides", sides, 32, 1024),
	} {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	var nodes []space.Node
	layer := slices.Concat(level("kernel", "", ks), level("expand", "hidden channels for each channel that is read", es))
	if len(layer) == 0 { // all layers are alike; their number is left
		layer = []space.Node{space.Const("kernel", ks[0])}
	}
	unit := func(u int) string { return fmt.Sprintf("unit%d", u+1) }
	for u := range fixed.Depth {
		nodes = append(nodes, space.Repeat(unit(u), depth[0], depth[1], layer...))
	}
	nodes = append(nodes, level("side", "side of the image", sides)...)
	sp, err := space.New(nodes...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	n := &Networks[OFA]{
		name: name, space: sp,
		read: func(f fields) OFA {
			x := fixed
			x.Side = f.whole("side", sides[0])
			for u := range x.Depth {
				layers := f.parts(unit(u))
				x.Depth[u] = len(layers)
				for l, f := range layers {
					x.Kernels[4*u+l], x.Expand[4*u+l] = f.whole("kernel", ks[0]), f.whole("expand", es[0])
				}
			}
			return x
		},
		write: func(x OFA) (fields, OFA, error) {
			f := fields{}
			x.Classes, x.Side = or(x.Classes, 1000), or(x.Side, 224)
			if x.Width == 0 {
				x.Width = 1
			}
			for u, d := range x.Depth {
				if d < 1 || d > 4 {
					return nil, x, fmt.Errorf("depth of unit %d: found %d, want 1 to 4", u+1, d)
				}
				layers := make([]any, d)
				for l := range 4 {
					k, e := &x.Kernels[4*u+l], &x.Expand[4*u+l]
					if l >= d {
						*k, *e = 0, 0
						continue
					}
					p := fields{}
					p.set("kernel", *k, len(ks))
					p.set("expand", *e, len(es))
					layers[l] = map[string]any(p)
				}
				f[unit(u)] = layers
			}
			f.set("side", x.Side, len(sides))
			return f, x, nil
		},
		label: OFA.label,
	}
	ends := func(d, k, e, side int) OFA {
		x := fixed
		x.Side = side
		for u := range x.Depth {
			x.Depth[u] = d
			for l := range d {
				x.Kernels[4*u+l], x.Expand[4*u+l] = k, e
			}
		}
		return x
	}
	return n.elastic(ends(depth[1], last(ks), last(es), last(sides)), ends(depth[0], ks[0], es[0], sides[0]))
}

// label writes each layer as its kernel and expansion: «160px 33 54|…».
func (o OFA) label() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%dpx", or(o.Side, 224))
	for u, d := range o.Depth {
		if u > 0 {
			b.WriteString(" |")
		}
		for l := range d {
			fmt.Fprintf(&b, " %de%d", o.Kernels[4*u+l], o.Expand[4*u+l])
		}
	}
	return b.String()
}

// OneHot returns the 128 numbers that the released accuracy predictor reads: three for
// the kernel and three for the expansion of each of 20 layers, zeros for layers that
// are not there, and eight for sides of 112, 128, … 224 pixels.
func (o OFA) OneHot() ([]float64, error) {
	x := make([]float64, 128)
	for u, d := range o.Depth {
		if d < 0 || d > 4 {
			return nil, fmt.Errorf("once-for-all: depth of unit %d: found %d, want 0 to 4", u+1, d)
		}
		for l := 4 * u; l < 4*u+d; l++ {
			k, e := slices.Index([]int{3, 5, 7}, o.Kernels[l]), slices.Index([]int{3, 4, 6}, o.Expand[l])
			if k < 0 || e < 0 {
				return nil, fmt.Errorf("once-for-all: layer %d: found a kernel of %d and an expansion of %d, want 3, 5 or 7 and 3, 4 or 6", l+1, o.Kernels[l], o.Expand[l])
			}
			x[3*l+k], x[60+3*l+e] = 1, 1
		}
	}
	side := or(o.Side, 224)
	if side < 112 || side > 224 || side%16 != 0 {
		return nil, fmt.Errorf("once-for-all: found a side of %d, want 112, 128, … 224", side)
	}
	x[120+(side-112)/16] = 1
	return x, nil
}

// MobileSpace is a space of [Mobile]: a stem and stages of layers, whose kinds, widths,
// numbers, kernels and expansions are free, and a head. The zero value suits grey images
// of 28×28 pixels and processors: from a thousand to 200,000 parameters, and from a tenth
// of the multiply-accumulates of LeNet-5 to eleven times as many. [MiniOFA] is a small
// Once-for-All.
//
// Networks share weights as [Elastic] says. Layers of different kinds have different
// weights.
type MobileSpace struct {
	Sides    []int         `yaml:"sides" min:"8" max:"1024" doc:"sides of the image in pixels that are tried, scaled; by default its own"`
	Stem     []int         `yaml:"stem" default:"[8, 16]" min:"1" max:"1024" doc:"channels of the first convolution"`
	Reduce   []string      `yaml:"stem_reduce" default:"[stride, pool]" doc:"what halves the image at the stem: stride (of the convolution), pool (the maximum of 3×3 pixels behind it), none"`
	Stages   []MobileStage `yaml:"stages" doc:"by default three: 8 or 16 channels, which may be left out, 16 to 32 and 32 to 64"`
	Func     string        `yaml:"func" default:"relu" oneof:"relu relu6 leakyrelu hardswish silu gelu elu tanh sigmoid softplus hardsigmoid" doc:"activation"` // "" means relu
	Places   []string      `yaml:"places" default:"[mean, flatten]" doc:"how the places of the last feature map are read: mean, flatten (each by itself)"`
	Head     int           `yaml:"head" default:"0" min:"0" max:"8192" doc:"channels of a last 1×1 convolution; 0: none"`
	Mix      []int         `yaml:"mix" default:"[0, 64]" min:"0" max:"8192" doc:"features of a layer before the classifier; 0: none"`
	Dropout  float64       `yaml:"dropout" default:"0" min:"0" max:"<1" doc:"before the classifier"`
	DropPath float64       `yaml:"drop_path" default:"0" min:"0" max:"<1" doc:"of the last layer that has a shortcut, linear from 0 at the first"`
	Classes  int           `yaml:"-"` // 0 means 10
	Image    neural.Shape  `yaml:"-"` // 0 means 1×28×28
}

// stemWords are what halves the image at the stem, and placeWords how the last feature
// map is read.
var (
	stemWords  = []string{"stride", "pool", "none"}
	placeWords = []string{"mean", "flatten"}
)

// reduce makes the stem halve the image, or not.
func (m *Mobile) reduce(word string) {
	m.StemStride, m.StemPool = 1, word == "pool"
	if word == "stride" {
		m.StemStride = 2
	}
}

// A MobileStage is what is free in a run of layers of one kind and width.
type MobileStage struct {
	Kinds        []string  `yaml:"kinds" default:"[plain, inverted]" doc:"kinds of layers: inverted (residuals of MobileNet), fused (their form with one convolution), plain (convolutions), residual (blocks of ResNet)"`
	Widths       []int     `yaml:"widths" min:"4" max:"8192" doc:"channels"`
	Depth        []int     `yaml:"depth" default:"[1, 2]" min:"0" max:"32" doc:"least and most layers; a stage of a stride of 1 may be left out"`
	Kernels      []int     `yaml:"kernels" default:"[3, 5]" min:"1" max:"11" doc:"kernels of inverted, fused and residual layers"`
	PlainKernels []int     `yaml:"plain_kernels" default:"[1, 3]" min:"1" max:"11" doc:"kernels of plain layers"`
	Expand       []float64 `yaml:"expand" default:"[1, 2, 4]" min:"1" max:"16" doc:"hidden channels of inverted and fused layers for each channel that they read: 1, or 1.5 and more"`
	Stride       int       `yaml:"stride" default:"2" min:"1" max:"4" doc:"of the first layer"` // 0 means 2
	Squeeze      bool      `yaml:"squeeze" default:"false" doc:"inverted residuals with squeeze and excitation"`
}

// edge is the default of a MobileSpace.
func edge() []MobileStage {
	return []MobileStage{
		{Widths: []int{8, 16}, Depth: []int{0, 2}, Stride: 1},
		{Widths: []int{16, 24, 32}, Depth: []int{1, 3}},
		{Widths: []int{32, 48, 64}, Depth: []int{1, 3}},
	}
}

// MiniOFA is a Once-for-All on which methods are compared in minutes: two units of one
// or two inverted residuals with kernels of 3 or 5 and expansions of 2 or 4, (4+4²)² =
// 400 networks.
func MiniOFA() MobileSpace {
	unit := func(width int) MobileStage {
		return MobileStage{Kinds: []string{"inverted"}, Widths: []int{width}, Depth: []int{1, 2}, Kernels: []int{3, 5}, Expand: []float64{2, 4}}
	}
	return MobileSpace{Stem: []int{8}, Reduce: []string{"stride"}, Places: []string{"mean"}, Mix: []int{0}, Stages: []MobileStage{unit(16), unit(32)}}
}

// fill checks a stage and leaves nothing to defaults.
func (s *MobileStage) fill() error {
	s.Kinds = orOptions(s.Kinds, "plain", "inverted")
	s.Depth = orOptions(s.Depth, 1, 2)
	s.Kernels, s.PlainKernels = orOptions(s.Kernels, 3, 5), orOptions(s.PlainKernels, 1, 3)
	s.Expand = orOptions(s.Expand, 1, 2, 4)
	s.Stride = or(s.Stride, 2)
	if len(s.Widths) == 0 {
		return fmt.Errorf("widths: found none, want channels")
	}
	for _, err := range []error{
		known("kinds", s.Kinds, []string{"inverted", "fused", "plain", "residual"}), ascending("widths", s.Widths, 4, 8192), span("depth", s.Depth, 0, 32), between("depth", last(s.Depth), 1, 32),
		ascending("kernels", s.Kernels, 1, 11), known("kernels", s.Kernels, kernels),
		ascending("plain_kernels", s.PlainKernels, 1, 11), known("plain_kernels", s.PlainKernels, kernels),
		ascending("expand", s.Expand, 1, 16), between("stride", s.Stride, 1, 4),
	} {
		if err != nil {
			return err
		}
	}
	for _, e := range s.Expand {
		// Between the two, rounding would leave some widths as they are: their layers
		// would have no way up, and weights that other widths lack.
		if e > 1 && e < 1.5 {
			return fmt.Errorf("expand: found %v, want 1, or 1.5 and more", e)
		}
	}
	return nil
}

// expands reports whether layers of a kind have hidden channels.
func (k MobileKind) expands() bool { return k == Inverted || k == Fused }

// condition is when a parameter is there that only some kinds of the stage have, or ""
// if all have it; ok says whether any has.
func (s MobileStage) condition(has func(MobileKind) bool) (when string, ok bool) {
	var with []string
	for _, k := range s.Kinds {
		if has(MobileKind(k)) {
			with = append(with, "kind == '"+k+"'")
		}
	}
	if len(with) == len(s.Kinds) {
		return "", true
	}
	return strings.Join(with, " or "), len(with) > 0
}

// nodes declares the stage.
func (s MobileStage) nodes() []space.Node {
	nodes := slices.Concat(kind("kind", "what its layers are", s.Kinds), level("width", "channels", s.Widths))
	var layer []space.Node
	add := func(made []space.Node, has func(MobileKind) bool) {
		when, ok := s.condition(has)
		for _, n := range made {
			if when != "" {
				n = n.When(when)
			}
			if ok {
				layer = append(layer, n)
			}
		}
	}
	add(level("kernel", "", s.Kernels), func(k MobileKind) bool { return k != Plain })
	add(level("plain", "kernel of a plain layer", s.PlainKernels), func(k MobileKind) bool { return k == Plain })
	add(level("expand", "hidden channels for each channel that is read", s.Expand), MobileKind.expands)
	least := max(s.Depth[0], 1)
	switch {
	case len(layer) > 0:
		nodes = append(nodes, space.Repeat("layers", least, s.Depth[1], layer...))
	case least < s.Depth[1]:
		nodes = append(nodes, space.Int("depth", least, s.Depth[1]).Doc("layers"))
	}
	return nodes
}

// read returns the stage's choices.
func (s MobileStage) read(f fields, act neural.Func) MobileUnit {
	u := MobileUnit{
		Kind: MobileKind(f.word("kind", s.Kinds[0])), Out: f.whole("width", s.Widths[0]), Stride: s.Stride, Func: act,
	}
	u.Squeeze = s.Squeeze && u.Kind == Inverted
	layers := f.parts("layers")
	if len(layers) == 0 {
		layers = make([]fields, f.whole("depth", max(s.Depth[0], 1)))
	}
	for _, f := range layers {
		l := MobileLayer{Kernel: f.whole("kernel", s.Kernels[0])}
		if u.Kind == Plain {
			l.Kernel = f.whole("plain", s.PlainKernels[0])
		}
		if u.Kind.expands() {
			l.Expand = f.number("expand", s.Expand[0])
		}
		u.Layers = append(u.Layers, l)
	}
	return u
}

// write returns the values of a unit's choices, and the unit without what it does not
// use.
func (s MobileStage) write(u MobileUnit) (fields, MobileUnit) {
	if u.Kind == "" {
		u.Kind = Inverted
	}
	u.Stride, u.Squeeze = or(u.Stride, 1), u.Squeeze && u.Kind == Inverted
	u.Layers = slices.Clone(u.Layers)
	f := fields{}
	f.set("kind", string(u.Kind), len(s.Kinds))
	f.set("width", u.Out, len(s.Widths))
	layers := []any{}
	for i := range u.Layers {
		l := &u.Layers[i]
		p := fields{}
		if u.Kind == Plain {
			p.set("plain", l.Kernel, len(s.PlainKernels))
		} else {
			p.set("kernel", l.Kernel, len(s.Kernels))
		}
		if u.Kind.expands() {
			p.set("expand", l.Expand, len(s.Expand))
		} else {
			l.Expand = 0
		}
		layers = append(layers, map[string]any(p))
	}
	if s.repeats() {
		f["layers"] = layers
	} else {
		f.set("depth", len(u.Layers), s.Depth[1]-max(s.Depth[0], 1)+1)
	}
	return f, u
}

// repeats reports whether layers have choices of their own.
func (s MobileStage) repeats() bool {
	return slices.ContainsFunc(s.Kinds, func(k string) bool {
		m := MobileKind(k)
		return m == Plain && len(s.PlainKernels) > 1 || m != Plain && len(s.Kernels) > 1 || m.expands() && len(s.Expand) > 1
	})
}

// fill checks the space and leaves nothing to defaults.
func (s *MobileSpace) fill() error {
	s.Stem, s.Mix = orOptions(s.Stem, 8, 16), orOptions(s.Mix, 0, 64)
	s.Reduce, s.Places = orOptions(s.Reduce, "stride", "pool"), orOptions(s.Places, "mean", "flatten")
	s.Classes = or(s.Classes, 10)
	if s.Func == "" {
		s.Func = string(neural.ReLU)
	}
	if s.Image == (neural.Shape{}) {
		s.Image = neural.Shape{1, 28, 28}
	}
	for _, err := range []error{
		ascending("sides", s.Sides, 8, 1024), ascending("stem", s.Stem, 1, 1024), known("stem_reduce", s.Reduce, stemWords), known("places", s.Places, placeWords),
		known("func", []neural.Func{neural.Func(s.Func)}, neural.Funcs()), between("head", s.Head, 0, 8192), ascending("mix", s.Mix, 0, 8192),
		rate("dropout", s.Dropout), rate("drop_path", s.DropPath),
	} {
		if err != nil {
			return err
		}
	}
	if slices.Contains(s.Places, "flatten") && (len(s.Sides) > 1 || len(s.Reduce) > 1 && slices.Contains(s.Reduce, "none")) {
		return fmt.Errorf("places: found flatten with images of several sizes, want one side, and a stem that always halves it or never")
	}
	s.Sides = orOptions(s.Sides, 0)
	s.Stages = orOptions(s.Stages, edge()...)
	if len(s.Stages) > 16 {
		return fmt.Errorf("stages: found %d, want 1 to 16", len(s.Stages))
	}
	before := s.Stem
	for i := range s.Stages {
		t := &s.Stages[i]
		if err := t.fill(); err != nil {
			return fmt.Errorf("stages[%d]: %w", i, err)
		}
		// Without a stage, what comes next reads what comes before: this must be a part
		// of what the largest network reads there, and no less than the smallest does.
		if w := t.Widths; t.Depth[0] == 0 && (t.Stride != 1 || w[0] < before[0] || last(w) < last(before)) {
			return fmt.Errorf("stages[%d]: depth: found a stage that may be left out, with a stride of %d and widths %v after %v, want a stride of 1 and its least and most width no less than those before", i, t.Stride, w, before)
		}
		before = t.Widths
	}
	return nil
}

// has is the name of the parameter that says whether there is a stage.
func has(i int) string { return "has_" + stage(i) }

// nodes declares the space.
func (s MobileSpace) nodes() []space.Node {
	nodes := slices.Concat(
		level("side", "side of the image", s.Sides), level("stem", "channels of the first convolution", s.Stem),
		kind("stem_reduce", "what halves the image there", s.Reduce), kind("places", "how the last feature map is read", s.Places),
		level("mix", "features of a layer before the classifier", s.Mix))
	for i, t := range s.Stages {
		made := group(stage(i), t.nodes())
		if t.Depth[0] == 0 {
			nodes = append(nodes, space.Bool(has(i)).Doc("whether there is the stage"))
			for k := range made {
				made[k] = made[k].When(has(i))
			}
		}
		nodes = append(nodes, made...)
	}
	return nodes
}

// network returns what all networks of the space have, with the image of a side.
func (s MobileSpace) network(side int) Mobile {
	m := Mobile{Image: s.Image, Func: neural.Func(s.Func), Expand: s.Head, Classes: s.Classes, Dropout: s.Dropout, DropPath: s.DropPath}
	if side > 0 {
		m.Image = neural.Shape{s.Image[0], side, side}
	}
	return m
}

// read returns the choices of a design.
func (s MobileSpace) read(f fields) Mobile {
	m := s.network(f.whole("side", s.Sides[0]))
	m.Stem = f.whole("stem", s.Stem[0])
	m.reduce(f.word("stem_reduce", s.Reduce[0]))
	m.Flatten, m.Mix = f.word("places", s.Places[0]) == "flatten", f.whole("mix", s.Mix[0])
	for i, t := range s.Stages {
		var u MobileUnit
		if there, ok := f[has(i)].(bool); there || !ok {
			u = t.read(f.part(stage(i)), m.Func)
		}
		m.Units = append(m.Units, u)
	}
	return m
}

// write undoes read.
func (s MobileSpace) write(m Mobile) (fields, Mobile, error) {
	if len(m.Units) != len(s.Stages) {
		return nil, m, fmt.Errorf("found %d units, want %d", len(m.Units), len(s.Stages))
	}
	m.Image, m.Stem, m.StemStride, m.Classes = image(m.Image), or(m.Stem, 16), or(m.StemStride, 2), or(m.Classes, 10)
	if m.Func == "" {
		m.Func = neural.HardSwish
	}
	reduce, place := "none", "mean"
	if m.StemPool {
		reduce = "pool"
	} else if m.StemStride > 1 {
		reduce = "stride"
	}
	if m.Flatten {
		place = "flatten"
	}
	f := fields{}
	f.set("side", m.Image[1], len(s.Sides))
	f.set("stem", m.Stem, len(s.Stem))
	f.set("stem_reduce", reduce, len(s.Reduce))
	f.set("places", place, len(s.Places))
	f.set("mix", m.Mix, len(s.Mix))
	m.Units = slices.Clone(m.Units)
	for i, t := range s.Stages {
		d := len(m.Units[i].Layers)
		if d < t.Depth[0] || d > t.Depth[1] {
			return nil, m, fmt.Errorf("unit %d: found %d layers, want %d to %d", i+1, d, t.Depth[0], t.Depth[1])
		}
		if t.Depth[0] == 0 {
			f[has(i)] = d > 0
		}
		if d == 0 {
			m.Units[i] = MobileUnit{}
			continue
		}
		var part fields
		part, m.Units[i] = t.write(m.Units[i])
		f.setPart(stage(i), part)
	}
	return f, m, nil
}

// New makes the family.
func (s MobileSpace) New() (*ElasticNetworks[Mobile], error) {
	const name = "mobile"
	if err := s.fill(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	sp, err := space.New(s.nodes()...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	largest, err := s.end(true)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	smallest, err := s.end(false)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	n := &Networks[Mobile]{name: name, space: sp, read: s.read, write: s.write, label: Mobile.label}
	return n.elastic(largest, smallest, s.cover(largest)...)
}

// end returns the largest or the smallest network.
func (s MobileSpace) end(most bool) (Mobile, error) {
	m := s.network(pick(s.Sides, most))
	m.Stem, m.Flatten, m.Mix = pick(s.Stem, most), s.Places[0] == "flatten", s.Mix[0]
	words := slices.DeleteFunc(slices.Clone(stemWords), func(w string) bool { return !slices.Contains(s.Reduce, w) })
	m.reduce(pick(words, most)) // they ascend in their work
	for _, t := range s.Stages {
		m.Units = append(m.Units, t.end(MobileKind(t.Kinds[0]), m.Func, most))
	}
	// better takes what a change makes of the network, where that is nearer to the end.
	better := func(change func(*Mobile)) error {
		other := m
		other.Units = slices.Clone(m.Units)
		change(&other)
		a, b := other, m
		if !most {
			a, b = b, a
		}
		more, err := larger(a, b)
		if more {
			m = other
		}
		return err
	}
	// What kind is the largest depends on the rest of its stage alone, as the stages
	// around it have their largest widths; so it is with the smallest.
	for i, t := range s.Stages {
		for _, k := range t.Kinds[1:] {
			if err := better(func(m *Mobile) { m.Units[i] = t.end(MobileKind(k), m.Func, most) }); err != nil {
				return m, err
			}
		}
	}
	for _, p := range s.Places {
		for _, mix := range s.Mix {
			if err := better(func(m *Mobile) { m.Flatten, m.Mix = p == "flatten", mix }); err != nil {
				return m, err
			}
		}
	}
	return m, nil
}

// cover returns networks with the weights of every kind of layers and of head.
func (s MobileSpace) cover(largest Mobile) (all []Mobile) {
	kinds := 1
	for _, t := range s.Stages {
		kinds = max(kinds, len(t.Kinds))
	}
	for k := range kinds {
		m := largest
		m.Units = nil
		for _, t := range s.Stages {
			m.Units = append(m.Units, t.end(MobileKind(t.Kinds[k%len(t.Kinds)]), m.Func, true))
		}
		all = append(all, m)
	}
	for _, p := range s.Places {
		for _, mix := range []int{s.Mix[0], last(s.Mix)} {
			m := largest
			m.Flatten, m.Mix = p == "flatten", mix
			all = append(all, m)
		}
	}
	return all
}

// pick returns the last option or the first.
func pick[T any](options []T, most bool) T {
	if most {
		return last(options)
	}
	return options[0]
}

// end returns the largest or the smallest unit of a kind.
func (s MobileStage) end(k MobileKind, act neural.Func, most bool) MobileUnit {
	u := MobileUnit{Kind: k, Out: pick(s.Widths, most), Stride: s.Stride, Func: act, Squeeze: s.Squeeze && k == Inverted}
	l := MobileLayer{Kernel: pick(s.Kernels, most)}
	if k == Plain {
		l.Kernel = pick(s.PlainKernels, most)
	}
	if k.expands() {
		l.Expand = pick(s.Expand, most)
	}
	for range pick(s.Depth, most) {
		u.Layers = append(u.Layers, l)
	}
	if u.Layers == nil {
		return MobileUnit{}
	}
	return u
}

// larger reports whether a network has more multiply-accumulates than another, or as
// many and more parameters.
func larger(a, b Network) (bool, error) {
	var costs [2]neural.Cost
	for i, n := range []Network{a, b} {
		g, err := n.Graph()
		if err != nil {
			return false, err
		}
		costs[i] = g.Cost()
	}
	x, y := costs[0], costs[1]
	return x.MACs > y.MACs || x.MACs == y.MACs && x.Params > y.Params, nil
}

// rate reports a share that is not from 0 up to but not including 1.
func rate(what string, v float64) error {
	if !(v >= 0 && v < 1) {
		return fmt.Errorf("%s: found %v, want 0 or more and less than 1", what, v)
	}
	return nil
}

// label writes each unit as its kind and width, and its layers as kernel and
// expansion: «28px 8 /2 | plain 16: 3 3 | inverted 32: 5e2 | flatten».
func (m Mobile) label() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%dpx %d", image(m.Image)[1], or(m.Stem, 16))
	switch {
	case m.StemPool:
		b.WriteString(" pool")
	case or(m.StemStride, 2) > 1:
		fmt.Fprintf(&b, " /%d", or(m.StemStride, 2))
	}
	for _, u := range m.Units {
		if len(u.Layers) == 0 {
			b.WriteString(" | –")
			continue
		}
		k := u.Kind
		if k == "" {
			k = Inverted
		}
		fmt.Fprintf(&b, " | %s %d:", k, u.Out)
		for _, l := range u.Layers {
			fmt.Fprintf(&b, " %d", l.Kernel)
			if k.expands() {
				fmt.Fprintf(&b, "e%g", l.Expand)
			}
		}
	}
	if m.Flatten {
		b.WriteString(" | flatten")
	}
	if m.Mix > 0 {
		fmt.Fprintf(&b, " | mix %d", m.Mix)
	}
	return b.String()
}
