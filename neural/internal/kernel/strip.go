package kernel

// A strip is a product of some rows with a panel of columns, the one inner loop of
// matrix products and convolutions:
//
//	c[i·cRow + j] (+)= Σₖ a[i·aRow + at[k]] · b[k·bRow + j]
//
// Rows of a matrix, and pixels of an image, are aRow apart; where the numbers of a row
// lie, at says.
type strip struct {
	a    []float32
	aRow int
	at   []int
	last int // the largest of at

	b    []float32 // every row has as many numbers as the panel is wide
	bRow int

	c    []float32
	cRow int

	rows  int
	cols  int // at most width
	width int // of the panel, one of widths
	add   bool
}

// generic is run without vectors: two rows by four columns at a time.
func (t *strip) generic() {
	for i := 0; i < t.rows; i += 2 {
		for j := 0; j < t.cols; j += 4 {
			t.two(i, j)
		}
	}
}

func (t *strip) two(i, j int) {
	var x0, x1, x2, x3, y0, y1, y2, y3 float32
	next := i + 1
	if next == t.rows { // the last row is computed twice
		next = i
	}
	p, q, b, at := t.a[i*t.aRow:], t.a[next*t.aRow:], t.b, j
	for _, k := range t.at {
		v := b[at : at+4 : at+4]
		u, w := p[k], q[k]
		x0 += u * v[0]
		x1 += u * v[1]
		x2 += u * v[2]
		x3 += u * v[3]
		y0 += w * v[0]
		y1 += w * v[1]
		y2 += w * v[2]
		y3 += w * v[3]
		at += t.bRow
	}
	t.store(i, j, x0, x1, x2, x3)
	if next > i {
		t.store(next, j, y0, y1, y2, y3)
	}
}

func (t *strip) store(i, j int, x ...float32) {
	c := t.c[i*t.cRow+j:]
	n := min(len(x), t.cols-j)
	c = c[:n]
	if t.add {
		for k := range c {
			c[k] += x[k]
		}
		return
	}
	copy(c, x)
}
