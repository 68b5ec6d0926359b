package train

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/daedalus-search/daedalus/internal/atomicfile"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/data"
)

// A CheckpointError says what is wrong with a checkpoint file.
type CheckpointError struct {
	Path string
	Err  error
}

func (e *CheckpointError) Error() string {
	return fmt.Sprintf("train: checkpoint %s: %v", e.Path, e.Err)
}

// Unwrap returns what is wrong.
func (e *CheckpointError) Unwrap() error { return e.Err }

// ErrForeign is in the chain of errors about a checkpoint of another training.
var ErrForeign = errors.New("of another training")

// training is what a checkpoint belongs to.
type training struct {
	Recipe  Recipe `json:"recipe"`
	Network string `json:"network"` // digest of the graph
	Data    string `json:"data"`    // digest of the training set
	Start   string `json:"start"`   // digest of the weights it started from, unless the seed gave them
	Tag     string `json:"tag"`     // the caller's
}

// differs says in what another training differs.
func (t training) differs(found training) error {
	foreign := func(what string, a, b any) error {
		return fmt.Errorf("it is %w: %s: found %v, want %v; go on with what it was made with, or delete it to start anew", ErrForeign, what, a, b)
	}
	if field, a, b := found.Recipe.difference(t.Recipe); field != "" {
		return foreign("recipe: "+field, a, b)
	}
	for _, c := range []struct{ what, found, want string }{
		{"network", found.Network, t.Network},
		{"training examples", found.Data, t.Data},
		{"weights to start from", found.Start, t.Start},
		{"tag", found.Tag, t.Tag},
	} {
		if c.found != c.want {
			return foreign(c.what, c.found, c.want)
		}
	}
	return nil
}

// A snapshot is the whole state of a training between two steps. There are no
// generators in it: what is random follows from the seed and the step.
type snapshot struct {
	Training  training `json:"training"`
	Step      int64    `json:"step"`
	Updates   int64    `json:"updates"`  // of the optimizer
	Averaged  int64    `json:"averaged"` // steps in the running mean
	Loss      float64  `json:"loss"`     // summed since the last epoch began
	Steps     int64    `json:"steps"`    // of that sum
	Rate      float64  `json:"rate"`     // of the last step
	Norm      float64  `json:"norm"`     // of the last step's gradient
	History   []Epoch  `json:"history,omitempty"`
	weights   neural.Weights
	optimizer map[string][]float32
	average   neural.Weights
}

const (
	inWeights   = "weights/"
	inOptimizer = "optimizer/"
	inAverage   = "average/"
)

func (s *snapshot) write(w io.Writer) error {
	list := sortedArrays(inWeights, s.weights)
	list = append(list, sortedArrays(inOptimizer, s.optimizer)...)
	list = append(list, sortedArrays(inAverage, s.average)...)
	return writeArrays(w, "checkpoint", s, list)
}

// save replaces the checkpoint file.
func (s *snapshot) save(path string) error {
	if err := atomicfile.Write(path, s.write); err != nil {
		return &CheckpointError{path, fmt.Errorf("could not be written, the one before is as it was: %w", err)}
	}
	return nil
}

func readSnapshot(file []byte) (*snapshot, error) {
	about, arrays, err := readArrays(file, "checkpoint")
	if err != nil {
		return nil, err
	}
	s := &snapshot{weights: neural.Weights{}, optimizer: map[string][]float32{}, average: neural.Weights{}}
	if err := json.Unmarshal(about, s); err != nil {
		return nil, damaged("header: %w", err)
	}
	if s.Step < 0 || s.Updates < 0 || s.Averaged < 0 || s.Steps < 0 {
		return nil, damaged("found step %d, %d updates and %d steps in means, want none of them negative", s.Step, s.Updates, min(s.Averaged, s.Steps))
	}
	for name, v := range arrays {
		into := s.weights
		rest, ok := strings.CutPrefix(name, inWeights)
		if !ok {
			into = s.optimizer
			rest, ok = strings.CutPrefix(name, inOptimizer)
		}
		if !ok {
			into = s.average
			rest, ok = strings.CutPrefix(name, inAverage)
		}
		if !ok {
			return nil, damaged("found the array %q, which is no part of a training", name)
		}
		into[rest] = v
	}
	return s, nil
}

// load returns the checkpoint of a training, nil if there is no file.
func (t training) load(path string) (*snapshot, error) {
	file, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &CheckpointError{path, err}
	}
	s, err := readSnapshot(file)
	if errors.Is(err, ErrDamaged) {
		err = fmt.Errorf("%w; delete it to start anew", err)
	}
	if err == nil {
		err = t.differs(s.Training)
	}
	if err != nil {
		return nil, &CheckpointError{path, err}
	}
	return s, nil
}

// networkDigest names a graph.
func networkDigest(g *neural.Graph) (string, error) {
	h := sha256.New()
	if err := g.Write(h); err != nil {
		return "", err
	}
	return g.Name() + " " + hex.EncodeToString(h.Sum(nil)[:8]), nil
}

// setDigest names a set by its size and a thousand of its examples, evenly spread and
// scaled.
func setDigest(s *data.Set, scale *data.Scale) (string, error) {
	const most, batch = 1000, 50
	l, err := s.Loader(data.Options{Batch: batch, Scale: scale})
	if err != nil {
		return "", err
	}
	var examples []int32
	for k := range min(s.Len(), most) {
		examples = append(examples, int32(int64(k)*int64(s.Len())/int64(min(s.Len(), most))))
	}
	b := l.NewBatch()
	sum := uint32(0)
	var bytes []byte
	add := func(x uint32) { bytes = binary.LittleEndian.AppendUint32(bytes, x) }
	for part := range slices.Chunk(examples, batch) {
		bytes = bytes[:0]
		l.FillExamples(b, part)
		for _, in := range append(b.Inputs, b.Targets) {
			for _, x := range in {
				add(math.Float32bits(x))
			}
		}
		for _, c := range b.Classes {
			add(uint32(c))
		}
		sum = crc32.Update(sum, castagnoli, bytes)
	}
	return fmt.Sprintf("%s %08x", s, sum), nil
}

// weightsDigest names weights.
func weightsDigest(w neural.Weights) (string, error) {
	h := sha256.New()
	if err := WriteWeights(h, w); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
}
