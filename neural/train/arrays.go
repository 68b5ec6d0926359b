package train

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/neural"
)

// Files of arrays, little-endian:
//
//	"DAEDARR\n"  magic
//	uint32       version, 1
//	uint32       length of the header
//	header       JSON: {"kind": …, "arrays": [{"name": …, "numbers": …}, …], "about": …}
//	float32…     the arrays one after the other
//	uint32       CRC-32C of everything before
const (
	arraysMagic   = "DAEDARR\n"
	arraysVersion = 1
	arraysFixed   = len(arraysMagic) + 8
	maxHeader     = 64 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A named array.
type array struct {
	Name    string    `json:"name"`
	Count   int       `json:"numbers"`
	numbers []float32 // Count of them
}

type arraysHeader struct {
	Kind   string          `json:"kind"`
	Arrays []array         `json:"arrays"`
	About  json.RawMessage `json:"about,omitempty"`
}

// sortedArrays lists arrays by name, each name with a prefix.
func sortedArrays(prefix string, m map[string][]float32) (list []array) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		list = append(list, array{prefix + name, len(m[name]), m[name]})
	}
	return list
}

// writeArrays writes a file of arrays.
func writeArrays(w io.Writer, kind string, about any, list []array) error {
	h := arraysHeader{Kind: kind, Arrays: list}
	if about != nil {
		text, err := json.Marshal(about)
		if err != nil {
			return err
		}
		h.About = text
	}
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if len(text) > maxHeader {
		return fmt.Errorf("found a header of %d bytes, want at most %d", len(text), maxHeader)
	}
	sum := crc32.New(castagnoli)
	out := bufio.NewWriterSize(w, 1<<16)
	both := io.MultiWriter(out, sum)
	start := append([]byte(arraysMagic), 0, 0, 0, 0, 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(start[len(arraysMagic):], arraysVersion)
	binary.LittleEndian.PutUint32(start[len(arraysMagic)+4:], uint32(len(text)))
	if _, err := both.Write(append(start, text...)); err != nil {
		return err
	}
	block := make([]byte, 0, 1<<15)
	for _, a := range list {
		for part := range slices.Chunk(a.numbers, cap(block)/4) {
			block = block[:0]
			for _, x := range part {
				block = binary.LittleEndian.AppendUint32(block, math.Float32bits(x))
			}
			if _, err := both.Write(block); err != nil {
				return err
			}
		}
	}
	if err := binary.Write(out, binary.LittleEndian, sum.Sum32()); err != nil {
		return err
	}
	return out.Flush()
}

// ErrDamaged is what reading fails with if a file is not as it was written: cut off,
// changed, or of another kind.
var ErrDamaged = errors.New("damaged")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrDamaged, fmt.Errorf(format, args...))
}

// readArrays reads a file of arrays of a kind.
func readArrays(b []byte, kind string) (about json.RawMessage, m map[string][]float32, err error) {
	if len(b) < len(arraysMagic) || string(b[:len(arraysMagic)]) != arraysMagic {
		return nil, nil, damaged("it starts with %q, want %q; it is another program's", b[:min(len(b), len(arraysMagic))], arraysMagic)
	}
	if len(b) < arraysFixed+4 {
		return nil, nil, damaged("found %d bytes, want more; it was cut off", len(b))
	}
	if v := binary.LittleEndian.Uint32(b[len(arraysMagic):]); v != arraysVersion {
		return nil, nil, fmt.Errorf("found version %d, want %d; it is another version's of this program", v, arraysVersion)
	}
	n := int64(binary.LittleEndian.Uint32(b[len(arraysMagic)+4:]))
	if n > maxHeader || n > int64(len(b)-arraysFixed-4) {
		return nil, nil, damaged("found a header of %d bytes in a file of %d; it was cut off", n, len(b))
	}
	var h arraysHeader
	if err := json.Unmarshal(b[arraysFixed:arraysFixed+int(n)], &h); err != nil {
		return nil, nil, damaged("header: %w", err)
	}
	rest := b[arraysFixed+int(n):]
	size := int64(4)
	for _, a := range h.Arrays {
		if a.Count < 0 || int64(a.Count) > int64(len(rest)) {
			return nil, nil, damaged("array %q: found %d numbers in a file of %d bytes; it was cut off", a.Name, a.Count, len(b))
		}
		size += 4 * int64(a.Count)
	}
	if size != int64(len(rest)) {
		return nil, nil, damaged("found %d bytes of numbers, want %d; it was cut off or added to", len(rest)-4, size-4)
	}
	if sum, want := crc32.Checksum(b[:len(b)-4], castagnoli), binary.LittleEndian.Uint32(b[len(b)-4:]); sum != want {
		return nil, nil, damaged("found the checksum %08x, want %08x; its bytes were changed", sum, want)
	}
	if h.Kind != kind {
		return nil, nil, fmt.Errorf("found a file of the kind %q, want %q", h.Kind, kind)
	}
	m = make(map[string][]float32, len(h.Arrays))
	for _, a := range h.Arrays {
		if m[a.Name] != nil {
			return nil, nil, damaged("found the array %q twice", a.Name)
		}
		v := make([]float32, a.Count)
		for i := range v {
			v[i] = math.Float32frombits(binary.LittleEndian.Uint32(rest[4*i:]))
		}
		m[a.Name], rest = v, rest[4*a.Count:]
	}
	return h.About, m, nil
}

// WriteWeights writes weights in the format of checkpoints. The same weights are the
// same bytes.
func WriteWeights(w io.Writer, weights neural.Weights) error {
	if err := writeArrays(w, "weights", nil, sortedArrays("", weights)); err != nil {
		return fmt.Errorf("train: write weights: %w", err)
	}
	return nil
}

// ReadWeights reads what [WriteWeights] wrote.
func ReadWeights(file []byte) (neural.Weights, error) {
	_, m, err := readArrays(file, "weights")
	if err != nil {
		return nil, fmt.Errorf("train: read weights: %w", err)
	}
	return m, nil
}
