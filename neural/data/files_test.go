package data

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func write(t testing.TB, path string, b []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func zipped(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Write(b)
	z.Close()
	return out.Bytes()
}

func idxFile(shape []int, values []uint8) []byte {
	b := []byte{0, 0, 8, byte(len(shape))}
	for _, n := range shape {
		b = binary.BigEndian.AppendUint32(b, uint32(n))
	}
	return append(b, values...)
}

// wants reports an error that lacks one of the texts.
func wants(t *testing.T, name string, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error, want one with %q", name, texts)
		return
	}
	for _, want := range texts {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got the error\n%v\nwant %q in it", name, err, want)
		}
	}
}

func TestIDX(t *testing.T) {
	dir := t.TempDir()
	pixels := make([]uint8, 40*6)
	labels := make([]uint8, 40)
	for i := range pixels {
		pixels[i] = uint8(i)
	}
	for i := range labels {
		labels[i] = uint8(3 + 2*(i%2))
	}
	write(t, filepath.Join(dir, "m", "train-images-idx3-ubyte.gz"), zipped(idxFile([]int{40, 2, 3}, pixels)))
	write(t, filepath.Join(dir, "m", "train-labels-idx1-ubyte"), idxFile([]int{40}, labels))
	p, err := Source{IDX: &IDX{Folder: "m"}, Dir: dir, Test: 0.25, Valid: 0.25}.Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if p.Train.Len() != 20 || p.Valid.Len() != 10 || p.Test.Len() != 10 || p.Train.Height != 2 || p.Train.Width != 3 || p.Train.Name != "m" {
		t.Errorf("opened %v", p)
	}
	if d := cmp.Diff([]string{"3", "5"}, p.Train.Classes); d != "" {
		t.Errorf("classes:\n%s", d)
	}
	for i := range p.Train.Len() {
		at := p.Train.at(i)
		if p.Train.Class(i) != at%2 || p.Train.Image(i)[0] != uint8(6*at) {
			t.Errorf("example %d: class %d, first byte %d", at, p.Train.Class(i), p.Train.Image(i)[0])
		}
	}
	// With a test part, in colour and named one by one.
	write(t, filepath.Join(dir, "a"), idxFile([]int{4, 1, 1, 3}, make([]uint8, 12)))
	write(t, filepath.Join(dir, "b"), zipped(idxFile([]int{4}, []uint8{0, 1, 0, 1})))
	write(t, filepath.Join(dir, "c"), idxFile([]int{1, 1, 1, 3}, make([]uint8, 3)))
	write(t, filepath.Join(dir, "d"), idxFile([]int{1}, []uint8{1}))
	p, err = Source{IDX: &IDX{Images: "a", Labels: "b", TestImages: "c", TestLabels: "d"}, Dir: dir, Valid: 0.5}.Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if p.Test.Len() != 1 || p.Test.Class(0) != 1 || p.Train.Channels != 3 || p.Valid.Len() != 2 {
		t.Errorf("opened %v", p)
	}

	for name, c := range map[string]struct {
		images, labels []byte
		want           []string
	}{
		"another file":     {[]byte("hello world"), nil, []string{"a1: header: found the bytes 68 65 6c 6c"}},
		"floats":           {append([]byte{0, 0, 0x0d, 1}, 0, 0, 0, 1, 1, 1, 1, 1), nil, []string{"an IDX file of 32-bit floats, want one of bytes"}},
		"cut header":       {[]byte{0, 0, 8, 3, 0, 0}, nil, []string{"header: found the end after 2 of 12 bytes"}},
		"cut":              {idxFile([]int{2, 2, 2}, make([]uint8, 7)), nil, []string{"a1: records of 4 bytes: found the end after 7 of 8 bytes"}},
		"too long":         {idxFile([]int{2, 2, 2}, make([]uint8, 9)), nil, []string{"found more bytes than the header promises"}},
		"absurd":           {idxFile([]int{1 << 30, 1 << 30, 1 << 30}, nil), nil, []string{"header: found the size"}},
		"promises":         {idxFile([]int{1 << 20, 64, 64}, nil), nil, []string{"found the end after 0 of 4294967296 bytes"}},
		"nothing":          {idxFile([]int{0, 2, 2}, nil), nil, []string{"found the size 0 of axis 1"}},
		"one axis":         {idxFile([]int{3}, make([]uint8, 3)), idxFile([]int{3}, make([]uint8, 3)), []string{"found the sizes [3], want images×height×width"}},
		"labels with axes": {idxFile([]int{1, 2, 2}, make([]uint8, 4)), idxFile([]int{1, 1}, make([]uint8, 1)), []string{"b1: header: found the sizes [1 1]"}},
		"other labels":     {idxFile([]int{2, 2, 2}, make([]uint8, 8)), idxFile([]int{3}, make([]uint8, 3)), []string{"b1: header: found 3 classes, want 2"}},
		"one class":        {idxFile([]int{30, 1, 1}, make([]uint8, 30)), idxFile([]int{30}, make([]uint8, 30)), []string{"found 1 class (0), want at least two"}},
		"bad gzip":         {[]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3}, nil, []string{"a1: header: "}},
		"cut gzip":         {zipped(idxFile([]int{200, 9, 9}, pixels))[:40], nil, []string{"a1: "}},
	} {
		write(t, filepath.Join(dir, "a1"), c.images)
		write(t, filepath.Join(dir, "b1"), c.labels)
		_, err := Source{IDX: &IDX{Images: "a1", Labels: "b1"}, Dir: dir}.Open(context.Background())
		wants(t, name, err, c.want...)
	}
	_, err = Source{IDX: &IDX{Folder: "none"}, Dir: dir}.Open(context.Background())
	wants(t, "no folder", err, filepath.Join("none", "train-images-idx3-ubyte"))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	_, err = Source{IDX: &IDX{}}.Open(context.Background())
	wants(t, "nothing", err, "found neither a folder nor images")
	write(t, filepath.Join(dir, "d"), idxFile([]int{1}, []uint8{7}))
	_, err = Source{IDX: &IDX{Images: "a", Labels: "b", TestImages: "c", TestLabels: "d"}, Dir: dir}.Open(context.Background())
	wants(t, "unknown class", err, "d: record 0: found class 7")
	_, err = Source{IDX: &IDX{Images: "a", Labels: "b", TestImages: "c"}, Dir: dir}.Open(context.Background())
	wants(t, "test images alone", err, "want both or neither")
}

