package space

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
)

func rich() *Space { return MustNew(richNodes()...) }

// richNodes declare one of every kind of node.
func richNodes() []Node {
	return []Node{
		Repeat("stages", 2, 5,
			Choice("block",
				Case("conv", Ordinal("kernel", 3, 5, 7)),
				Case("mbconv", Ordinal("kernel", 3, 5), Ordinal("expand", 3, 4, 6), Bool("se")),
				Case("skip")),
			Int("width", 16, 256).Step(8)),
		Subset("augment", "flip", "crop", "cutout", "mix").Size(1, 3),
		Subset("two", 1, 2, 3, 4).Size(2, 2),
		Permutation("passes", "dce", "inline", "unroll", "vectorize"),
		Group("stem", Float("x", 0, 1), Const("k", 5)),
		Repeat("widths", 0, 4, Int("", 8, 64)),
		Grammar("net", "M",
			Rule("M", Use("C").P(0.4), Use("M", "M"), Use("branch", "M", "merge")),
			Rule("C", Use("linear").Params(Ordinal("units", 16, 32)), Use("norm"), Use("relu"))),
	}
}

// TestOperationsOnLargeSpaces runs every operation on spaces too large to list.
func TestOperationsOnLargeSpaces(t *testing.T) {
	t.Parallel()
	wide := MustNew(Int("a", 0, 1<<50), Int("b", 1, 1<<45).Log(), Float("c", 0, 1).Step(0x1p-40), Require("a <= b"))
	for name, s := range map[string]*Space{"kernel20": kernel20(), "kernel20 with constraints": kernel20Ruled(), "rich": rich(), "wide": wide} {
		r := rng.New(1, name, 0)
		w := newWalker(s)
		valid := func(what string, d Design) {
			t.Helper()
			w.reset()
			if !s.valid(w, d.trace) {
				t.Fatalf("%s: %s gives %v, which is no design", name, what, d)
			}
		}
		for i := range 300 {
			d, o := s.MustSample(r), s.MustSample(r)
			valid("Sample", d)
			if e, err := s.ParseJSON(d.AppendJSON(nil)); err != nil || e != d || e.Hash() != d.Hash() {
				t.Fatalf("%s: %v reads as %v, %v", name, d, e, err)
			}
			m := s.Mutate(r, d, Mutation{Sites: i % 4, Eta: float64(i % 2 * 20)})
			if valid("Mutate", m); m == d {
				t.Fatalf("%s: Mutate(%v) changed nothing", name, d)
			}
			valid("Cross", s.Cross(r, d, o, Crossover{}))
			valid("Cross", s.Cross(r, d, o, Crossover{Eta: 15}))
			if x, y := s.Distance(d, m), s.Distance(m, d); !(x > 0 && x <= 1) || x-y > 1e-12 || y-x > 1e-12 {
				t.Fatalf("%s: distance of %v and %v is %v and %v", name, d, m, x, y)
			}
			if i > 30 {
				continue
			}
			for x := range s.Neighbors(d) {
				if valid("Neighbors", x); x == d {
					t.Fatalf("%s: %v is its own neighbour", name, d)
				}
			}
		}
	}
}

// TestCrossMixes: a child takes from both parents, each decision from one of
// them.
func TestCrossMixes(t *testing.T) {
	t.Parallel()
	s := kernel20()
	r := rng.New(2, "cross", 0)
	for range 200 {
		a, b := s.MustSample(r), s.MustSample(r)
		from := map[uint64][]Answer{}
		for _, d := range []Design{a, b} {
			for _, x := range d.Decisions(nil) {
				from[x.Site] = append(from[x.Site], x)
			}
		}
		c := s.Cross(r, a, b, Crossover{})
		if c == a || c == b {
			t.Errorf("child of %v and %v is one of them", a, b)
		}
		for _, x := range c.Decisions(nil) {
			ok := false
			for _, y := range from[x.Site] {
				ok = ok || x.Index == y.Index && x.Real == y.Real
			}
			if !ok {
				t.Fatalf("%s = option %d of the child %v is of neither parent, %v and %v", x.Param.Path, x.Index, c, a, b)
			}
		}
	}
}

