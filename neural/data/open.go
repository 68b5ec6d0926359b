package data

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// A Source says where data come from: one that is built in, or files. A study file
// writes one of
//
//	data: fashion-mnist
//	idx: {folder: mnist}
//	cifar: [data_batch_1.bin, data_batch_2.bin]
//	images: photos
//	csv: cars.csv
//	text: novel.txt
//
// and what belongs to it. The struct is made to be embedded in the options of a problem.
type Source struct {
	Name string `yaml:"data" doc:"built in: fashion-mnist (20,000 and 10,000 grey images of clothes), shakespeare (1.1 million characters), concrete (1,030 rows, a number), wine (1,599 rows, six classes)"`

	IDX *IDX `yaml:"idx" doc:"files in the format of MNIST"`

	CIFAR     []string `yaml:"cifar" doc:"files of CIFAR-10 or CIFAR-100 in the binary format"`
	CIFARTest []string `yaml:"cifar_test" doc:"files of their test part"`

	Images string `yaml:"images" doc:"folder of images (png, jpg, gif, webp, bmp, tiff), with a folder for each class, or with folders train, valid and test that have them"`
	Side   int    `yaml:"side" default:"0" min:"0" max:"4096" doc:"to which images are brought: of a folder, the largest square in the middle; 0 means 32. Of other images, the shorter edge; 0 means their own"`
	Grey   bool   `yaml:"grey" default:"false" doc:"images of a folder in grey, not in colours"`

	CSV       string            `yaml:"csv" doc:"table with names in the first line"`
	CSVTest   string            `yaml:"csv_test" doc:"table of the test part, with the same columns"`
	Target    string            `yaml:"target" doc:"column that is to be foretold"`
	Task      string            `yaml:"task" default:"auto" oneof:"auto classes number" doc:"what the target is; auto: classes if it is text, or at most 20 different whole numbers"`
	Delimiter string            `yaml:"delimiter" default:"auto" doc:"between columns: one character, or tab; auto: the one of , ; tab | that the first line has most of"`
	NoHeader  bool              `yaml:"no_header" default:"false" doc:"the first line is a row already; columns are x0, x1, …"`
	Decimal   string            `yaml:"decimal" default:"auto" oneof:"auto point comma" doc:"how numbers are written: 1,234.5 or 1.234,5; auto: the one with which a column is numbers"`
	Missing   string            `yaml:"missing" default:"error" oneof:"error fill flag" doc:"cells that are empty, ?, NA, NaN, null or None: refused, or filled with the mean of the training part, or a category of their own; flag also adds a column of 0 and 1 that says where a number was missing"`
	Types     map[string]string `yaml:"types" doc:"of columns, where they are not what they look like: number, category or ignore"`

	Text      string `yaml:"text" doc:"text file"`
	TextValid string `yaml:"text_valid" doc:"text file of the validation part"`
	TextTest  string `yaml:"text_test" doc:"text file of the test part"`
	Tokens    string `yaml:"tokens" default:"characters" oneof:"characters bytes" doc:"of a text"`
	Window    int    `yaml:"window" default:"64" min:"1" max:"65536" doc:"tokens of a text that a network sees at once"` // 0 means 64

	Valid float64 `yaml:"valid" default:"0.1" min:">0" max:"<1" doc:"share of the training part that is put aside for validation, if the data have no such part"` // 0 means 0.1
	Test  float64 `yaml:"test" default:"0.1" min:">0" max:"<1" doc:"share of the data that is put aside for the test, if the data have no such part"`             // 0 means 0.1
	Split uint64  `yaml:"split" default:"0" doc:"seed by which these are chosen"`

	// Dir is the folder that paths are taken from; "" means the current one.
	Dir string
}

// Parts are data cut up for learning.
type Parts struct {
	Train, Valid, Test *Set
	Scale              *Scale // of the training part; nil for texts
}

func (p *Parts) String() string {
	return fmt.Sprintf("%v; %d for validation, %d for the test", p.Train, p.Valid.Len(), p.Test.Len())
}