func cifarRecord(fill byte, classes ...byte) []byte {
	b := slices.Clone(classes)
	for i := range 3 * cifarPlane {
		b = append(b, fill+byte(i/cifarPlane))
	}
	return b
}

func TestCIFAR(t *testing.T) {
	dir := t.TempDir()
	var a, b []byte
	for i := range 20 {
		a = append(a, cifarRecord(byte(i), byte(i%10))...)
		b = append(b, cifarRecord(byte(100+i), byte(i%10))...)
	}
	write(t, filepath.Join(dir, "1.bin"), a)
	write(t, filepath.Join(dir, "2.bin.gz"), zipped(b))
	s, err := openCIFAR([]string{filepath.Join(dir, "1.bin"), filepath.Join(dir, "2.bin.gz")})
	if err != nil {
		t.Fatal(err)
	}
	if s.Len() != 40 || s.Classes[3] != "cat" || s.Class(23) != 3 {
		t.Errorf("read %v", s)
	}
	if got := s.Image(23)[3*500 : 3*501]; !slices.Equal(got, []uint8{103, 104, 105}) {
		t.Errorf("a place of record 23 is %v, want 103 104 105", got)
	}
	p, err := Source{CIFAR: []string{"1.bin"}, CIFARTest: []string{"2.bin.gz"}, Dir: dir, Side: 8, Valid: 0.5}.Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if p.Train.Height != 8 || p.Train.Len() != 10 || p.Valid.Len() != 10 || p.Test.Len() != 20 || p.Test.Image(0)[0] != 100 {
		t.Errorf("opened %v", p)
	}
	hundred := write(t, filepath.Join(dir, "100", "h.bin"), append(cifarRecord(1, 19, 99), cifarRecord(2, 0, 0)...))
	write(t, filepath.Join(dir, "100", "fine_label_names.txt"), []byte(strings.Repeat("apple\n", 99)+"zebra\n"))
	if s, err = openCIFAR([]string{hundred}); err != nil || s.Class(0) != 99 || s.Classes[99] != "zebra" || s.Image(1)[2] != 4 {
		t.Errorf("CIFAR-100: %v, %v", s, err)
	}
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"empty":       {nil, "found 0 bytes"},
		"cut":         {a[:len(a)-1], "record 19"},
		"class":       {cifarRecord(0, 10), "record 0: found the classes [10], want less than 10"},
		"fine class":  {append(cifarRecord(1, 19, 99), cifarRecord(2, 0, 100)...), "record 1: found the classes [0 100]"},
		"other kinds": {make([]byte, cifar10*cifar100), "CIFAR-10 and of CIFAR-100 alike"},
	} {
		path := write(t, filepath.Join(dir, "bad.bin"), c.file)
		_, err := openCIFAR([]string{path})
		wants(t, name, err, path, c.want)
	}
	_, err = openCIFAR([]string{filepath.Join(dir, "1.bin"), hundred})
	wants(t, "both kinds", err, hundred, "found CIFAR-100, want CIFAR-10")
	_, err = Source{CIFAR: []string{"1.bin"}, CIFARTest: []string{"100/h.bin"}, Dir: dir}.Open(context.Background())
	wants(t, "test of another kind", err, "found CIFAR-100, want CIFAR-10")
}

