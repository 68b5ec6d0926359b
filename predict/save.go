package predict

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"
)

// The form of a saved model, numbers little-endian:
//
//	magic    "daedalus/predict" and a zero byte
//	form     uvarint, 1
//	columns  count, then name and levels of each
//	model    kind (string), version of the kind (uvarint), size, body
//	sum      CRC-32C of all before it, 4 bytes
//
// A uvarint is that of encoding/binary, a string its length and bytes, a number
// the 8 bytes of its float64. Models within models are written as the model is.
const (
	saveMagic = "daedalus/predict\x00"
	saveForm  = 1
	saveDepth = 8       // models within models
	saveMax   = 1 << 30 // bytes of a file
)

// A FormatError says why a file is not a saved model that this version reads.
type FormatError struct {
	What  string // what was read: "magic", "form", "columns", a kind of model, …
	Found string
	Want  string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("predict: reading a saved model: %s: found %s; expected %s", e.What, e.Found, e.Want)
}

// A savedModel is a model that can be saved. Its kind has a row in saveKinds.
type savedModel interface {
	Model
	saveKind() string
	save(*saveWriter)
}

// A saveRow says how a kind of model is read. The version goes up when the body
// changes; read is given the version of the file, which is no higher.
type saveRow struct {
	kind    string
	version uint64
	read    func(r *saveReader, version uint64) Model
}

// Save writes a model of this package, with the columns of the rows that it
// predicts from. It fails for models of other packages and for models made
// around one.
func Save(w io.Writer, m Model, columns []Column) error {
	sw := saveWriter{b: append(make([]byte, 0, 1<<12), saveMagic...)}
	sw.uint(saveForm)
	sw.columns(columns)
	sw.model(m)
	if sw.err != nil {
		return sw.err
	}
	sw.b = binary.LittleEndian.AppendUint32(sw.b, crc32.Checksum(sw.b, crc32.MakeTable(crc32.Castagnoli)))
	if _, err := w.Write(sw.b); err != nil {
		return fmt.Errorf("predict: saving a model: %w", err)
	}
	return nil
}

// Load reads what [Save] wrote. A file that is damaged, or newer than this
// version, gives a [*FormatError].
func Load(r io.Reader) (Model, []Column, error) {
	b, err := io.ReadAll(io.LimitReader(r, saveMax+1))
	if err != nil {
		return nil, nil, fmt.Errorf("predict: reading a saved model: %w", err)
	}
	bad := func(what, found, want string) (Model, []Column, error) {
		return nil, nil, &FormatError{What: what, Found: found, Want: want}
	}
	switch {
	case len(b) > saveMax:
		return bad("size", "more than 1 GiB", "less")
	case len(b) < len(saveMagic) || string(b[:len(saveMagic)]) != saveMagic:
		return bad("magic", fmt.Sprintf("%q", b[:min(len(b), len(saveMagic))]), fmt.Sprintf("%q", saveMagic))
	}
	sr := saveReader{b: b[len(saveMagic):]}
	if form := sr.uint(); sr.err == nil && form != saveForm {
		return bad("form", fmt.Sprint(form), fmt.Sprintf("%d, or a newer version of this program", saveForm))
	}
	if len(sr.b) < 4 {
		return bad("sum", "the end of the file", "4 bytes; the file was cut short")
	}
	body := b[:len(b)-4]
	if got, want := crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)), binary.LittleEndian.Uint32(b[len(body):]); got != want {
		return bad("sum", fmt.Sprintf("%08x", got), fmt.Sprintf("%08x; the file is damaged or was cut short", want))
	}
	sr.b = sr.b[:len(sr.b)-4]
	columns := sr.columns()
	m := sr.model()
	sr.wide(m, len(columns))
	if sr.err == nil && len(sr.b) > 0 {
		sr.fail("end", fmt.Sprintf("%d more bytes", len(sr.b)), "the end of the file")
	}
	if sr.err != nil {
		return nil, nil, sr.err
	}
	return m, columns, nil
}

// A saveWriter appends to b.
type saveWriter struct {
	b   []byte
	err error
}

func (w *saveWriter) uint(x uint64) { w.b = binary.AppendUvarint(w.b, x) }
func (w *saveWriter) int(x int)     { w.b = binary.AppendVarint(w.b, int64(x)) }
func (w *saveWriter) float(x float64) {
	w.b = binary.LittleEndian.AppendUint64(w.b, math.Float64bits(x))
}

func (w *saveWriter) bool(x bool) {
	if x {
		w.uint(1)
	} else {
		w.uint(0)
	}
}

func (w *saveWriter) string(s string) {
	w.uint(uint64(len(s)))
	w.b = append(w.b, s...)
}

func (w *saveWriter) floats(x []float64) {
	w.uint(uint64(len(x)))
	for _, v := range x {
		w.float(v)
	}
}

func (w *saveWriter) ints(x []int) {
	w.uint(uint64(len(x)))
	for _, v := range x {
		w.int(v)
	}
}

func (w *saveWriter) columns(cs []Column) {
	w.uint(uint64(len(cs)))
	for _, c := range cs {
		w.string(c.Name)
		w.int(c.Levels)
	}
}

