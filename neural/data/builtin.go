package data

import (
	"bytes"
	"embed"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/daedalus-search/daedalus/neural/data/internal/grey"
)

//go:generate go run ./gen -in ../../../shared/data -out data

//go:embed data/*.bin data/*.gz
var packed embed.FS

// names are the data sets that are built in.
var builtin = []string{"fashion-mnist", "shakespeare", "concrete", "wine"}

// Builtin returns the names of the data sets that are built in.
func Builtin() []string { return slices.Clone(builtin) }

// fashionTraining are the images of Fashion-MNIST that are for training: the first
// 2,000 of each class.
const fashionTraining = 20_000

var fashionClasses = []string{"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"}

var fashion = sync.OnceValues(func() ([2]*Set, error) {
	var parts [2]*Set
	file, err := packed.ReadFile("data/fashion-mnist.bin")
	if err != nil {
		return parts, err
	}
	m, err := grey.Decode(file)
	if err != nil {
		return parts, fmt.Errorf("data: the built-in fashion-mnist: %w", err)
	}
	labels := make([]int32, len(m.Labels))
	for i, c := range m.Labels {
		labels[i] = int32(c)
	}
	cut := fashionTraining * m.Height * m.Width
	for k, p := range [][]uint8{m.Pixels[:cut:cut], m.Pixels[cut:]} {
		own := labels[:fashionTraining:fashionTraining]
		if k == 1 {
			own = labels[fashionTraining:]
		}
		if parts[k], err = NewImages("fashion-mnist", m.Height, m.Width, 1, p, own, fashionClasses); err != nil {
			return parts, err
		}
	}
	return parts, nil
})

// FashionMNIST returns 20,000 training images of Fashion-MNIST, 2,000 of each of its ten
// classes, and its 10,000 test images (Xiao, Rasul and Vollgraf 2017). They are
// unpacked once.
func FashionMNIST() (train, test *Set, err error) {
	parts, err := fashion()
	return parts[0], parts[1], err
}

func unpacked(name string) ([]byte, error) {
	file, err := packed.ReadFile("data/" + name)
	if err != nil {
		return nil, err
	}
	r, err := unpack(bytes.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("data: the built-in %s: %w", name, err)
	}
	return io.ReadAll(r)
}

var shakespeare = sync.OnceValues(func() (*Set, error) {
	text, err := unpacked("shakespeare.txt.gz")
	if err != nil {
		return nil, err
	}
	tokens, vocabulary, err := tokenise(false, []string{"shakespeare"}, text)
	if err != nil {
		return nil, err
	}
	return NewText("shakespeare", 64, tokens[0], vocabulary)
})

// Shakespeare returns 1,115,394 characters of plays by Shakespeare, of 65 kinds, in
// windows of so many (Karpathy 2015, "Tiny Shakespeare"). [Set.Split] cuts it.
func Shakespeare(window int) (*Set, error) {
	s, err := shakespeare()
	if err != nil {
		return nil, err
	}
	return NewText(s.Name, window, s.tokens, s.Classes)
}

// TableOf returns a table that is built in: concrete, whose strength is a number, or
// wine, whose quality is one of six classes.
func TableOf(name string) (*Set, error) {
	target := map[string]string{"concrete": "strength", "wine": "quality"}[name]
	if target == "" {
		return nil, fmt.Errorf("data: found the table %q, want concrete or wine", name)
	}
	text, err := unpacked(name + ".csv.gz")
	if err != nil {
		return nil, err
	}
	o := CSV{Target: target}
	c, names, err := o.prepare(name, text)
	if err != nil {
		return nil, err
	}
	sets, err := o.read([]*cellsReader{c}, names)
	if err != nil {
		return nil, err
	}
	return sets[0], nil
}

func unknownName(name string) error {
	return fmt.Errorf("data: found the data set %q, want one that is built in (%s), or files: idx, cifar, images, csv or text", name, strings.Join(builtin, ", "))
}
