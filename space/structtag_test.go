package space

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/daedalus-search/daedalus/internal/rng"
)

type tagged struct {
	tagBase
	LR      float64  `space:"float 1e-5..1e-1 log" json:"lr,omitzero" unit:"1/step" doc:"learning rate"`
	Drop    float32  `space:"float 0..0.5 step 0.25"`
	Units   uint16   `space:"int 16..256 step 8"`
	Opt     string   `space:"choice O1 O2 'O 3' O3" weights:"1 2 1 1"`
	Depth   *int     `space:"int 1..16 log" when:"opt == O3" json:",omitempty"`
	Kernel  int8     `space:"ordinal 3 5 7"`
	Mode    speed    `space:"choice slow fast"`
	Any     any      `space:"ordinal 1 2.5 'x y' true"`
	Version int      `space:"const 5"`
	Stages  []stage  `space:"repeat 2..5"`
	Widths  []int    `space:"repeat 0..4 of int 8..64"`
	Grid    [2]bool  // a repeat of exactly two
	Blocks  []*block `space:"repeat 1..2 of choice"`
	Words   []string `space:"repeat 1..2 of choice 'a b' c"`
	Augment []string `space:"subset flip crop 'cut out' mix size 1..3"`
	Passes  []speed  `space:"permutation slow fast"`
	Stem    stage
	Tail    *stage   `when:"fast" json:",omitempty"`
	Block   block    `space:"choice"`
	Cache   func()   `space:"-" json:"-"`
	hidden  int      //lint:ignore U1000 unexported fields are no parameters
	_       struct{} `require:"units * kernel <= 1024"`
	_       struct{} `require:"sum(widths) < 200"`
}

type tagBase struct {
	Fast      bool
	BatchSize int `space:"int 1..8" json:"batch_size"`
}

type speed int

func (m speed) MarshalText() ([]byte, error) { return []byte([]string{"slow", "fast"}[m]), nil }

func (m *speed) UnmarshalText(text []byte) error {
	switch string(text) {
	case "slow":
		*m = 0
	case "fast":
		*m = 1
	default:
		return fmt.Errorf("mode %q", text)
	}
	return nil
}

type stage struct {
	Width int    `space:"int 1..9"`
	Norm  string `space:"choice batch layer" json:"norm"`
}

type block struct {
	Conv *struct {
		K int `space:"ordinal 3 5"`
	} `json:",omitempty"`
	Skip *struct{} `json:"skip_it,omitempty"`
}

func TestOfDecodes(t *testing.T) {
	t.Parallel()
	s, err := Of[tagged]()
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		d := s.MustSample(rng.New(rapid.Uint64().Draw(t, "seed"), "test", 0))
		var v tagged
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		// Nothing is lost: what was decoded says which design it was. (Go has
		// its own ideas of letter case, and a slice that was never set is null.)
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var got, want any
		if err := errors.Join(json.Unmarshal(text, &got), json.Unmarshal([]byte(d.String()), &want)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, lower(got)); diff != "" {
			t.Fatalf("%s\n%s", d, diff)
		}
		if (v.Depth != nil) != (v.Opt == "O3") || (v.Tail != nil) != v.Fast || (v.Block.Conv != nil) == (v.Block.Skip != nil) {
			t.Fatalf("%s gives %+v", d, v)
		}
	})
}

// lower writes the keys of objects in lower case.
func lower(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, x := range v {
			out[strings.ToLower(k)] = lower(x)
		}
		return out
	case []any:
		for i := range v {
			v[i] = lower(v[i])
		}
	}
	return v
}

func TestOfSpace(t *testing.T) {
	t.Parallel()
	const want = `{"space":{` +
		`"fast":"bool","batch_size":{"int":[1,8]},` +
		`"lr":{"float":[1e-05,0.1],"log":true,"unit":"1/step","doc":"learning rate"},` +
		`"drop":{"float":[0,0.5],"step":0.25},` +
		`"units":{"int":[16,256],"step":8},` +
		`"opt":{"choice":["O1","O2","O 3","O3"],"weights":[1,2,1,1]},` +
		`"depth":{"int":[1,16],"log":true,"when":"opt == O3"},` +
		`"kernel":{"ordinal":[3,5,7]},` +
		`"mode":{"choice":["slow","fast"]},` +
		`"any":{"ordinal":[1,2.5,"x y",true]},` +
		`"version":{"const":5},` +
		`"stages":{"repeat":[2,5],"of":{"width":{"int":[1,9]},"norm":{"choice":["batch","layer"]}}},` +
		`"widths":{"repeat":[0,4],"of":{"int":[8,64]}},` +
		`"grid":{"repeat":2,"of":"bool"},` +
		`"blocks":{"repeat":[1,2],"of":{"choice":{"conv":{"k":{"ordinal":[3,5]}},"skip_it":{}}}},` +
		`"words":{"repeat":[1,2],"of":{"choice":["a b","c"]}},` +
		`"augment":{"subset":["flip","crop","cut out","mix"],"size":[1,3]},` +
		`"passes":{"permutation":["slow","fast"]},` +
		`"stem":{"width":{"int":[1,9]},"norm":{"choice":["batch","layer"]}},` +
		`"tail":{"group":{"width":{"int":[1,9]},"norm":{"choice":["batch","layer"]}},"when":"fast"},` +
		`"block":{"choice":{"conv":{"k":{"ordinal":[3,5]}},"skip_it":{}}}},` +
		`"require":["units * kernel <= 1024","sum(widths) < 200"]}`
	if diff := cmp.Diff(want, MustOf[tagged]().String()); diff != "" {
		t.Fatal(diff)
	}
}

