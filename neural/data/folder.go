package data

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/gif" // registers the format
	_ "image/jpeg"
	_ "image/png"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	_ "golang.org/x/image/bmp"
	_ "golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"
)

// Limits of images in folders.
const (
	maxImagePixels = 1 << 26 // places of one image
	maxImageBytes  = 1 << 28 // of its file
	maxImageFiles  = 4 << 20
	manyErrors     = 10 // as many bad images are named
)

// imageTypes are the endings of files that are read.
var imageTypes = []string{".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff"}

// partNames are the sub-folders that are parts of a data set, not classes.
var partNames = [3][]string{{"train", "training"}, {"valid", "val", "validation"}, {"test", "testing"}}

// openFolder reads images of class folders, or of class folders in folders for the
// training, validation and test parts. Parts that are not there are nil.
func openFolder(ctx context.Context, folder string, side, channels int) (parts [3]*Set, err error) {
	names, err := subfolders(folder)
	if err != nil {
		return parts, err
	}
	var found [3]string
	others := 0
	for _, name := range names {
		k := slices.IndexFunc(partNames[:], func(words []string) bool { return slices.Contains(words, strings.ToLower(name)) })
		switch {
		case k < 0:
			others++
		case found[k] != "":
			return parts, fileError(folder, "", fmt.Errorf("found the folders %s and %s, want one of the two", found[k], name))
		default:
			found[k] = name
		}
	}
	name := filepath.Base(filepath.Clean(folder))
	if found[0] == "" {
		if found[1] != "" || found[2] != "" {
			return parts, fileError(folder, "", fmt.Errorf("found the folder %s%s but none named train, want training images too", found[1], found[2]))
		}
		parts[0], err = readClasses(ctx, name, folder, names, side, channels)
		return parts, err
	}
	if others > 0 {
		return parts, fileError(folder, "", fmt.Errorf("found the folder %s beside others, want only train, valid and test, or only classes: %s", found[0], strings.Join(names, ", ")))
	}
	var classes []string
	for k, part := range found {
		if part == "" {
			continue
		}
		path := filepath.Join(folder, part)
		own, err := subfolders(path)
		if err != nil {
			return parts, err
		}
		if k == 0 {
			classes = own
		}
		for _, c := range own {
			if !slices.Contains(classes, c) {
				return parts, fileError(filepath.Join(path, c), "", fmt.Errorf("found a class that the training part does not have: %s", some(classes, 10)))
			}
		}
		if parts[k], err = readClasses(ctx, name, path, classes, side, channels); err != nil {
			return parts, err
		}
	}
	return parts, nil
}

func hidden(name string) bool {
	return strings.HasPrefix(name, ".") || strings.EqualFold(name, "thumbs.db") || strings.EqualFold(name, "desktop.ini")
}

// subfolders returns the names of the folders in one, in order. Other files than those
// that systems leave behind are an error.
func subfolders(folder string) ([]string, error) {
	list, err := os.ReadDir(folder)
	if err != nil {
		var p *os.PathError
		if errors.As(err, &p) {
			err = p.Err
		}
		return nil, fileError(folder, "", err)
	}
	var names []string
	for _, e := range list {
		if hidden(e.Name()) {
			continue
		}
		s, err := os.Stat(filepath.Join(folder, e.Name()))
		if err != nil {
			return nil, fileError(filepath.Join(folder, e.Name()), "", err)
		}
		if !s.IsDir() {
			return nil, fileError(filepath.Join(folder, e.Name()), "", errors.New("found a file, want only folders here: one for each class with its images"))
		}
		names = append(names, e.Name())
	}
	if len(names) == 0 {
		return nil, fileError(folder, "", errors.New("found no folders, want one for each class with its images"))
	}
	return names, nil
}

// readClasses reads the images of all classes. A class whose folder is not there has
// none.
func readClasses(ctx context.Context, name, folder string, classes []string, side, channels int) (*Set, error) {
	var paths []string
	var labels []int32
	var errs []error
	for c, class := range classes {
		at := filepath.Join(folder, class)
		if !exists(at) {
			continue
		}
		list, err := os.ReadDir(at)
		if err != nil {
			return nil, fileError(at, "", err)
		}
		n := len(paths)
		for _, e := range list {
			path := filepath.Join(at, e.Name())
			switch ending := strings.ToLower(filepath.Ext(e.Name())); {
			case hidden(e.Name()):
			case e.IsDir():
				errs = append(errs, fileError(path, "", errors.New("found a folder in that of a class, want images; move them up")))
			case !slices.Contains(imageTypes, ending):
				errs = append(errs, fileError(path, "", fmt.Errorf("found a file that is no image, want names that end in %s; convert it, or move it elsewhere", strings.Join(imageTypes, ", "))))
			default:
				paths, labels = append(paths, path), append(labels, int32(c))
			}
		}
		if len(paths) == n && len(errs) == 0 {
			errs = append(errs, fileError(at, "", errors.New("found no images in the folder of a class, want at least one")))
		}
		if len(paths) > maxImageFiles {
			return nil, fileError(folder, "", fmt.Errorf("found more than %d images, want at most so many", maxImageFiles))
		}
	}
	if len(errs) > 0 {
		return nil, first(errs)
	}
	size := side * side * channels
	if int64(len(paths))*int64(size) > maxBytes {
		return nil, fileError(folder, "", fmt.Errorf("found %d images, which take %d bytes at a side of %d, want at most %d", len(paths), int64(len(paths))*int64(size), side, int64(maxBytes)))
	}
	pixels := make([]uint8, len(paths)*size)
	bad := make([]error, len(paths))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), max(1, len(paths))) {
		workers.Go(func() {
			var d decoder
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(paths) {
					return
				}
				bad[i] = d.file(pixels[i*size:(i+1)*size], paths[i], side, channels)
			}
		})
	}
	workers.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if bad = slices.DeleteFunc(bad, func(err error) bool { return err == nil }); len(bad) > 0 {
		return nil, first(bad)
	}
	return NewImages(name, side, side, channels, pixels, labels, classes)
}