// model writes a model within another.
func (w *saveWriter) model(m Model) {
	s, ok := m.(savedModel)
	if !ok {
		w.err = errors.Join(w.err, fmt.Errorf("predict: a model of type %T cannot be saved", m))
		return
	}
	row, ok := saveFind(s.saveKind())
	if !ok {
		w.err = errors.Join(w.err, fmt.Errorf("predict: a model of kind %q cannot be saved", s.saveKind()))
		return
	}
	inner := saveWriter{}
	s.save(&inner)
	w.err = errors.Join(w.err, inner.err)
	w.string(row.kind)
	w.uint(row.version)
	w.uint(uint64(len(inner.b)))
	w.b = append(w.b, inner.b...)
}

// A saveReader reads from b. After the first mistake err is set, everything
// reads as zero, and lengths never exceed what is left to read.
type saveReader struct {
	b     []byte
	err   error
	what  string
	depth int
}

// fail records a mistake in what was read.
func (r *saveReader) fail(what, found, want string) {
	if r.err == nil {
		r.err = &FormatError{What: what, Found: found, Want: want}
	}
	r.b = nil
}

// check records a mistake unless ok; it returns whether there is none so far.
func (r *saveReader) check(ok bool, found, want string) bool {
	if !ok {
		r.fail(r.what, found, want)
	}
	return r.err == nil
}

func (r *saveReader) short() { r.fail(r.what, "the end of the file", "more") }

func (r *saveReader) uint() uint64 {
	x, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.short()
		return 0
	}
	r.b = r.b[n:]
	return x
}

func (r *saveReader) int() int {
	x, n := binary.Varint(r.b)
	if n <= 0 || int64(int(x)) != x {
		r.short()
		return 0
	}
	r.b = r.b[n:]
	return int(x)
}

func (r *saveReader) bool() bool { return r.uint() != 0 }

func (r *saveReader) float() float64 {
	if len(r.b) < 8 {
		r.short()
		return 0
	}
	x := math.Float64frombits(binary.LittleEndian.Uint64(r.b))
	r.b = r.b[8:]
	return x
}

// finite reads a number that must be finite.
func (r *saveReader) finite() float64 {
	x := r.float()
	if math.IsNaN(x) || math.IsInf(x, 0) {
		r.fail(r.what, fmt.Sprint(x), "a finite number")
		return 0
	}
	return x
}

// count reads a number of things that take at least size bytes each.
func (r *saveReader) count(size int) int {
	n := r.uint()
	if n > uint64(len(r.b)/max(size, 1)) {
		r.fail(r.what, fmt.Sprintf("a count of %d with %d bytes left", n, len(r.b)), "no more than there is")
		return 0
	}
	return int(n)
}

func (r *saveReader) string() string {
	n := r.count(1)
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *saveReader) floats() []float64 {
	x := make([]float64, r.count(8))
	for i := range x {
		x[i] = r.float()
	}
	return x
}

func (r *saveReader) ints() []int {
	x := make([]int, r.count(1))
	for i := range x {
		x[i] = r.int()
	}
	return x
}

func (r *saveReader) columns() []Column {
	r.what = "columns"
	cs := make([]Column, r.count(2))
	for i := range cs {
		cs[i] = Column{Name: r.string(), Levels: r.int()}
		if cs[i].Levels < 0 {
			r.fail(r.what, fmt.Sprintf("%d levels", cs[i].Levels), "0 or more")
		}
	}
	return cs
}

// model reads a model, or returns nil after a mistake.
func (r *saveReader) model() Model {
	r.what = "kind of model"
	kind := r.string()
	version := r.uint()
	n := r.count(1)
	row, ok := saveFind(kind)
	switch {
	case r.err != nil:
		return nil
	case !ok:
		r.fail(r.what, fmt.Sprintf("%q", kind), fmt.Sprintf("one of %q, or a newer version of this program", saveNames()))
		return nil
	case version > row.version || version == 0:
		r.fail(kind, fmt.Sprintf("version %d", version), fmt.Sprintf("1 to %d, or a newer version of this program", row.version))
		return nil
	case r.depth >= saveDepth:
		r.fail(kind, "models nested too deeply", fmt.Sprintf("at most %d levels", saveDepth))
		return nil
	}
	inner := saveReader{b: r.b[:n], what: kind, depth: r.depth + 1}
	m := row.read(&inner, version)
	if inner.err == nil && len(inner.b) > 0 {
		inner.fail(kind, fmt.Sprintf("%d more bytes", len(inner.b)), "the end of the model")
	}
	if inner.err != nil {
		r.err, r.b = inner.err, nil
		return nil
	}
	r.b = r.b[n:]
	return m
}

// A wideModel knows how many columns its rows have.
type wideModel interface{ columnCount() int }

// wide makes sure that a model expects rows of so many columns, if it knows.
func (r *saveReader) wide(m Model, columns int) {
	if w, ok := m.(wideModel); ok && r.err == nil && w.columnCount() != columns {
		r.fail("columns", fmt.Sprintf("a model of %d", w.columnCount()), fmt.Sprint(columns))
	}
}

func saveFind(kind string) (saveRow, bool) {
	rows := saveKinds()
	if i := slices.IndexFunc(rows, func(s saveRow) bool { return s.kind == kind }); i >= 0 {
		return rows[i], true
	}
	return saveRow{}, false
}

func saveNames() []string {
	var names []string
	for _, s := range saveKinds() {
		names = append(names, s.kind)
	}
	return names
}