// The shared subset of CIFAR-10 is balanced, and looks like what it says.
func TestCIFARSubset(t *testing.T) {
	path := filepath.FromSlash("../../../shared/data/cifar10-jpeg/cifar10_12000.bin.gz")
	if _, err := os.Stat(path); err != nil {
		t.Skip("needs the CIFAR-10 subset beside the repository: ", path)
	}
	s, err := openCIFAR([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	for c, n := range s.Counts() {
		if n != 1200 {
			t.Errorf("class %s has %d images, want 1200", s.Classes[c], n)
		}
	}
	// The means of CIFAR-10's channels are known: 0.491, 0.482, 0.447.
	for k, want := range []float32{0.491, 0.482, 0.447} {
		if got := s.Scale().Mean[k]; math.Abs(float64(got-want)) > 0.01 {
			t.Errorf("mean of channel %d is %v, want about %v", k, got, want)
		}
	}
}

func picture(w, h int, c color.Color) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.Set(x, y, c)
		}
	}
	return m
}

func encoded(t testing.TB, format string, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	var err error
	switch format {
	case "png":
		err = png.Encode(&b, m)
	case "jpg":
		err = jpeg.Encode(&b, m, &jpeg.Options{Quality: 95})
	case "gif":
		err = gif.Encode(&b, m, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// fillFolder writes n images of two classes: red ones and blue ones, of many sizes and
// formats.
func fillFolder(t testing.TB, dir string, n int) {
	for i := range n {
		for class, c := range map[string]color.Color{"red": color.RGBA{200, 0, 0, 255}, "blue": color.RGBA{0, 0, 200, 255}} {
			format := []string{"png", "jpg", "gif"}[i%3]
			write(t, filepath.Join(dir, class, fmt.Sprintf("%02d.%s", i, format)), encoded(t, format, picture(20+i, 35-i, c)))
		}
	}
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	fillFolder(t, filepath.Join(dir, "p"), 12)
	write(t, filepath.Join(dir, "p", "red", ".DS_Store"), nil)
	p, err := Source{Images: "p", Side: 8, Valid: 0.25, Test: 0.25, Dir: dir}.Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"blue", "red"}, p.Train.Classes); d != "" || p.Train.Len() != 12 || p.Test.Len() != 6 || p.Train.Height != 8 || p.Train.Width != 8 {
		t.Errorf("opened %v\n%s", p, d)
	}
	for i := range p.Train.Len() {
		c := p.Train.Image(i)[3*27:]
		if red := c[0] > 190 && c[2] < 10; red != (p.Train.Class(i) == 1) || c[1] > 10 {
			t.Errorf("example %d of class %s has the colour %v", i, p.Train.Classes[p.Train.Class(i)], c[:3])
		}
	}
	// Grey, and the middle of a long image.
	long := picture(30, 10, color.Black)
	for y := range 10 {
		for x := 10; x < 20; x++ {
			long.Set(x, y, color.White)
		}
	}
	got := make([]uint8, 25)
	if err := new(decoder).decode(got, bytes.NewReader(encoded(t, "png", long)), 5, 1); err != nil || slices.Min(got) != 255 {
		t.Errorf("the middle of an image: %v, %v", got, err)
	}
	// Parts in folders.
	fillFolder(t, filepath.Join(dir, "q", "train"), 4)
	fillFolder(t, filepath.Join(dir, "q", "val"), 2)
	fillFolder(t, filepath.Join(dir, "q", "test"), 3)
	p, err = Source{Images: "q", Grey: true, Dir: dir}.Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if p.Train.Len() != 8 || p.Valid.Len() != 4 || p.Test.Len() != 6 || p.Train.Channels != 1 || p.Train.Height != 32 {
		t.Errorf("opened %v", p)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := (Source{Images: "q", Dir: dir}).Open(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("opened after the context ended: %v", err)
	}
}

func TestFolderRefuses(t *testing.T) {
	good := encoded(t, "png", picture(9, 9, color.White))
	for name, c := range map[string]struct {
		files map[string][]byte
		want  []string
	}{
		"empty":       {map[string][]byte{".x": nil}, []string{"found no folders"}},
		"one class":   {map[string][]byte{"a/1.png": good, "a/2.png": good, "a/3.png": good, "a/4.png": good, "a/5.png": good}, []string{"found 1 class (a), want at least two"}},
		"empty class": {map[string][]byte{"a/1.png": good, "b/.keep": nil}, []string{filepath.Join("d", "b") + ": found no images in the folder of a class"}},
		"corrupt": {map[string][]byte{"a/1.png": good, "b/bad.png": good[:len(good)-20], "b/worse.jpg": []byte("hello"), "a/2.gif": nil}, []string{
			filepath.Join("b", "bad.png") + ": found a png image that is cut off or damaged", filepath.Join("b", "worse.jpg") + ": found no image that can be read", filepath.Join("a", "2.gif")}},
		"other file":     {map[string][]byte{"a/1.png": good, "b/notes.txt": good}, []string{filepath.Join("b", "notes.txt") + ": found a file that is no image"}},
		"file at top":    {map[string][]byte{"a/1.png": good, "1.png": good}, []string{"1.png: found a file, want only folders here"}},
		"folder in one":  {map[string][]byte{"a/1.png": good, "b/c/1.png": good}, []string{filepath.Join("b", "c") + ": found a folder in that of a class"}},
		"train and more": {map[string][]byte{"train/a/1.png": good, "cats/1.png": good}, []string{"found the folder train beside others"}},
		"test alone":     {map[string][]byte{"test/a/1.png": good}, []string{"none named train"}},
		"two of a kind":  {map[string][]byte{"val/a/1.png": good, "valid/a/1.png": good}, []string{"found the folders val and valid"}},
		"unknown class":  {map[string][]byte{"train/a/1.png": good, "train/b/1.png": good, "test/c/1.png": good}, []string{filepath.Join("test", "c") + ": found a class that the training part does not have"}},
		"thin":           {map[string][]byte{"a/1.png": encoded(t, "png", picture(1000, 2, color.White))}, []string{"found an image of 2×1000"}},
		"huge header":    {map[string][]byte{"a/1.png": hugePNG()}, []string{"found an image of 100000×100000, want at most"}},
		"many corrupt":   {many(30), []string{"and 20 more"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for path, b := range c.files {
				write(t, filepath.Join(dir, "d", filepath.FromSlash(path)), b)
			}
			_, err := Source{Images: "d", Side: 4, Dir: dir}.Open(context.Background())
			wants(t, name, err, c.want...)
		})
	}
}

func many(n int) map[string][]byte {
	m := map[string][]byte{}
	for i := range n {
		m[fmt.Sprintf("a/%d.png", i)] = []byte("no")
	}
	return m
}

// hugePNG has a header of 100,000 by 100,000 places and nothing else.
func hugePNG() []byte {
	b := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00\x01\x86\xa0\x00\x01\x86\xa0\x08\x02\x00\x00\x00")
	return binary.BigEndian.AppendUint32(b, crc(b[12:]))
}

func TestCSV(t *testing.T) {
	dir := t.TempDir()
	file := "\ufeffsize; \"colour, outside\";age;price;sold\n" +
		"1.5;red;3;10.5;yes\n" +
		"2; blue ;?;11.25;no\n" +
		"-4e1;\"red\";5;12.75;yes\n" +
		"3;;7;13;no\n"
	write(t, filepath.Join(dir, "cars.csv.gz"), zipped([]byte(file)))
	o := CSV{Target: "price", Missing: "fill"}
	s, _, err := o.open(filepath.Join(dir, "cars.csv.gz"), "")
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "cars" || s.Len() != 4 || len(s.Classes) != 0 || s.Targets[0] != "price" {
		t.Errorf("read %v", s)
	}
	want := []Column{{Name: "colour, outside", Categories: []string{"blue", "red", "missing"}}, {Name: "sold", Categories: []string{"no", "yes"}}}
	if d := cmp.Diff(want, s.Categories); d != "" {
		t.Errorf("categories:\n%s", d)
	}
	numbers, codes, targets := s.Row(3)
	if !slices.Equal(numbers, []float32{3, 7}) || !slices.Equal(codes, []int32{2, 0}) || targets[0] != 13 {
		t.Errorf("row 3 is %v %v %v", numbers, codes, targets)
	}
	if err := fill(s); err != nil {
		t.Fatal(err)
	}
	if numbers, _, _ = s.Row(1); numbers[1] != 5 {
		t.Errorf("what is missing was filled with %v, want the mean 5", numbers[1])
	}
	// The mean is that of the training part alone.
	p, err := Source{CSV: "cars.csv.gz", Target: "sold", Missing: "fill", Valid: 0.25, Test: 0.25, Dir: dir, Split: 3}.Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"no", "yes"}, p.Train.Classes); d != "" || p.Train.Len() != 2 {
		t.Errorf("opened %v\n%s", p, d)
	}
	sum, n, hole := 0.0, 0, -1
	for i := range p.Train.Len() {
		if at := p.Train.at(i); at == 1 {
			hole = i
		} else {
			numbers, _, _ := p.Train.Row(i)
			sum, n = sum+float64(numbers[1]), n+1
		}
	}
	all := append(append(identities(p.Train), identities(p.Valid)...), identities(p.Test)...)
	for k, part := range []*Set{p.Train, p.Valid, p.Test} {
		for i := range part.Len() {
			if numbers, _, _ := part.Row(i); part.at(i) == 1 && math.Abs(float64(numbers[1])-sum/float64(n)) > 1e-6 {
				t.Errorf("part %d, filled with %v, want %v (%v, %v)", k, numbers[1], sum/float64(n), all, hole)
			}
		}
	}
}

