package neural

import (
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
)

// Boxes keep apart, lines lead down and pass beside the boxes between.
func TestLayout(t *testing.T) {
	for trial := range 200 {
		r := rng.New(1, "layout", uint64(trial))
		p := &picture{}
		for range 2 + r.IntN(25) {
			w := 20 + 100*r.Float64()
			p.boxes = append(p.boxes, box{w: w, h: 20 + 30*r.Float64(), left: w / 2, right: w/2 + 30*r.Float64()})
		}
		for to := 1; to < len(p.boxes); to++ {
			for range 1 + r.IntN(3) {
				p.lines = append(p.lines, line{from: r.IntN(to), to: to})
			}
		}
		l, err := p.place()
		if err != nil {
			t.Fatal(err)
		}
		const eps = 1e-6
		for i, a := range p.boxes {
			if a.x-a.left < -eps || a.x+a.right > p.width+eps || a.y < -eps || a.y+a.h > p.height+eps {
				t.Errorf("trial %d: box %d at (%g, %g) stands out of %g×%g", trial, i, a.x, a.y, p.width, p.height)
			}
			for j, b := range p.boxes[:i] {
				if a.x-a.left < b.x+b.right-eps && b.x-b.left < a.x+a.right-eps && a.y < b.y+b.h-eps && b.y < a.y+a.h-eps {
					t.Errorf("trial %d: boxes %d and %d overlap", trial, i, j)
				}
			}
		}
		for k := range p.lines {
			e := &p.lines[k]
			points := l.way(e)
			if first, last := points[0], points[len(points)-1]; first.x != p.boxes[e.from].x || last.y != p.boxes[e.to].y {
				t.Errorf("trial %d: line %d leads from %v to %v", trial, k, first, last)
			}
			for i := 1; i < len(points); i++ {
				a, b := points[i-1], points[i]
				if a.y > b.y+eps {
					t.Fatalf("trial %d: line %d leads up from %v to %v", trial, k, a, b)
				}
				if a.x != b.x {
					continue // bends, between layers
				}
				for n, c := range p.boxes {
					if n != e.from && n != e.to && a.x > c.x-c.w/2 && a.x < c.x+c.w/2 && a.y < c.y+c.h && b.y > c.y {
						t.Errorf("trial %d: line %d passes through box %d", trial, k, n)
					}
				}
			}
			for i := 1; i < len(points); i++ { // bends happen where no box is
				a, b := points[i-1], points[i]
				if a.x == b.x {
					continue
				}
				for n, c := range p.boxes {
					if a.y < c.y+c.h-eps && b.y > c.y+eps {
						t.Errorf("trial %d: line %d bends from %v to %v beside box %d", trial, k, a, b, n)
					}
				}
			}
		}
	}
}

// What can be drawn without crossings, is.
func TestLayoutWithoutCrossings(t *testing.T) {
	for name, lines := range map[string][][2]int{
		"a shortcut":       {{0, 1}, {1, 2}, {0, 2}},
		"two shortcuts":    {{0, 1}, {1, 2}, {0, 2}, {2, 3}, {3, 4}, {2, 4}},
		"nested":           {{0, 1}, {1, 2}, {2, 3}, {1, 3}, {0, 3}},
		"NAS-Bench-201":    {{0, 1}, {0, 2}, {1, 3}, {2, 3}, {0, 4}, {1, 4}, {3, 4}},
		"five branches":    {{0, 1}, {0, 2}, {0, 3}, {0, 4}, {0, 5}, {1, 6}, {2, 6}, {3, 6}, {4, 6}, {5, 6}},
		"the wrong way in": {{0, 1}, {0, 2}, {1, 3}, {2, 4}, {1, 5}, {3, 5}, {4, 6}, {5, 6}},
	} {
		p := &picture{}
		for _, e := range lines {
			for len(p.boxes) <= e[1] {
				p.boxes = append(p.boxes, box{w: 40, h: 20, left: 20, right: 20})
			}
			p.lines = append(p.lines, line{from: e[0], to: e[1]})
		}
		l, err := p.place()
		if err != nil {
			t.Fatal(err)
		}
		at := make([]float64, len(l.slots))
		for _, layer := range l.layers {
			for i, k := range layer {
				at[k] = float64(i)
			}
		}
		if n := l.crossings(at); n != 0 {
			t.Errorf("%s: %d crossings", name, n)
		}
	}
}
