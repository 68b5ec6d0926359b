package space_test

import (
	"fmt"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/space"
)

func ExampleNew() {
	s, err := space.New(
		space.Categorical("opt", "O1", "O2", "O3"),
		space.Ordinal("tile", 8, 16, 32, 64),
		space.Int("unroll", 1, 16).Log().When("opt == O3"),
		space.Require("tile * unroll <= 256"),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	d, err := s.ParseJSON([]byte(`{"opt": "O3", "tile": 32, "unroll": 8}`))
	fmt.Println(d, err)
	_, err = s.ParseJSON([]byte(`{"opt": "O3", "tile": 64, "unroll": 8}`))
	fmt.Println(err)
	_, err = s.ParseJSON([]byte(`{"opt": "O1", "tile": 64, "unroll": 8}`))
	fmt.Println(err)
	// Output:
	// {"opt":"O3","tile":32,"unroll":8} <nil>
	// space: constraint "tile * unroll <= 256" does not hold
	// space: design: unroll: not a parameter that is active in this design; expected only active parameters
}

// A walk builds a design decision by decision, as tree search and policies do.
func ExampleSpace_Walk() {
	s := space.MustNew(
		space.Repeat("layers", 1, 3,
			space.Choice("op",
				space.Case("conv", space.Ordinal("kernel", 3, 5, 7)),
				space.Case("skip"))),
		space.Bool("dropout"),
	)
	w := s.Walk()
	for {
		d, ok := w.Next()
		if !ok {
			break
		}
		fmt.Println(d.Param.Path, "has", d.N, "options, the last is", d.Param.Label(d.N-1))
		w.Choose(min(1, d.N-1))
	}
	d, err := w.Design()
	fmt.Println(d, err)
	// Output:
	// layers has 3 options, the last is 3
	// layers.op has 2 options, the last is skip
	// layers.op has 2 options, the last is skip
	// dropout has 2 options, the last is true
	// {"layers":[{"op":{"skip":{}}},{"op":{"skip":{}}}],"dropout":true} <nil>
}

// The same seed gives the same designs, and JSON goes both ways.
func ExampleSpace_Sample() {
	s := space.MustNew(
		space.Float("lr", 1e-4, 1e-1).Log().Step(1e-4),
		space.Subset("augment", "flip", "crop", "cutout", "mix").Size(1, 2),
	)
	d, err := s.Sample(rng.New(7, "example", 0))
	if err != nil {
		fmt.Println(err)
		return
	}
	again, err := s.Sample(rng.New(7, "example", 0))
	fmt.Println(d == again, err)
	back, err := s.ParseJSON([]byte(d.String()))
	fmt.Println(d == back, d.Hash() == back.Hash(), err)
	// Output:
	// true <nil>
	// true true <nil>
}

// A struct type is a space, and each design fills a value of that type.
func ExampleOf() {
	type Kernel struct {
		Opt    string   `space:"choice O1 O2 O3"`
		Tile   int      `space:"ordinal 8 16 32 64"`
		Unroll int      `space:"int 1..16 log" when:"opt == O3"`
		_      struct{} `require:"tile * unroll <= 256"`
	}
	s, err := space.Of[Kernel]()
	if err != nil {
		fmt.Println(err)
		return
	}
	d, err := s.ParseJSON([]byte(`{"opt": "O3", "tile": 32, "unroll": 8}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	var k Kernel
	if err := d.Decode(&k); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(k.Opt, k.Tile*k.Unroll)
	// Output: O3 256
}

// A mutant differs from its parent, and in a space of few parameters by little.
func ExampleSpace_Mutate() {
	s := space.MustNew(
		space.Permutation("passes", "dce", "inline", "unroll", "vectorize"),
		space.Int("budget", 1, 100),
	)
	r := rng.New(1, "example", 0)
	parent, err := s.Sample(r)
	if err != nil {
		fmt.Println(err)
		return
	}
	changed := 0
	for range 100 {
		if child := s.Mutate(r, parent, space.Mutation{}); child != parent {
			changed++
		}
	}
	fmt.Println(changed, "of 100 mutants differ")
	// Output: 100 of 100 mutants differ
}

// Spaces are combined and cut, and designs go from one to the other.
func ExampleJoin() {
	network := space.MustNew(space.Int("width", 8, 64), space.Int("depth", 1, 8), space.Require("width * depth <= 256"))
	chip := space.MustNew(space.Ordinal("lanes", 4, 8, 16), space.Int("clock", 1, 3).Unit("GHz"))
	both, err := space.Join(space.Part{Name: "network", Space: network}, space.Part{Name: "chip", Space: chip})
	if err != nil {
		fmt.Println(err)
		return
	}
	ours, err := both.Fix("chip.lanes", 8)
	if err != nil {
		fmt.Println(err)
		return
	}
	d, err := ours.ParseJSON([]byte(`{"network": {"width": 32, "depth": 8}, "chip": {"clock": 2}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	d, err = both.Adopt(d)
	fmt.Println(d, err)
	_, err = both.Fix("chip.lane", 8)
	fmt.Println(err)
	// Output:
	// {"network":{"width":32,"depth":8},"chip":{"lanes":8,"clock":2}} <nil>
	// space: chip.lane: no parameter of this path; expected chip.lanes
}

// Spaces are also data, in YAML or JSON, and every mistake has its place.
func ExampleParse() {
	s, err := space.Parse("kernel.yaml", []byte(`
space:
  opt:    {choice: [O1, O2, O3]}
  tile:   {ordinal: [8, 16, 32, 64]}
  unroll: {int: [1, 16], log: true, when: opt == O3}
  fast:   bool
require:
  - tile * unroll <= 256
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s)
	_, err = space.Parse("wrong.yaml", []byte("space:\n  tile: {ordnal: [8, 16], doc: a tile}\n  lr: {float: [1, 0]}"))
	fmt.Println(err)
	// Output:
	// {"space":{"opt":{"choice":["O1","O2","O3"]},"tile":{"ordinal":[8,16,32,64]},"unroll":{"int":[1,16],"log":true,"when":"opt == O3"},"fast":"bool"},"require":["tile * unroll <= 256"]}
	// wrong.yaml:2:10: unknown kind of parameter `ordnal`: did you mean `ordinal`?
	//     1 | space:
	//     2 |   tile: {ordnal: [8, 16], doc: a tile}
	//       |          ^
	// wrong.yaml:3:15: high must be at least low (0 < 1)
	//     2 |   tile: {ordnal: [8, 16], doc: a tile}
	//     3 |   lr: {float: [1, 0]}
	//       |               ^
}