// The rule by which a target is classes or a number.
func TestTargets(t *testing.T) {
	column := func(n int, f func(i int) string) []byte {
		var b strings.Builder
		b.WriteString("x,y\n")
		for i := range n {
			fmt.Fprintf(&b, "%d,%s\n", i, f(i))
		}
		return []byte(b.String())
	}
	for name, c := range map[string]struct {
		f       func(i int) string
		task    string
		classes int
	}{
		"text":          {func(i int) string { return string(rune('a' + i%30)) }, "", 30},
		"few numbers":   {func(i int) string { return fmt.Sprint(i % 20) }, "", 20},
		"more numbers":  {func(i int) string { return fmt.Sprint(i % 21) }, "", 0},
		"fractions":     {func(i int) string { return fmt.Sprint(float64(i%3) + 0.5) }, "", 0},
		"asked classes": {func(i int) string { return fmt.Sprint(float64(i%3) + 0.5) }, "classes", 3},
		"asked number":  {func(i int) string { return fmt.Sprint(i % 2) }, "number", 0},
	} {
		o := CSV{Target: "y", Task: c.task}
		r, names, err := o.prepare("t.csv", column(60, c.f))
		if err != nil {
			t.Fatal(err)
		}
		sets, err := o.read([]*cellsReader{r}, names)
		if err != nil {
			t.Fatal(err)
		}
		if len(sets[0].Classes) != c.classes {
			t.Errorf("%s: %d classes, want %d", name, len(sets[0].Classes), c.classes)
		}
	}
	// Classes that are numbers are in the order of numbers.
	s, err := readTable([]byte("x,y\n1,10\n2,9\n3,100\n"), CSV{Target: "y"})
	if err != nil || !slices.Equal(s.Classes, []string{"9", "10", "100"}) {
		t.Errorf("classes %v, %v", s, err)
	}
}

