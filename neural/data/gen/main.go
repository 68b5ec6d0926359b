// Command gen packs the data sets that package data carries. DATA.md tells where they
// come from.
//
//	go run ./gen -in ../../../shared/data -out data
package main

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/daedalus-search/daedalus/neural/data/internal/grey"
)

// perClass is how many training images of each class of Fashion-MNIST are kept.
const perClass = 2000

func main() {
	in := flag.String("in", "../../../shared/data", "the folder with the sources")
	out := flag.String("out", "data", "the folder to write to")
	flag.Parse()
	for name, pack := range map[string]func(string) ([]byte, error){
		"fashion-mnist.bin":  fashion,
		"shakespeare.txt.gz": shakespeare,
		"concrete.csv.gz":    func(in string) ([]byte, error) { return table(in, "concrete", concrete) },
		"wine.csv.gz":        func(in string) ([]byte, error) { return table(in, "wine-quality-red", wine) },
	} {
		file, err := pack(*in)
		if err == nil {
			err = os.WriteFile(filepath.Join(*out, name), file, 0o644)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "gen: %s: %v\n", name, err)
			os.Exit(1)
		}
		fmt.Printf("%-20s %8d bytes\n", name, len(file))
	}
}

func gunzip(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

func pack(text []byte) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(text); err != nil {
		return nil, err
	}
	err = z.Close()
	return b.Bytes(), err
}

// fashion keeps the first images of each class for training, and all for testing.
func fashion(in string) ([]byte, error) {
	m := &grey.Images{Height: 28, Width: 28, Classes: 10}
	for _, part := range []string{"train", "t10k"} {
		images, err := gunzip(filepath.Join(in, "fashion-mnist", part+"-images-idx3-ubyte.gz"))
		if err != nil {
			return nil, err
		}
		labels, err := gunzip(filepath.Join(in, "fashion-mnist", part+"-labels-idx1-ubyte.gz"))
		if err != nil {
			return nil, err
		}
		n := int(binary.BigEndian.Uint32(images[4:]))
		images, labels = images[16:], labels[8:]
		if len(images) != n*784 || len(labels) != n {
			return nil, fmt.Errorf("%s: found %d bytes and %d labels for %d images", part, len(images), len(labels), n)
		}
		var have [10]int
		for i, c := range labels {
			if part == "train" && have[c] == perClass {
				continue
			}
			have[c]++
			m.Pixels = append(m.Pixels, images[i*784:(i+1)*784]...)
			m.Labels = append(m.Labels, c)
		}
	}
	weights, err := grey.Fit(m)
	if err != nil {
		return nil, err
	}
	file, err := grey.Encode(m, weights)
	if err != nil {
		return nil, err
	}
	back, err := grey.Decode(file)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(back.Pixels, m.Pixels) || !bytes.Equal(back.Labels, m.Labels) {
		return nil, fmt.Errorf("the packed images are not the same when they are unpacked")
	}
	return file, nil
}

func shakespeare(in string) ([]byte, error) {
	text, err := gunzip(filepath.Join(in, "text", "tinyshakespeare.txt.gz"))
	if err != nil {
		return nil, err
	}
	return pack(text)
}

// Names of columns as in the UCI Machine Learning Repository; the source calls them x0,
// x1 and so on.
var (
	concrete = []string{"cement", "slag", "fly_ash", "water", "superplasticizer", "coarse_aggregate", "fine_aggregate", "age", "strength"}
	wine     = []string{"fixed_acidity", "volatile_acidity", "citric_acid", "residual_sugar", "chlorides", "free_sulfur_dioxide", "total_sulfur_dioxide", "density", "ph", "sulphates", "alcohol", "quality"}
)

// table gives the columns of a table their names; its rows stay as they are.
func table(in, name string, columns []string) ([]byte, error) {
	z, err := zip.OpenReader(filepath.Join(in, "tabular-uci", "uci_regression.zip"))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	f, err := z.Open(name + ".csv")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	head, rows, ok := bytes.Cut(text, []byte("\n"))
	if !ok || bytes.Count(head, []byte(",")) != len(columns)-1 {
		return nil, fmt.Errorf("found the columns %q, want %d", head, len(columns))
	}
	var b bytes.Buffer
	for i, c := range columns {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(c)
	}
	b.WriteByte('\n')
	b.Write(bytes.ReplaceAll(rows, []byte("\r\n"), []byte("\n")))
	return pack(b.Bytes())
}