// first joins errors, but not more than can be read.
func first(errs []error) error {
	if len(errs) > manyErrors {
		errs = append(slices.Clone(errs[:manyErrors]), fmt.Errorf("data: and %d more", len(errs)-manyErrors))
	}
	return errors.Join(errs...)
}

// A decoder reads images into squares. It is not safe for concurrent use.
type decoder struct {
	z      resizer
	plain  []uint8
	turned []uint8
}

func (d *decoder) file(to []uint8, path string, side, channels int) error {
	f, err := os.Open(path)
	if err != nil {
		return fileError(path, "", err)
	}
	defer f.Close()
	if err := d.decode(to, f, side, channels); err != nil {
		return fileError(path, "", err)
	}
	return nil
}

// decode reads an image, turns it as its camera was held, and brings the largest square
// of its middle to a side.
func (d *decoder) decode(to []uint8, r io.ReadSeeker, side, channels int) error {
	about, format, err := image.DecodeConfig(io.LimitReader(r, maxImageBytes))
	if err != nil {
		return fmt.Errorf("found no image that can be read: %w", err)
	}
	w, h := about.Width, about.Height
	if w < 1 || h < 1 || w > maxSide || h > maxSide || w*h > maxImagePixels {
		return fmt.Errorf("found an image of %d×%d, want at most %d×%d and %d places", h, w, maxSide, maxSide, maxImagePixels)
	}
	if max(w, h) > 64*min(w, h) {
		return fmt.Errorf("found an image of %d×%d, want one edge at most 64 times the other", h, w)
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return err
	}
	var held orientation
	if format == "jpeg" {
		held = orientationOf(bufio.NewReader(r))
		if _, err := r.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
	m, _, err := image.Decode(io.LimitReader(r, maxImageBytes))
	if err != nil {
		return fmt.Errorf("found a %s image that is cut off or damaged, or of a kind that is not read here: %w", format, err)
	}
	w, h = m.Bounds().Dx(), m.Bounds().Dy() // of GIF that of the frame
	if w < 1 || h < 1 || w > maxSide || h > maxSide || w*h > maxImagePixels {
		return fmt.Errorf("found a frame of %d×%d, want 1×1 to %d×%d", h, w, maxSide, maxSide)
	}
	if n := w * h * channels; cap(d.plain) < n {
		d.plain = make([]uint8, n)
	} else {
		d.plain = d.plain[:n]
	}
	flatten(d.plain, m, channels)
	edge := min(w, h)
	row, column := held.middle(h, w)
	d.z.resize(to, side, side, d.plain[(row*w+column)*channels:], w*channels, edge, edge, channels)
	if held != (orientation{}) {
		d.turned = append(d.turned[:0], to...)
		held.turn(to, d.turned, side, channels)
	}
	return nil
}

// flatten writes an image as bytes, in grey or red, green and blue. What is
// transparent is mixed with black.
func flatten(to []uint8, m image.Image, channels int) {
	b := m.Bounds()
	k := 0
	put := func(r, g, b uint8) {
		if channels == 1 {
			to[k] = luma(r, g, b)
			k++
			return
		}
		to[k], to[k+1], to[k+2] = r, g, b
		k += 3
	}
	switch m := m.(type) {
	case *image.Gray:
		for y := b.Min.Y; y < b.Max.Y; y++ {
			at := m.PixOffset(b.Min.X, y)
			for _, x := range m.Pix[at : at+b.Dx()] {
				if channels == 1 {
					to[k] = x
					k++
				} else {
					put(x, x, x)
				}
			}
		}
	case *image.YCbCr:
		for y := b.Min.Y; y < b.Max.Y; y++ {
			for x := b.Min.X; x < b.Max.X; x++ {
				c := m.COffset(x, y)
				put(color.YCbCrToRGB(m.Y[m.YOffset(x, y)], m.Cb[c], m.Cr[c]))
			}
		}
	case *image.RGBA:
		for y := b.Min.Y; y < b.Max.Y; y++ {
			at := m.PixOffset(b.Min.X, y)
			for i := at; i < at+4*b.Dx(); i += 4 {
				put(m.Pix[i], m.Pix[i+1], m.Pix[i+2])
			}
		}
	case *image.NRGBA:
		for y := b.Min.Y; y < b.Max.Y; y++ {
			at := m.PixOffset(b.Min.X, y)
			for i := at; i < at+4*b.Dx(); i += 4 {
				share := uint32(m.Pix[i+3]) * 0x101 // as color.NRGBA.RGBA does
				part := func(x uint8) uint8 { return uint8(uint32(x) * share / 0xff >> 8) }
				put(part(m.Pix[i]), part(m.Pix[i+1]), part(m.Pix[i+2]))
			}
		}
	default:
		for y := b.Min.Y; y < b.Max.Y; y++ {
			for x := b.Min.X; x < b.Max.X; x++ {
				red, green, blue, _ := m.At(x, y).RGBA()
				put(uint8(red>>8), uint8(green>>8), uint8(blue>>8))
			}
		}
	}
}