func readTable(file []byte, o CSV) (*Set, error) {
	r, names, err := o.prepare("t.csv", file)
	if err != nil {
		return nil, err
	}
	sets, err := o.read([]*cellsReader{r}, names)
	if err != nil {
		return nil, err
	}
	return sets[0], nil
}

func TestCSVRefuses(t *testing.T) {
	long := strings.Builder{}
	long.WriteString("x,id,y\n")
	for i := range 1500 {
		fmt.Fprintf(&long, "1,item%d,%d\n", i, i%2)
	}
	for name, c := range map[string]struct {
		file string
		o    CSV
		want []string
	}{
		"empty":            {" \n", CSV{Target: "y"}, []string{"t.csv: found an empty file"}},
		"no delimiter":     {"abc\n1\n", CSV{Target: "y"}, []string{"line 1: found none of , ; tab |"}},
		"delimiter":        {"a,y\n1,2\n", CSV{Target: "y", Delimiter: "ab"}, []string{`found the delimiter "ab"`}},
		"no header":        {"1,2\n3,4\n", CSV{Target: "y"}, []string{"line 1: found only numbers"}},
		"name twice":       {"a,a\n3,4\n", CSV{Target: "a"}, []string{`found the name "a" of columns 1 and 2`}},
		"no name":          {"a,\n3,4\n", CSV{Target: "a"}, []string{"found no name of column 2"}},
		"no target":        {"a,b\n3,4\n", CSV{}, []string{"found no target, want one of the columns of t.csv: a, b"}},
		"unknown target":   {"a,b\n3,4\n", CSV{Target: "c"}, []string{`found the target "c"`, "a, b"}},
		"no rows":          {"a,b\n", CSV{Target: "b"}, []string{"found no rows below the header"}},
		"ragged":           {"a,b\n1,2\n3\n", CSV{Target: "b"}, []string{"line 3: cells: found 1, want 2"}},
		"quote":            {"a,b\n1,\"2\n", CSV{Target: "b"}, []string{"line"}},
		"missing":          {"a,b\n1,2\n,2\n", CSV{Target: "b"}, []string{`t.csv: line 3: column "a": found nothing`, "missing: fill"}},
		"missing target":   {"a,b\n1,2\n1,NA\n", CSV{Target: "b", Missing: "fill"}, []string{`line 3: column "b": found no target`}},
		"empty column":     {"a,b\n,2\n?,3.5\n", CSV{Target: "b", Missing: "fill"}, []string{`column "a": found nothing in any row`}},
		"infinite":         {"a,b\n1,2\n1e99,3\n", CSV{Target: "b", Types: map[string]string{"a": "number"}}, []string{`line 3: column "a": found "1e99", want a finite number`}},
		"text as a number": {"a,b\n1,x\n2,y\n", CSV{Target: "b", Task: "number"}, []string{`line 2: column "b": found "x", want a finite number`}},
		"many":             {long.String(), CSV{Target: "y"}, []string{`column "id": found more than 1000 different values (line 2: "item0")`}},
		"one class":        {"a,b\n1,x\n2,x\n", CSV{Target: "b"}, []string{`column "b": found only "x"`}},
		"options": {"a,b\n1,x\n2,y\n", CSV{Target: "b", Task: "guess", Missing: "zero", Types: map[string]string{"c": "number", "b": "number", "a": "date"}}, []string{
			`the task "guess"`, `"zero" for what is missing`, `a type of the column "c"`, `the type "number" of the target`, `the type "date"`}},
		"nothing to learn from": {"a,b\n1,x\n2,y\n", CSV{Target: "b", Types: map[string]string{"a": "ignore"}}, []string{"found no columns beside the target"}},
		"word missing":          {"a,b\nmissing,x\n,y\n", CSV{Target: "b", Missing: "fill"}, []string{"found the word missing beside cells with nothing"}},
	} {
		s, err := readTable([]byte(c.file), c.o)
		wants(t, fmt.Sprintf("%s (%v)", name, s), err, c.want...)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.csv"), []byte("a,b\n1,2\n"))
	write(t, filepath.Join(dir, "b.csv"), []byte("a,c\n1,2\n"))
	_, _, err := CSV{Target: "b"}.open(filepath.Join(dir, "a.csv"), filepath.Join(dir, "b.csv"))
	wants(t, "other columns", err, "b.csv: line 1: found the columns a, c, want a, b")
}

func TestTextFiles(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.txt"), []byte(strings.Repeat("añb\n", 50)))
	write(t, filepath.Join(dir, "b.txt"), []byte("cabcab"))
	p, err := Source{Text: "a.txt", TextTest: "b.txt", Window: 4, Valid: 0.2, Dir: dir}.Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"\n", "a", "b", "c", "ñ"}, p.Train.Classes); d != "" {
		t.Errorf("vocabulary:\n%s", d)
	}
	if got := p.Train.Tokens(); len(got) != 160 || !slices.Equal(got[:5], []uint16{1, 4, 2, 0, 1}) {
		t.Errorf("%d tokens start with %v", len(got), got[:5])
	}
	if p.Valid.Len() != 9 || !slices.Equal(p.Test.Tokens(), []uint16{3, 1, 2, 3, 1, 2}) || p.Scale != nil {
		t.Errorf("opened %v, test %v", p, p.Test.Tokens())
	}
	p, err = Source{Text: "a.txt", Tokens: "bytes", Window: 4, Dir: dir}.Open(context.Background())
	if err != nil || len(p.Train.Classes) != 256 || len(p.Train.Tokens())+len(p.Valid.Tokens())+len(p.Test.Tokens()) != 250 {
		t.Errorf("as bytes: %v, %v", p, err)
	}
	write(t, filepath.Join(dir, "bad.txt"), []byte("ab\xffc"))
	_, err = Source{Text: "bad.txt", Dir: dir}.Open(context.Background())
	wants(t, "not UTF-8", err, "bad.txt: byte 2: found ff 63, want text in UTF-8")
	_, err = Source{Text: "b.txt", Dir: dir}.Open(context.Background())
	wants(t, "short", err, "b.txt: data: text", "found 6 tokens for windows of 64")
	write(t, filepath.Join(dir, "empty.txt"), nil)
	_, err = Source{Text: "empty.txt", Dir: dir}.Open(context.Background())
	wants(t, "empty", err, "empty.txt: found an empty file")
	_, err = Source{Text: "none.txt", Dir: dir}.Open(context.Background())
	wants(t, "none", err, "none.txt: no such file")
	_, err = Source{Text: ".", Dir: dir}.Open(context.Background())
	wants(t, "a folder", err, "found a folder, want a file")
}