// Resize returns images with a shorter edge of side. The scale stays that of the
// original ones.
func (p *Parts) Resize(side int) (*Parts, error) {
	q := &Parts{Scale: p.Scale}
	var a, b, c error
	q.Train, a = p.Train.Resize(side)
	q.Valid, b = p.Valid.Resize(side)
	q.Test, c = p.Test.Resize(side)
	if err := errors.Join(a, b, c); err != nil {
		return nil, err
	}
	return q, nil
}

// used returns the sources that are given.
func (o *Source) used() []string {
	var out []string
	for _, s := range []struct {
		name string
		set  bool
	}{
		{"data", o.Name != ""}, {"idx", o.IDX != nil}, {"cifar", len(o.CIFAR) > 0},
		{"images", o.Images != ""}, {"csv", o.CSV != ""}, {"text", o.Text != ""},
	} {
		if s.set {
			out = append(out, s.name)
		}
	}
	return out
}

// Check reports everything that is wrong with the options, as far as that can be seen
// without opening files.
func (o Source) Check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("data: "+format, args...)) }
	used := o.used()
	if len(used) != 1 {
		found := "none"
		if len(used) > 1 {
			found = strings.Join(used, " and ")
		}
		bad("found %s of data, idx, cifar, images, csv and text, want one", found)
		return errors.Join(errs...)
	}
	// What belongs to one source is an error with another.
	is := used[0]
	text := is == "text" || o.Name == "shakespeare"
	for _, x := range []struct {
		name  string
		set   bool
		needs string
		ok    bool
	}{
		{"cifar_test", len(o.CIFARTest) > 0, "cifar", is == "cifar"},
		{"grey", o.Grey, "images", is == "images"},
		{"side", o.Side != 0, "images", is == "images" || is == "idx" || is == "cifar" || o.Name == "fashion-mnist"},
		{"csv_test", o.CSVTest != "", "csv", is == "csv"},
		{"target", o.Target != "", "csv", is == "csv"},
		{"task", o.Task != "" && o.Task != "auto", "csv", is == "csv"},
		{"delimiter", o.Delimiter != "" && o.Delimiter != "auto", "csv", is == "csv"},
		{"no_header", o.NoHeader, "csv", is == "csv"},
		{"decimal", o.Decimal != "" && o.Decimal != "auto", "csv", is == "csv"},
		{"missing", o.Missing != "" && o.Missing != "error", "csv", is == "csv"},
		{"types", len(o.Types) > 0, "csv", is == "csv"},
		{"text_valid", o.TextValid != "", "text", is == "text"},
		{"text_test", o.TextTest != "", "text", is == "text"},
		{"tokens", o.Tokens != "" && o.Tokens != "characters", "text", is == "text"},
		{"window", o.Window != 0 && o.Window != 64, "text", text},
	} {
		if x.set && !x.ok {
			bad("%s: found it with %s, want it only with %s", x.name, is, x.needs)
		}
	}
	if o.Name != "" {
		known := false
		for _, n := range builtin {
			known = known || n == o.Name
		}
		if !known {
			errs = append(errs, unknownName(o.Name))
		}
	}
	if o.Side < 0 || o.Side > 4096 {
		bad("side: found %d, want 1 to 4096, or 0", o.Side)
	}
	if o.Window < 0 || o.Window > 65536 {
		bad("window: found %d, want 1 to 65536", o.Window)
	}
	if o.Tokens != "" && o.Tokens != "characters" && o.Tokens != "bytes" {
		bad("tokens: found %q, want characters or bytes", o.Tokens)
	}
	for _, x := range []struct {
		name string
		v    float64
	}{{"valid", o.Valid}, {"test", o.Test}} {
		if !(x.v >= 0 && x.v < 1) {
			bad("%s: found the share %v, want more than 0 and less than 1", x.name, x.v)
		}
	}
	if o.Test+o.Valid >= 1 {
		bad("found shares of %v for validation and %v for the test, want something left to learn from", o.Valid, o.Test)
	}
	return errors.Join(errs...)
}