// TestHashGolden holds the hash to its values: it is part of the storage
// format, and old studies find their designs by it. Never change this table;
// only add to it.
func TestHashGolden(t *testing.T) {
	t.Parallel()
	s := rich()
	flat := kernel20()
	for _, c := range []struct {
		space *Space
		json  string
		want  string
	}{
		{s, `{"stages":[{"block":{"mbconv":{"kernel":3,"expand":3,"se":true}},"width":136},{"block":{"skip":{}},"width":176},{"block":{"mbconv":{"kernel":3,"expand":6,"se":true}},"width":208},{"block":{"conv":{"kernel":5}},"width":120},{"block":{"conv":{"kernel":3}},"width":48}],"augment":["crop"],"two":[1,2],"passes":["dce","unroll","inline","vectorize"],"stem":{"x":0.2412344242047223,"k":5},"widths":[42,46,43],"net":{"tokens":["relu"],"tree":{"rule":"M","use":["C"],"of":[{"rule":"C","use":["relu"]}]}}}`, "c7f581daa55babbb0f84d32dcb0a946c"},
		{s, `{"stages":[{"block":{"mbconv":{"kernel":3,"expand":4,"se":true}},"width":96},{"block":{"skip":{}},"width":200},{"block":{"skip":{}},"width":128},{"block":{"skip":{}},"width":216},{"block":{"mbconv":{"kernel":5,"expand":6,"se":true}},"width":232}],"augment":["flip","cutout","mix"],"two":[1,3],"passes":["vectorize","dce","unroll","inline"],"stem":{"x":0.8096245716718697,"k":5},"widths":[9,24],"net":{"tokens":["linear"],"tree":{"rule":"M","use":["C"],"of":[{"rule":"C","use":["linear"],"with":{"units":32}}]}}}`, "74f3aab117f7c4b675f7e97619e21da2"},
		{s, `{"stages":[{"block":{"mbconv":{"kernel":3,"expand":6,"se":false}},"width":16},{"block":{"conv":{"kernel":3}},"width":168},{"block":{"conv":{"kernel":5}},"width":176},{"block":{"skip":{}},"width":232}],"augment":["flip"],"two":[1,4],"passes":["unroll","dce","inline","vectorize"],"stem":{"x":0.44508468329042183,"k":5},"widths":[60,22],"net":{"tokens":["relu"],"tree":{"rule":"M","use":["C"],"of":[{"rule":"C","use":["relu"]}]}}}`, "d15b1c1ac0deb01fd8472939e7f7c788"},
		{s, `{"stages":[{"block":{"skip":{}},"width":64},{"block":{"mbconv":{"kernel":3,"expand":6,"se":true}},"width":16},{"block":{"conv":{"kernel":7}},"width":128},{"block":{"mbconv":{"kernel":3,"expand":3,"se":false}},"width":128}],"augment":["flip"],"two":[1,3],"passes":["dce","vectorize","unroll","inline"],"stem":{"x":0.060647466140961837,"k":5},"widths":[28,35],"net":{"tokens":["linear"],"tree":{"rule":"M","use":["C"],"of":[{"rule":"C","use":["linear"],"with":{"units":16}}]}}}`, "9ddce6917d922dc71dea92704266ab0b"},
		{flat, `{"lr":0.011475948791251994,"momentum":0.6117504664898102,"units":80,"depth":2,"kernel":7,"act":"gelu","se":true,"opt":"O2","block":{"mbconv":{"kernel":3,"expand":6,"se":true,"drop":0.3977385968745164}},"w1":12,"w2":38,"w3":29,"f1":0.23735620065077423,"f2":0.3037237869212379,"fused":false,"b2":false,"c3":"c","c4":"a"}`, "1cfc8712dc9664def1b7e3ab5b7ced19"},
		{flat, `{"lr":5.290606195593589e-05,"momentum":0.32804060526045065,"units":64,"depth":6,"kernel":3,"act":"relu","se":true,"opt":"O2","block":{"skip":{}},"w1":40,"w2":13,"w3":58,"f1":0.8920829180403095,"f2":0.5628045810373675,"fused":false,"b2":false,"c3":"d","c4":"a"}`, "0c6825c826f8901c7407c4f4d9434071"},
		{flat, `{"lr":0.03401565523148838,"momentum":0.7587507311713714,"units":232,"depth":3,"kernel":7,"act":"silu","se":false,"opt":"O2","block":{"skip":{}},"w1":51,"w2":57,"w3":51,"f1":0.19865046769617678,"f2":0.8205514935578682,"fused":false,"b2":true,"c3":"b","c4":"b"}`, "2ce03a7d9884d803859944375a82049c"},
		{flat, `{"lr":0.00016915340045524962,"momentum":0.8062823487626297,"units":216,"depth":4,"kernel":3,"act":"relu","se":false,"opt":"O1","block":{"mbconv":{"kernel":5,"expand":4,"se":false,"drop":0.49019532116116593}},"w1":27,"w2":2,"w3":1,"f1":0.22852265153692508,"f2":0.6314899291409338,"fused":false,"b2":false,"c3":"c","c4":"b"}`, "636ee8f5eafa8e521586f67835ee8a7b"},
	} {
		d, err := c.space.ParseJSON([]byte(c.json))
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Hash().String(); got != c.want {
			t.Errorf("hash of %s = %s, want %s", c.json, got, c.want)
		}
		var h Hash
		if err := h.UnmarshalText([]byte(c.want)); err != nil || h != d.Hash() {
			t.Errorf("UnmarshalText(%s) = %v, %v", c.want, h, err)
		}
	}
}