func TestSourceChecks(t *testing.T) {
	for name, c := range map[string]struct {
		o    Source
		want []string
	}{
		"none":          {Source{}, []string{"found none of data, idx, cifar, images, csv and text"}},
		"two":           {Source{Name: "wine", CSV: "x"}, []string{"found data and csv of"}},
		"unknown":       {Source{Name: "mnist"}, []string{`found the data set "mnist"`, "fashion-mnist, shakespeare, concrete, wine"}},
		"others' words": {Source{Name: "wine", Target: "y", Grey: true, Window: 3, CIFARTest: []string{"x"}}, []string{"target: found it with data, want it only with csv", "grey: ", "window: ", "cifar_test: "}},
		"shares":        {Source{Name: "wine", Valid: 0.6, Test: 0.5}, []string{"want something left to learn from"}},
		"share":         {Source{Name: "wine", Valid: -1, Test: math.NaN()}, []string{"valid: found the share -1", "test: found the share NaN"}},
		"tokens":        {Source{Text: "x", Tokens: "words", Window: -1}, []string{`found "words"`, "window: found -1"}},
		"side":          {Source{Images: "x", Side: 5000}, []string{"side: found 5000"}},
	} {
		_, err := c.o.Open(context.Background())
		wants(t, name, err, c.want...)
	}
}

// A file that unpacks to more than the limit is refused before it fills the memory.
func TestBombs(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "bomb.gz"), zipped(make([]byte, 1<<20)))
	if _, err := whole(path, 1000); err == nil || !strings.Contains(err.Error(), "found more than 1000 bytes") {
		t.Errorf("a bomb: %v", err)
	}
	n := testing.AllocsPerRun(1, func() {
		if _, err := exactly(bytes.NewReader(nil), math.MaxInt); err == nil {
			t.Error("a promise was kept")
		}
	})
	if n > 20 {
		t.Errorf("an empty promise allocates %v times", n)
	}
}

func crc(b []byte) uint32 {
	c := ^uint32(0)
	for _, x := range b {
		c ^= uint32(x)
		for range 8 {
			c = c>>1 ^ 0xedb88320&-(c&1)
		}
	}
	return ^c
}
