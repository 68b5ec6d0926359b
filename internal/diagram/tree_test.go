package diagram

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func trees(depth int) *rapid.Generator[*Tree] {
	return rapid.Custom(func(t *rapid.T) *Tree {
		n := &Tree{W: float64(rapid.IntRange(1, 90).Draw(t, "w")), H: float64(rapid.IntRange(1, 30).Draw(t, "h"))}
		if depth > 0 {
			for range rapid.IntRange(0, 4).Draw(t, "kids") {
				n.Kids = append(n.Kids, trees(depth-1).Draw(t, "kid"))
			}
		}
		return n
	})
}

func (t *Tree) mirrored() *Tree {
	m := &Tree{W: t.W, H: t.H}
	for i := len(t.Kids) - 1; i >= 0; i-- {
		m.Kids = append(m.Kids, t.Kids[i].mirrored())
	}
	return m
}

// A tidy tree is within its extent, its levels are in order and apart, parents
// stand over the middle of their children, and the drawing of the mirrored
// tree is the mirrored drawing.
func TestTidy(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		root := trees(4).Draw(t, "tree")
		m := root.mirrored()
		const gap, drop, tiny = 7.0, 11.0, 1e-6
		w, h := root.Tidy(gap, drop)
		if mw, mh := m.Tidy(gap, drop); math.Abs(mw-w) > tiny || mh != h {
			t.Fatalf("%v by %v, mirrored %v by %v", w, h, mw, mh)
		}
		var last []*Tree // of each level so far
		var walk func(a, b *Tree, level int)
		walk = func(a, b *Tree, level int) {
			if math.Abs(a.X+b.X-w) > tiny || a.Y != b.Y {
				t.Errorf("a node at %v, %v stands at %v, %v in the mirror", a.X, a.Y, b.X, b.Y)
			}
			if a.X-a.W/2 < -tiny || a.X+a.W/2 > w+tiny || a.Y < 0 || a.Y+a.H > h {
				t.Errorf("a node at %v, %v of size %v, %v leaves %v by %v", a.X, a.Y, a.W, a.H, w, h)
			}
			if level < len(last) {
				if p := last[level]; p.Y != a.Y || p.X+p.W/2+gap > a.X-a.W/2+tiny {
					t.Errorf("neighbours at %v, %v and %v, %v", p.X, p.Y, a.X, a.Y)
				}
				last[level] = a
			} else {
				last = append(last, a)
			}
			if n := len(a.Kids); n > 0 {
				if mid := (a.Kids[0].X + a.Kids[n-1].X) / 2; math.Abs(mid-a.X) > tiny || a.Kids[0].Y < a.Y+a.H+drop-tiny {
					t.Errorf("a parent at %v, %v over %v", a.X, a.Y, mid)
				}
				for i, k := range a.Kids {
					walk(k, b.Kids[n-1-i], level+1)
				}
			}
		}
		walk(root, m, 0)
	})
}