type loop struct {
	X    bool
	Next []loop `space:"repeat 1..2"`
}

func TestOfMistakes(t *testing.T) {
	t.Parallel()
	of := func(s *Space, err error) error { return err }
	tests := map[string]struct {
		err  error
		want string
	}{
		"words on an int": {of(Of[struct {
			X int `space:"choice a b"`
		}]()), `struct.X: space: value "a" on a int`},
		"range beyond the type": {of(Of[struct {
			X uint8 `space:"int 0..256"`
		}]()), "struct.X: space: int 0..256 on a uint8"},
		"negative on unsigned": {of(Of[struct {
			X uint `space:"int -1..5"`
		}]()), "struct.X: space: int -1..5 on a uint"},
		"fractions on an int": {of(Of[struct {
			X int `space:"ordinal 1 2.5"`
		}]()), `struct.X: space: value "2.5" on a int`},
		"float on an int": {of(Of[struct {
			X int `space:"float 0..5"`
		}]()), "struct.X: space: float 0..5 on a int"},
		"float32 overflow": {of(Of[struct {
			X float32 `space:"float 0..1e300"`
		}]()), "struct.X: space: float 0..1e+300 on a float32"},
		"no tag": {of(Of[struct{ X string }]()), "struct.X: space: no tag on a string"},
		"word": {of(Of[struct {
			X int `space:"itn 0..5"`
		}]()), `struct.X: space: kind "itn"`},
		"option": {of(Of[struct {
			X int `space:"int 0..5 lgo"`
		}]()), `struct.X: space: "lgo"; expected log, or step`},
		"no range": {of(Of[struct {
			X int `space:"int 5"`
		}]()), "struct.X: space: int 5; expected int low..high"},
		"string option": {of(Of[struct {
			X int `space:"int 0..5" json:",string"`
		}]()), "struct.X: json: the option string"},
		"hidden": {of(Of[struct {
			X int `space:"int 0..5" json:"-"`
		}]()), "which hides a parameter"},
		"bytes": {of(Of[struct {
			X []byte `space:"repeat 1..3 of int 0..5"`
		}]()), "struct.X: space: a []uint8, which encoding/json reads from text"},
		"array": {of(Of[struct {
			X [3]int `space:"repeat 1..3 of int 0..5"`
		}]()), "struct.X: space: repeat 1..3 on a [3]int"},
		"repeat on a struct": {of(Of[struct {
			X struct{} `space:"repeat 1..3"`
		}]()), "struct.X: space: repeat on a struct {}"},
		"case": {of(Of[struct {
			X struct{ A struct{} } `space:"choice"`
		}]()), "struct.X.A: a struct {} in a choice; expected a pointer"},
		"subset of words": {of(Of[struct {
			X []int `space:"subset a b"`
		}]()), `struct.X: space: value "a" on a int`},
		"text": {of(Of[struct {
			X speed `space:"choice slow quick"`
		}]()), `struct.X: space: value "quick" on a space.speed`},
		"quote": {of(Of[struct {
			X string `space:"choice 'a b"`
		}]()), "a quote without its end"},
		"require": {of(Of[struct {
			X bool `require:"x"`
		}]()), "struct.X: require: a constraint on a field"},
		"cycle":        {of(Of[loop]()), "a struct that contains itself"},
		"map":          {of(Of[struct{ X map[string]int }]()), "no tag on a map[string]int"},
		"not a struct": {of(Of[int]()), "int: a int; expected a struct type"},
		"by New": {of(Of[struct {
			X float64 `space:"float 2..1"`
		}]()), "x: float: high must be at least low"},
		"condition": {of(Of[struct {
			X bool `when:"y"`
		}]()), "no parameter is named y"},
		"unexported": {of(Of[struct {
			x int `space:"int 0..5"`
		}]()), "struct.x: space: a field that is not exported"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var spec *SpecError
			if test.err == nil || !errors.As(test.err, &spec) || !strings.Contains(test.err.Error(), test.want) {
				t.Errorf("got %v\nwant … %s …", test.err, test.want)
			}
		})
	}
	// All mistakes at once.
	err := of(Of[struct {
		X int `space:"int 0..x"`
		Y string
	}]())
	if err == nil || !strings.Contains(err.Error(), "struct.X") || !strings.Contains(err.Error(), "struct.Y") {
		t.Errorf("got %v", err)
	}
}

func TestLowerCamel(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"LR": "lr", "BatchSize": "batchSize", "HTTPPort": "httpPort", "WidthMM": "widthMM", "W1": "w1", "X": "x", "Über": "über", "A_B": "a_B", "ID": "id",
	} {
		if got := lowerCamel(name); got != want || !strings.EqualFold(got, name) {
			t.Errorf("lowerCamel(%s) = %s; want %s", name, got, want)
		}
	}
}