// Open reads the data and cuts them up.
func (o Source) Open(ctx context.Context) (*Parts, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	if o.Window == 0 {
		o.Window = 64
	}
	if o.Valid == 0 {
		o.Valid = 0.1
	}
	if o.Test == 0 {
		o.Test = 0.1
	}
	at := func(path string) string {
		if path == "" || filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(o.Dir, path)
	}
	var p Parts
	var err error
	switch o.used()[0] {
	case "data":
		switch o.Name {
		case "fashion-mnist":
			p.Train, p.Test, err = FashionMNIST()
		case "shakespeare":
			p.Train, err = Shakespeare(o.Window)
		default:
			p.Train, err = TableOf(o.Name)
		}
	case "idx":
		p.Train, p.Test, err = o.IDX.open(o.Dir)
	case "cifar":
		var lists [2][]string
		for k, list := range [][]string{o.CIFAR, o.CIFARTest} {
			for _, path := range list {
				lists[k] = append(lists[k], at(path))
			}
		}
		if p.Train, err = openCIFAR(lists[0]); err == nil && len(lists[1]) > 0 {
			if p.Test, err = openCIFAR(lists[1]); err == nil && len(p.Test.Classes) != len(p.Train.Classes) {
				err = fileError(lists[1][0], "", fmt.Errorf("found CIFAR-%d, want CIFAR-%d as in %s", len(p.Test.Classes), len(p.Train.Classes), lists[0][0]))
			}
		}
	case "images":
		side, channels := o.Side, 3
		if side == 0 {
			side = 32
		}
		if o.Grey {
			channels = 1
		}
		var parts [3]*Set
		parts, err = openFolder(ctx, at(o.Images), side, channels)
		p.Train, p.Valid, p.Test = parts[0], parts[1], parts[2]
	case "csv":
		table := CSV{Target: o.Target, Task: o.Task, Delimiter: o.Delimiter, NoHeader: o.NoHeader, Decimal: o.Decimal, Missing: o.Missing, Types: o.Types}
		p.Train, p.Test, err = table.open(at(o.CSV), at(o.CSVTest))
	case "text":
		var parts [3]*Set
		parts, err = openText([3]string{at(o.Text), at(o.TextValid), at(o.TextTest)}, o.Tokens == "bytes", o.Window)
		p.Train, p.Valid, p.Test = parts[0], parts[1], parts[2]
	}
	if err != nil {
		return nil, err
	}
	if err := p.Train.CheckClasses(); err != nil {
		return nil, err
	}
	if err := p.cut(o); err != nil {
		return nil, err
	}
	if p.Train.Kind == Table {
		if err := fill(p.Train, p.Valid, p.Test); err != nil {
			return nil, err
		}
	}
	if p.Train.Kind == Images && o.Side != 0 && o.Images == "" {
		q, err := p.Resize(o.Side)
		if err != nil {
			return nil, err
		}
		p = *q
	}
	if err := p.Train.CheckClasses(); err != nil {
		return nil, fmt.Errorf("%w, in the training part: put a smaller share aside by valid and test", err)
	}
	p.Scale = p.Train.Scale()
	return &p, nil
}

// cut puts parts aside that the data do not have. What is left over by rounding stays
// in the training part, which of a text is its beginning.
func (p *Parts) cut(o Source) error {
	valid, test := o.Valid, o.Test
	if p.Valid != nil {
		valid = 0
	}
	if p.Test != nil {
		test = 0
	}
	shares := []float64{1 - valid - test}
	for _, x := range []float64{valid, test} {
		if x > 0 {
			shares = append(shares, x)
		}
	}
	if len(shares) == 1 {
		return nil
	}
	cut, err := p.Train.Split(o.Split, shares...)
	if err != nil {
		return err
	}
	p.Train = cut[0]
	if cut = cut[1:]; valid > 0 {
		p.Valid, cut = cut[0], cut[1:]
	}
	if test > 0 {
		p.Test = cut[0]
	}
	return nil
}
