package nasbench201

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/daedalus-search/daedalus/internal/diagram"
)

// Cells are drawn without crossings and all alike, so that they can be
// compared at a glance.
func TestCellsAreDrawnAlike(t *testing.T) {
	t.Parallel()
	first, err := Cell(0).graph().Layout()
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		c := Cell(r.IntN(Cells))
		l, err := c.graph().Layout()
		if err != nil {
			t.Fatal(err)
		}
		if l.Crossings != 0 || l.Width != first.Width || l.Height != first.Height || l.Nodes[3] != first.Nodes[3] || l.Edges[3].Tip != first.Edges[3].Tip {
			t.Errorf("%v: %d crossings on %v by %v, want 0 on %v by %v", c, l.Crossings, l.Width, l.Height, first.Width, first.Height)
		}
	}
	if first.Width > 330 {
		t.Errorf("cells are %v wide, too wide for a phone", first.Width)
	}
}

// An edge stands out exactly if taking it away changes what depends on the
// input: if it lies on a way from the input to the output.
func TestDrawnFlow(t *testing.T) {
	t.Parallel()
	ways := [][]int{{3}, {0, 4}, {1, 5}, {0, 2, 5}}
	for c := range Cell(Cells) {
		ops := c.Ops()
		flows := [6]bool{}
		for _, way := range ways {
			open := true
			for _, e := range way {
				open = open && ops[e] != None
			}
			for _, e := range way {
				flows[e] = flows[e] || open
			}
		}
		for e, x := range c.graph().Edges {
			want := diagram.Idle
			switch {
			case ops[e] == None:
				want = diagram.Absent
			case flows[e]:
				want = diagram.Flow
			}
			if x.Style != want {
				t.Fatalf("%v: edge %d has style %d, want %d", c, e, x.Style, want)
			}
		}
	}
}

func TestDrawIsDeterministic(t *testing.T) {
	t.Parallel()
	p := mustNew(t, Options{})
	var a, b bytes.Buffer
	d := p.Design(CellOf([6]Op{3, 1, 0, 4, 2, 1}))
	if err := p.Draw(&a, d); err != nil {
		t.Fatal(err)
	}
	if err := p.Draw(&b, d); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Errorf("drawn again it differs (%v)", err)
	}
}