// TestHashSurvivesChanges: adding choices, reordering parameters and widening a
// range leave the hashes of old designs as they were.
func TestHashSurvivesChanges(t *testing.T) {
	t.Parallel()
	old := MustNew(
		Int("n", 1, 8), Categorical("act", "relu", "gelu"), Subset("aug", "flip", "crop").Size(0, 2),
		Choice("block", Case("conv", Ordinal("kernel", 3, 5)), Case("skip")), Repeat("w", 1, 3, Int("", 8, 64).Step(8)), Float("x", 0, 1),
	)
	changed := MustNew(
		Float("x", -1, 2), Repeat("w", 0, 5, Int("", 8, 128).Step(8)),
		Choice("block", Case("dense", Bool("bias")), Case("skip"), Case("conv", Ordinal("kernel", 1, 3, 5, 7))),
		Subset("aug", "mix", "crop", "flip").Size(0, 3), Categorical("act", "silu", "gelu", "relu"), Int("n", 0, 16),
	)
	r := rng.New(4, "hash", 0)
	for range 200 {
		d := old.MustSample(r)
		e, err := changed.ParseJSON(d.AppendJSON(nil))
		if err != nil {
			t.Fatal(err)
		}
		if d.Hash() != e.Hash() {
			t.Fatalf("%v: hash %v became %v", d, d.Hash(), e.Hash())
		}
	}
}

// TestParseJSONErrors: what is not a design is refused with its place.
func TestParseJSONErrors(t *testing.T) {
	t.Parallel()
	s := MustNew(Int("n", 1, 4), Choice("k", Case("a", Bool("b")), Case("c")), Repeat("r", 1, 2, Float("x", 0, 1), Subset("s", "u", "v")), Require("n != 3"))
	for in, want := range map[string]string{
		`[]`:   "expected an object",
		`{`:    "not JSON",
		`{} 1`: "more than one",
		`{}`:   "n: nothing; expected a whole number in [1, 4]",
		`{"n":5,"k":{"c":{}},"r":[{"x":0,"s":[]}]}`:          "n: 5",
		`{"n":1.5,"k":{"c":{}},"r":[{"x":0,"s":[]}]}`:        "n: 1.5",
		`{"n":"1","k":{"c":{}},"r":[{"x":0,"s":[]}]}`:        `n: "1"`,
		`{"n":1,"k":{"z":{}},"r":[{"x":0,"s":[]}]}`:          `k: case "z"`,
		`{"n":1,"k":{"a":{}},"r":[{"x":0,"s":[]}]}`:          "k.a.b: nothing",
		`{"n":1,"k":{"c":{"b":true}},"r":[{"x":0,"s":[]}]}`:  "k.c.b: not a parameter that is active",
		`{"n":1,"k":{"c":{}},"r":[]}`:                        "r: []",
		`{"n":1,"k":{"c":{}},"r":[3]}`:                       "r[0]: 3",
		`{"n":1,"k":{"c":{}},"r":[{"x":2,"s":[]}]}`:          "r[0].x: 2",
		`{"n":1,"k":{"c":{}},"r":[{"x":0,"s":["u","u"]}]}`:   "r[0].s",
		`{"n":1,"k":{"c":{}},"r":[{"x":0,"s":["w"]}]}`:       "r[0].s",
		`{"n":1,"m":1,"k":{"c":{}},"r":[{"x":0,"s":["u"]}]}`: "m: not a parameter that is active",
		`{"n":3,"k":{"c":{}},"r":[{"x":0,"s":["u"]}]}`:       `constraint "n != 3" does not hold`,
	} {
		if d, err := s.ParseJSON([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseJSON(%s) = %v, %v; expected an error with %q", in, d, err, want)
		}
	}
}

// FuzzParseJSON: the reader never panics, and what it accepts round trips.
func FuzzParseJSON(f *testing.F) {
	spaces := []*Space{rich(), kernel20Ruled(), ruled()}
	for i, s := range spaces {
		r := rng.New(1, "fuzz", uint64(i))
		for range 4 {
			f.Add(uint8(i), s.MustSample(r).AppendJSON(nil))
		}
	}
	f.Add(uint8(0), []byte(`{"net":{"tree":{"rule":"M","use":["M","M"],"of":[null,{}]}}}`))
	f.Add(uint8(2), []byte(`{"stages":[null,1],"x":1e999}`))
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		s := spaces[int(which)%len(spaces)]
		d, err := s.ParseJSON(data)
		if err != nil {
			return
		}
		j := d.AppendJSON(nil)
		e, err := s.ParseJSON(j)
		if err != nil || e != d || e.Hash() != d.Hash() || !json.Valid(j) {
			t.Fatalf("%s is read as %s, which is read as %v, %v", data, j, e, err)
		}
	})
}

// mixed is a flat space with conditions.
func mixed() *Space { return kernel20() }
