package predict

import "fmt"

// An Explainer says how much each column contributed to a prediction.
type Explainer interface {
	// Shap writes for each row one number a column to phi, which is as long as
	// rows, and returns the base: with it they sum to the prediction of the row.
	Shap(rows, phi []float64) (base float64)
}

var (
	_ Explainer = (*BoostedModel)(nil)
	_ Explainer = (*ForestModel)(nil)
)

// Shap writes the Shapley values of each row's columns in the trees (Lundberg et
// al., "Consistent individualized feature attribution for tree ensembles", 2018,
// algorithm 2): exact for the game in which the value of a set of columns is the
// expectation of the tree where splits of other columns go both ways, as the
// training rows did. With the base they sum to the prediction; for the loss
// logistic to its log-odds.
//
// A row costs O(trees · leaves · depth²).
func (m *BoostedModel) Shap(rows, phi []float64) (base float64) {
	return m.base + m.trees.shap(rows, phi, 1)
}

// Shap writes the Shapley values of each row's columns; see [BoostedModel.Shap].
func (m *ForestModel) Shap(rows, phi []float64) (base float64) {
	return m.trees.shap(rows, phi, 1/float64(len(m.trees.roots)))
}

// shap writes the values times a factor and returns the expectation times it.
func (f *treeForest) shap(rows, phi []float64, factor float64) float64 {
	if len(phi) != len(rows) {
		panic(fmt.Sprintf("predict: %d Shapley values for rows of %d numbers", len(phi), len(rows)))
	}
	f.blocks(rows, func(from int, rows []float64, d int) {
		s := shapWalk{f: f}
		for i := 0; i < len(rows); i += d {
			s.x, s.phi = rows[i:i+d], phi[from*d+i:from*d+i+d]
			clear(s.phi)
			for _, root := range f.roots {
				if root >= 0 {
					s.walk(root, 0, 1, 1, -1)
				}
			}
			for j := range s.phi {
				s.phi[j] *= factor
			}
		}
	})
	sum := 0.0
	for _, root := range f.roots {
		sum += f.expect(root)
	}
	return sum * factor
}

// expect is the mean of the leaves below a child, as the training rows fell.
func (f *treeForest) expect(at int32) float64 {
	if at < 0 {
		return f.values[^at]
	}
	n := &f.nodes[at]
	return float64(f.share(n.left, at)*f.expect(n.left)) + float64(f.share(n.right, at)*f.expect(n.right))
}

func (f *treeForest) cover(at int32) float64 {
	if at < 0 {
		return f.leafCover[^at]
	}
	return f.covers[at]
}

// share is the part of a node's training weight that went to a child.
func (f *treeForest) share(child, node int32) float64 {
	n := &f.nodes[node]
	all := f.cover(n.left) + f.cover(n.right)
	if !(all > 0) {
		return 0.5
	}
	return f.cover(child) / all
}

// A shapStep is a column on the way from the root: the shares of the subsets
// that hold it (one) and that do not (zero) which come through, and the sum of
// the permutation weights of subsets of its place's size.
type shapStep struct {
	column         int32
	zero, one, way float64
}

// A shapWalk is the recursion for one row.
type shapWalk struct {
	f     *treeForest
	x     []float64
	phi   []float64
	paths [][]shapStep // by depth
}

// walk visits a child with the path above it, extended by the split that led
// there.
func (s *shapWalk) walk(at int32, depth int, zero, one float64, column int32) {
	for len(s.paths) <= depth {
		s.paths = append(s.paths, nil)
	}
	path := s.paths[depth][:0]
	if depth > 0 {
		path = append(path, s.paths[depth-1]...)
	}
	// Only the first step has no column; a column met before is taken out again.
	for k := 1; k < len(path); k++ {
		if path[k].column == column {
			zero *= path[k].zero
			one *= path[k].one
			path = shapUnwind(path, k)
			break
		}
	}
	path = shapExtend(path, zero, one, column)
	s.paths[depth] = path
	f := s.f
	if at < 0 {
		for k := 1; k < len(path); k++ {
			w := shapUnwoundSum(path, k)
			s.phi[path[k].column] += float64(float64(w*(path[k].one-path[k].zero)) * f.values[^at])
		}
		return
	}
	n := &f.nodes[at]
	j := n.column >> 1
	hot, cold := n.left, n.right
	if f.goes(n, s.x[j]) {
		hot, cold = cold, hot
	}
	s.walk(hot, depth+1, f.share(hot, at), 1, j)
	s.walk(cold, depth+1, f.share(cold, at), 0, j)
}

// goes reports whether a value of a clean row goes right.
func (f *treeForest) goes(n *treeNode, v float64) bool {
	if v != v {
		return n.column&1 == 0
	}
	if n.set < 0 {
		return v > n.cut
	}
	k := uint(v)
	return f.sets[uint(n.set)+k>>6]>>(k&63)&1 == 0
}

// shapExtend adds a step (EXTEND of algorithm 2).
func shapExtend(path []shapStep, zero, one float64, column int32) []shapStep {
	l := len(path)
	way := 0.0
	if l == 0 {
		way = 1
	}
	path = append(path, shapStep{column, zero, one, way})
	for i := l - 1; i >= 0; i-- {
		path[i+1].way += float64(float64(one*path[i].way)*float64(i+1)) / float64(l+1)
		path[i].way = float64(float64(zero*path[i].way)*float64(l-i)) / float64(l+1)
	}
	return path
}

// shapUnwind takes a step out again (UNWIND).
func shapUnwind(path []shapStep, k int) []shapStep {
	l := len(path) - 1
	one, zero := path[k].one, path[k].zero
	next := path[l].way
	for i := l - 1; i >= 0; i-- {
		if one != 0 {
			was := path[i].way
			path[i].way = float64(next*float64(l+1)) / float64(float64(i+1)*one)
			next = was - float64(float64(path[i].way*zero)*float64(l-i))/float64(l+1)
		} else {
			path[i].way = float64(path[i].way*float64(l+1)) / float64(zero*float64(l-i))
		}
	}
	for i := k; i < l; i++ {
		path[i].column, path[i].zero, path[i].one = path[i+1].column, path[i+1].zero, path[i+1].one
	}
	return path[:l]
}

// shapUnwoundSum is the sum of the ways after unwinding a step.
func shapUnwoundSum(path []shapStep, k int) float64 {
	l := len(path) - 1
	one, zero := path[k].one, path[k].zero
	next := path[l].way
	sum := 0.0
	for i := l - 1; i >= 0; i-- {
		if one != 0 {
			w := float64(next*float64(l+1)) / float64(float64(i+1)*one)
			sum += w
			next = path[i].way - float64(float64(w*zero)*float64(l-i))/float64(l+1)
		} else if zero != 0 {
			sum += path[i].way / zero * float64(l+1) / float64(l-i)
		}
	}
	return sum
}
