package diagram

import "math"

// A Tree is one node of a tree to be laid out by [Tree.Tidy].
type Tree struct {
	W, H float64 // its extent
	Kids []*Tree
	X, Y float64 // set by Tidy: its top middle
}

// Tidy lays a tree out from the top down, as small as these rules allow: nodes
// of one level stand on one line, in order and apart by gap; a parent stands
// over the middle of its children; equal subtrees look equal; and the drawing
// of a mirrored tree is the mirrored drawing (Reingold and Tilford, "Tidier
// Drawings of Trees", 1981). Small subtrees between large ones are spread
// evenly, which is what Buchheim, Jünger and Leipert (2002) add for nodes of
// any degree. Levels are drop apart. It returns the extent of the tree, whose
// top left corner is the origin.
func (t *Tree) Tidy(gap, drop float64) (width, height float64) {
	o := t.pack(gap)
	left, right := math.Inf(1), math.Inf(-1)
	for _, e := range o {
		left, right = math.Min(left, e.left), math.Max(right, e.right)
	}
	levels := t.heights(nil, 0)
	y := make([]float64, len(levels))
	for i := 1; i < len(levels); i++ {
		y[i] = y[i-1] + levels[i-1] + drop
	}
	t.settle(-left, 0, y)
	return right - left, y[len(y)-1] + levels[len(levels)-1]
}

// An extent is how far a subtree reaches on one level, from its root's middle.
type extent struct{ left, right float64 }

// pack places the subtree below t relative to t and returns its outline.
func (t *Tree) pack(gap float64) []extent {
	n := len(t.Kids)
	out := []extent{{-t.W / 2, t.W / 2}}
	if n == 0 {
		return out
	}
	lines := make([][]extent, n)
	for i, k := range t.Kids {
		lines[i] = k.pack(gap)
	}
	// apart is how far the roots of two subtrees must stand apart.
	apart := func(i, j int) float64 {
		d := 0.0
		for l := 0; l < min(len(lines[i]), len(lines[j])); l++ {
			d = math.Max(d, lines[i][l].right-lines[j][l].left+gap)
		}
		return d
	}
	// Once as far left and once as far right as they go: halfway between, every
	// subtree still keeps its distance, and what had room to move is centred.
	lefts, rights := make([]float64, n), make([]float64, n)
	d := make([][]float64, n)
	for j := range n {
		d[j] = make([]float64, j)
		for i := range j {
			d[j][i] = apart(i, j)
			lefts[j] = math.Max(lefts[j], lefts[i]+d[j][i])
		}
	}
	for i := n - 1; i >= 0; i-- {
		rights[i] = lefts[n-1]
		for j := i + 1; j < n; j++ {
			rights[i] = math.Min(rights[i], rights[j]-d[j][i])
		}
	}
	mid := (lefts[0] + rights[0] + lefts[n-1] + rights[n-1]) / 4
	for i, k := range t.Kids {
		k.X = (lefts[i]+rights[i])/2 - mid
		for l, e := range lines[i] {
			if l+1 == len(out) {
				out = append(out, extent{math.Inf(1), math.Inf(-1)})
			}
			o := &out[l+1]
			o.left, o.right = math.Min(o.left, k.X+e.left), math.Max(o.right, k.X+e.right)
		}
	}
	return out
}

// heights finds the tallest node of each level.
func (t *Tree) heights(levels []float64, level int) []float64 {
	if level == len(levels) {
		levels = append(levels, 0)
	}
	levels[level] = math.Max(levels[level], t.H)
	for _, k := range t.Kids {
		levels = k.heights(levels, level+1)
	}
	return levels
}

// settle makes places relative to parents places in the drawing.
func (t *Tree) settle(x float64, level int, y []float64) {
	t.X, t.Y = x, y[level]
	for _, k := range t.Kids {
		k.settle(x+k.X, level+1, y)
	}
}
