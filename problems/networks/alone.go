package networks

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"path/filepath"

	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/train"
	"github.com/daedalus-search/daedalus/space"
)

// standAlone estimates networks by training each by itself, with part of the effort if
// there is a fidelity.
type standAlone struct{ *bench }

func (standAlone) prepare(context.Context, teller) error { return nil }

func (s standAlone) estimate(ctx context.Context, d space.Design, r request, tell teller) (*train.Metrics, error) {
	t := s.q.Training
	family := s.family
	job := train.Job{Device: s.device, Recipe: s.recipe(), Train: s.Train, Valid: s.Valid, Scale: s.Scale}
	// The same network is the same training, whoever asks for it.
	h := sha256.Sum256([]byte(family.Key(d)))
	job.Recipe.Seed += binary.LittleEndian.Uint64(h[:])
	var err error
	switch {
	case t.Fidelity == "epochs":
		if r.Folder != "" {
			job.Checkpoint = filepath.Join(r.Folder, "training.checkpoint")
		}
		job.Epoch = func(e train.Epoch) error {
			if e.Valid != nil && e.Epoch > r.From {
				if err := tell(told{Step: int64(math.Round(e.Epoch)), Values: s.values(e.Valid, "")}); err != nil {
					return err
				}
			}
			if e.Epoch >= r.Amount {
				return train.ErrStop
			}
			return nil
		}
	case t.Fidelity == "data" && r.Amount < 100:
		if job.Train, err = s.Train.Fraction(t.Seed, r.Amount/100); err != nil {
			return nil, err
		}
	case t.Fidelity == "resolution" && r.Share < 1:
		if family, err = s.q.family(s.outline, int(r.Amount)); err != nil {
			return nil, err
		}
	}
	if job.Graph, err = family.Graph(d); err != nil {
		return nil, err
	}
	if job.Train, err = sized(job.Graph, job.Train); err != nil {
		return nil, err
	}
	if job.Valid, err = sized(job.Graph, job.Valid); err != nil {
		return nil, err
	}
	result, err := fit(ctx, job)
	if err != nil {
		return nil, err
	}
	if r.Share == 1 {
		if err := s.keep.saveWeights(result.Weights, "trained", fileOf(d)); err != nil {
			return nil, err
		}
	}
	return result.Valid, nil
}

func (s standAlone) weights(_ context.Context, d space.Design) (neural.Weights, error) {
	return s.keep.weights("trained", fileOf(d))
}

// fileOf is the name of the file with a network's weights.
func fileOf(d space.Design) string { return d.Hash().String() + ".weights" }
