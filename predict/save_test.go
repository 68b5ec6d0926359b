package predict_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/predict/predicttest"
)

type foreign struct{}

func (foreign) Predict(rows, mean, sd []float64) {}

func saved(tb testing.TB, l predict.Learner) []byte {
	tb.Helper()
	t := predicttest.Table(40, 1)
	m, err := l.Fit(tb.Context(), t, 1)
	if err != nil {
		tb.Fatal(err)
	}
	var b bytes.Buffer
	if err := predict.Save(&b, m, t.Columns); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// resum makes the sum of a changed file right.
func resum(text []byte) []byte {
	body := bytes.Clone(text[:max(len(text)-4, 0)])
	return binary.LittleEndian.AppendUint32(body, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
}

func TestLoadMistakes(t *testing.T) {
	good := saved(t, predict.Boosted{Trees: 3})
	damage := func(at int) []byte {
		b := bytes.Clone(good)
		b[at] ^= 0x40
		return b
	}
	kind := bytes.Index(good, []byte("boosted"))
	newKind := bytes.Clone(good)
	newKind[kind] = 'B'
	newVersion := bytes.Clone(good)
	newVersion[kind+len("boosted")] = 9
	newForm := bytes.Clone(good)
	newForm[len("daedalus/predict")+1] = 7
	for name, c := range map[string]struct {
		text []byte
		word string
	}{
		"empty":       {nil, "magic"},
		"other file":  {[]byte("PNG and so on, not at all a model"), "magic"},
		"damaged":     {damage(len(good) / 2), "damaged"},
		"cut":         {good[:len(good)-9], "damaged"},
		"longer":      {append(bytes.Clone(good), 1, 2, 3), "damaged"},
		"newer form":  {resum(newForm), "newer version"},
		"newer model": {resum(newVersion), "newer version"},
		"other kind":  {resum(newKind), `"Boosted"`},
	} {
		_, _, err := predict.Load(bytes.NewReader(c.text))
		var format *predict.FormatError
		if !errors.As(err, &format) || !strings.Contains(err.Error(), c.word) {
			t.Errorf("%s: %v; expected a FormatError that says %q", name, err, c.word)
		}
	}
	if err := predict.Save(&bytes.Buffer{}, foreign{}, nil); err == nil || !strings.Contains(err.Error(), "foreign") {
		t.Errorf("Save of a model of another package: %v", err)
	}
}

// FuzzLoad changes files, makes their sum right, and uses what is still read.
func FuzzLoad(f *testing.F) {
	for _, l := range []predict.Learner{
		predict.Boosted{Trees: 3}, predict.Forest{Trees: 2}, predict.Bagged{Members: 2, Learner: predict.Forest{Trees: 1}, ColumnShare: 0.5},
		predict.Conformal{Learner: predict.Boosted{Trees: 1}, Folds: 2}, predict.Ridge{},
	} {
		f.Add(saved(f, l), 40, byte(1))
	}
	f.Fuzz(func(t *testing.T, text []byte, at int, by byte) {
		if len(text) > 1<<16 {
			return
		}
		text = bytes.Clone(text)
		if len(text) > 0 {
			text[uint(at)%uint(len(text))] ^= by
		}
		m, columns, err := predict.Load(bytes.NewReader(resum(text)))
		if err != nil || len(columns) != 4 {
			return
		}
		defer func() {
			// A model of other columns than the file names refuses its rows.
			if x := recover(); x != nil && !strings.Contains(x.(string), "rows of") {
				panic(x)
			}
		}()
		row := predicttest.Table(1, 1).X
		m.Predict(row, make([]float64, 1), make([]float64, 1))
	})
}
