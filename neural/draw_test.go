package neural_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/nets"
)

var update = flag.Bool("update", false, "write the golden files anew")

// texts returns all texts of a drawing, which must be well formed.
func texts(t *testing.T, svg []byte) (all []string) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(svg))
	in := ""
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		switch x := token.(type) {
		case xml.StartElement:
			in = x.Name.Local
		case xml.EndElement:
			in = ""
		case xml.CharData:
			if in == "text" {
				all = append(all, string(x))
			}
		}
	}
}

func TestDrawAnything(t *testing.T) {
	random(t, 100, func(t *testing.T, _ *rand.Rand, g *neural.Graph) {
		var a, b bytes.Buffer
		if err := g.Draw(&a); err != nil {
			t.Fatal(err)
		}
		if err := g.Draw(&b); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Errorf("drawn again, it differs (%v)", err)
		}
		if n := len(texts(t, a.Bytes())); n < 5 {
			t.Errorf("%d texts", n)
		}
		for _, x := range g.Blocks() {
			if err := g.DrawBlock(io.Discard, x.Name); err != nil {
				t.Error(err)
			}
		}
	})
}

// Drawings of well-known networks, to be looked at when they change.
func TestGoldenDrawings(t *testing.T) {
	normal, reduce := nets.DARTS2()
	for name, net := range map[string]interface{ Graph() (*neural.Graph, error) }{
		"nasbench201": nets.NASBench201{Ops: [6]nets.CellOp{nets.Conv3x3, nets.Conv1x1, nets.Skip, nets.AvgPool3x3, nets.Conv3x3, nets.None}},
		"darts":       nets.Cells{Normal: normal, Reduce: reduce},
		"transformer": nets.Transformer{
			Vocabulary: 65, Length: 64, Dim: 128, Classes: 65, PerToken: true, Causal: true,
			Layers: []nets.TransformerLayer{{Heads: 4, Hidden: 512}, {Heads: 4, Hidden: 512}, {Heads: 2, Hidden: 256, Attention: neural.LinearELU}},
		},
	} {
		g, err := net.Graph()
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := g.Draw(&b); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name+".svg")
		if *update {
			if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b.Bytes(), want) {
			t.Errorf("%s differs from %s; if it is meant to, look at it after go test ./neural -run Golden -update", name, path)
		}
	}
}

// Equal blocks in a row are one box with their number; what has parallel paths
// inside is drawn once.
func TestDrawFolds(t *testing.T) {
	g, err := nets.NASBench201{Ops: [6]nets.CellOp{3, 2, 1, 4, 3, 0}}.Graph()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := g.Draw(&b); err != nil {
		t.Fatal(err)
	}
	all := strings.Join(texts(t, b.Bytes()), "\n")
	for text, want := range map[string]int{
		"5 × cell": 3, "residual block /2\n": 2, "cell, as stage1/cell1": 1, "residual block /2, as stage2/reduce": 1,
		"avg pool 3×3": 1, "none": 1, "identity": 1,
	} {
		if n := strings.Count("\n"+all+"\n", text); n != want {
			t.Errorf("%q stands there %d times, want %d:\n%s", text, n, want, all)
		}
	}
	if err := g.DrawBlock(io.Discard, "stage9"); err == nil || !strings.Contains(err.Error(), `no block "stage9"`) {
		t.Error(err)
	}
}

// Of equal blocks the one is looked into that reads the most: both states of the first cell
// are one result.
func TestDrawsTypicalCell(t *testing.T) {
	normal, reduce := nets.DARTS2()
	g, err := nets.Cells{Normal: normal, Reduce: reduce}.Graph()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := g.Draw(&b); err != nil {
		t.Fatal(err)
	}
	all := strings.Join(texts(t, b.Bytes()), "\n")
	for text, want := range map[string]int{"6 × normal cell": 1, "normal cell, as cell2": 1, "in 2": 2, "sep conv 3×3": 6} {
		if n := strings.Count(all, text); n != want {
			t.Errorf("%q stands there %d times, want %d:\n%s", text, n, want, all)
		}
	}
}

// What is too large to be read is refused, and says what to do.
func TestDrawTooLarge(t *testing.T) {
	b := neural.NewBuilder("huge")
	x := b.Input("x", neural.Shape{4})
	first := x
	for range 3000 {
		x = b.Add(neural.Add{}, x, first)
	}
	g, err := b.Build(x)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Draw(io.Discard); err == nil || !strings.Contains(err.Error(), "build it of blocks") {
		t.Error(err)
	}
}
