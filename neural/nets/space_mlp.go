package nets

import (
	"fmt"
	"slices"
	"strings"

	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/space"
)

// MLPSpace is a space of [MLP], networks for tables: the number and widths of hidden
// layers, their activation, normalisation, shortcuts and dropout, and the features of
// each column of categories. The zero value needs the columns of a table.
//
// Networks share weights as [Elastic] says. With several columns of categories and
// several sizes of embeddings that has no meaning in the first layer: where one
// embedding is shorter, the features behind it move up.
type MLPSpace struct {
	Depth     []int     `yaml:"depth" default:"[1, 4]" min:"1" max:"64" doc:"least and most hidden layers"`
	Widths    []int     `yaml:"widths" default:"[16, 32, 64, 128, 256]" min:"1" max:"65536" doc:"features of a hidden layer"`
	Funcs     []string  `yaml:"funcs" default:"[relu, gelu, silu, tanh]" doc:"activations"`
	BatchNorm []bool    `yaml:"batch_norm" default:"[false, true]" doc:"batch normalisation behind hidden layers"`
	Residual  []bool    `yaml:"residual" default:"[false, true]" doc:"add what a layer reads where it has as many features"`
	Dropout   []float64 `yaml:"dropout" default:"[0, 0.1, 0.2, 0.4]" min:"0" max:"<1" doc:"of hidden layers"`
	Embed     []int     `yaml:"embed" default:"[4, 8, 16]" min:"1" max:"1024" doc:"features of each column of categories"`

	Numbers    int   `yaml:"-"` // columns of numbers
	Categories []int `yaml:"-"` // columns of categories: how many each has
	Out        int   `yaml:"-"` // 0 means 1
}

// New makes the family.
func (s MLPSpace) New() (*ElasticNetworks[MLP], error) {
	const name = "mlp"
	bad := func(err error) (*ElasticNetworks[MLP], error) { return nil, fmt.Errorf("%s: %w", name, err) }
	depth, widths, rates := orOptions(s.Depth, 1, 4), orOptions(s.Widths, 16, 32, 64, 128, 256), orOptions(s.Dropout, 0, 0.1, 0.2, 0.4)
	norms, shortcuts, embeds := orOptions(s.BatchNorm, false, true), orOptions(s.Residual, false, true), orOptions(s.Embed, 4, 8, 16)
	funcs := orOptions(s.Funcs, "relu", "gelu", "silu", "tanh")
	if len(s.Categories) == 0 {
		embeds = []int{0}
	} else if err := ascending("embed", embeds, 1, 1024); err != nil {
		return bad(err)
	}
	if s.Numbers < 0 || s.Numbers == 0 && len(s.Categories) == 0 {
		return bad(fmt.Errorf("found %d columns of numbers and %d of categories, want columns", s.Numbers, len(s.Categories)))
	}
	var all []string
	for _, f := range neural.Funcs() {
		all = append(all, string(f))
	}
	for _, err := range []error{
		span("depth", depth, 1, 64), ascending("widths", widths, 1, 1<<16), ascending("dropout", rates, 0, 1), rate("dropout", last(rates)),
		known("funcs", funcs, all), known("batch_norm", norms, []bool{false, true}), known("residual", shortcuts, []bool{false, true}),
	} {
		if err != nil {
			return bad(err)
		}
	}
	var nodes []space.Node
	if len(widths) > 1 {
		nodes = append(nodes, space.Repeat("layers", depth[0], depth[1], space.Ordinal("", widths...)).Doc("features of hidden layers"))
	} else if depth[0] < depth[1] {
		nodes = append(nodes, space.Int("depth", depth[0], depth[1]).Doc("hidden layers"))
	}
	flag := func(name, doc string, options []bool) []space.Node {
		if len(options) < 2 {
			return nil
		}
		return []space.Node{space.Bool(name).Doc(doc)}
	}
	nodes = slices.Concat(nodes, kind("func", "activation", funcs), flag("batch_norm", "behind hidden layers", norms),
		flag("residual", "add what a layer reads where it has as many features", shortcuts), level("dropout", "of hidden layers", rates),
		level("embed", "features of each column of categories", embeds))
	sp, err := space.New(nodes...)
	if err != nil {
		return bad(err)
	}
	fixed := MLP{Numbers: s.Numbers, Categories: slices.Clone(s.Categories), Out: or(s.Out, 1)}
	boolean := func(f fields, name string, only bool) bool {
		if v, ok := f[name].(bool); ok {
			return v
		}
		return only
	}
	n := &Networks[MLP]{
		name: name, space: sp,
		read: func(f fields) MLP {
			x := fixed
			if list, ok := f["layers"].([]any); ok {
				for _, v := range list {
					w, _ := v.(float64)
					x.Hidden = append(x.Hidden, int(w))
				}
			} else {
				for range f.whole("depth", depth[0]) {
					x.Hidden = append(x.Hidden, widths[0])
				}
			}
			x.Func = neural.Func(f.word("func", funcs[0]))
			x.BatchNorm, x.Residual = boolean(f, "batch_norm", norms[0]), boolean(f, "residual", shortcuts[0])
			x.Dropout, x.Embed = f.number("dropout", rates[0]), f.whole("embed", embeds[0])
			return x
		},
		write: func(x MLP) (fields, MLP, error) {
			if d := len(x.Hidden); d < depth[0] || d > depth[1] {
				return nil, x, fmt.Errorf("found %d hidden layers, want %d to %d", d, depth[0], depth[1])
			}
			f, layers := fields{}, []any{}
			for _, w := range x.Hidden {
				layers = append(layers, float64(w))
			}
			if len(widths) > 1 {
				f["layers"] = layers
			} else {
				f.set("depth", len(layers), depth[1]-depth[0]+1)
			}
			if x.Func == "" {
				x.Func = neural.ReLU
			}
			if len(x.Categories) == 0 {
				x.Embed = 0
			}
			f.set("func", string(x.Func), len(funcs))
			f.set("batch_norm", x.BatchNorm, len(norms))
			f.set("residual", x.Residual, len(shortcuts))
			f.set("dropout", x.Dropout, len(rates))
			f.set("embed", x.Embed, len(embeds))
			return f, x, nil
		},
		label: MLP.label,
	}
	end := func(d, width, embed int, norm bool) MLP {
		x := fixed
		x.Func, x.BatchNorm, x.Residual, x.Dropout, x.Embed = neural.Func(funcs[0]), norm, shortcuts[0], rates[0], embed
		for range d {
			x.Hidden = append(x.Hidden, width)
		}
		return x
	}
	norm, plain := slices.Contains(norms, true), slices.Contains(norms, false)
	return n.elastic(end(depth[1], last(widths), last(embeds), norm), end(depth[0], widths[0], embeds[0], !plain), end(depth[1], last(widths), last(embeds), !plain))
}

// label writes the widths and what hidden layers have: «64-32 relu bn res drop 0.1».
func (n MLP) label() string {
	var b strings.Builder
	for i, w := range n.Hidden {
		if i > 0 {
			b.WriteByte('-')
		}
		fmt.Fprint(&b, w)
	}
	fmt.Fprintf(&b, " %s", n.Func)
	if n.BatchNorm {
		b.WriteString(" bn")
	}
	if n.Residual {
		b.WriteString(" res")
	}
	if n.Dropout > 0 {
		fmt.Fprintf(&b, " drop %g", n.Dropout)
	}
	if len(n.Categories) > 0 {
		fmt.Fprintf(&b, " embed %d", n.Embed)
	}
	return b.String()
}
