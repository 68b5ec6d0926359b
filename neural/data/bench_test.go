package data

import (
	"fmt"
	"os"
	"testing"

	"github.com/daedalus-search/daedalus/neural/data/internal/grey"
)

// BenchmarkFashionMNIST unpacks the 30,000 images on one core.
func BenchmarkFashionMNIST(b *testing.B) {
	file, err := packed.ReadFile("data/fashion-mnist.bin")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(30000 * 784)
	for b.Loop() {
		if _, err := grey.Decode(file); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(30000*float64(b.N)/b.Elapsed().Seconds(), "images/s")
}

// BenchmarkFill fills batches of 64 in one goroutine.
func BenchmarkFill(b *testing.B) {
	for _, side := range []int{28, 32} {
		for _, steps := range [][]string{nil, {"flip"}, {"crop 4"}, {"flip", "crop 4"}, {"flip", "crop 4", "cutout 8"}, {"randaugment 2 9"}, {"trivialaugment"}, {"resizedcrop"}} {
			channels := 1
			if side == 32 {
				channels = 3
			}
			augment, err := ParseAugment(steps...)
			if err != nil {
				b.Fatal(err)
			}
			s := noise(b, 1000, side, side, channels, 10)
			l, err := s.Loader(Options{Batch: 64, Shuffle: true, Whole: true, Scale: s.Scale(), Augment: augment})
			if err != nil {
				b.Fatal(err)
			}
			batch := l.NewBatch()
			b.Run(fmt.Sprintf("%d×%d×%d/%v", side, side, channels, augment), func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					l.Fill(batch, 0, i%l.Steps())
				}
				b.ReportMetric(64*float64(b.N)/b.Elapsed().Seconds(), "images/s")
			})
		}
	}
}

// BenchmarkCIFAR reads the shared subset of 12,000 images.
func BenchmarkCIFAR(b *testing.B) {
	path := "../../../shared/data/cifar10-jpeg/cifar10_12000.bin.gz"
	if _, err := os.Stat(path); err != nil {
		b.Skip("needs ", path)
	}
	for b.Loop() {
		if _, err := openCIFAR([]string{path}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(12000*float64(b.N)/b.Elapsed().Seconds(), "images/s")
}

func BenchmarkResize(b *testing.B) {
	s := noise(b, 1000, 32, 32, 3, 10)
	for _, side := range []int{8, 16, 24, 64} {
		b.Run(fmt.Sprint(side), func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Resize(side); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(1000*float64(b.N)/b.Elapsed().Seconds(), "images/s")
		})
	}
}
