package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"
)

// memory is a Store that ends with the process.
type memory struct {
	mu     sync.RWMutex
	closed bool
	study  Study
	order  []int64 // the numbers, ascending
	trials map[int64]*Trial
	byHash map[[16]byte][]int64
	byKey  map[string][]int64
}

// Memory returns an empty store that keeps a study in memory, for use as a
// library and for tests. It keeps its own copies of everything. A study that
// [Create] would refuse is an error at the first call of Study or Check.
func Memory(s Study) Store {
	return &memory{study: s.normal(), trials: map[int64]*Trial{}, byHash: map[[16]byte][]int64{}, byKey: map[string][]int64{}}
}

// What follows brings records to the form in which a file gives them back.

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.Round(0).UTC()
}

func cloneMap[V any](m map[string]V) map[string]V {
	if len(m) == 0 {
		return nil
	}
	return maps.Clone(m)
}

func cloneSlice[V any](v []V) []V {
	if len(v) == 0 {
		return nil
	}
	return slices.Clone(v)
}

func cleanMap(m map[string]string) map[string]string {
	m = cloneMap(m)
	for k, v := range m {
		m[k] = clean(v)
	}
	return m
}

func (s Study) normal() Study {
	s.FormatVersion = FormatVersion
	s.Created = utc(s.Created)
	s.Spec, s.Space, s.Metrics = cloneSlice(s.Spec), cloneSlice(s.Space), cloneSlice(s.Metrics)
	s.Attrs = cleanMap(s.Attrs)
	for _, p := range []*string{&s.Name, &s.Problem, &s.Searcher, &s.Reason, &s.Status, &s.StopReason, &s.Engine} {
		*p = clean(*p)
	}
	return s
}

func (t *Trial) normal() *Trial {
	c := *t
	c.Attempt = max(c.Attempt, 1)
	c.Design, c.Loss, c.Parents = cloneSlice(c.Design), cloneSlice(c.Loss), cloneSlice(c.Parents)
	c.Values, c.Predicted, c.Attrs = cloneMap(c.Values), cloneMap(c.Predicted), cleanMap(c.Attrs)
	c.Queued, c.Started, c.Finished = utc(c.Queued), utc(c.Started), utc(c.Finished)
	for _, p := range []*string{&c.Key, &c.Operator, &c.Why, &c.Worker, &c.Error, &c.ErrorClass, &c.Stderr} {
		*p = clean(*p)
	}
	c.Steps = mergeSteps(nil, c.Steps)
	return &c
}

// mergeSteps returns old with steps added or replaced, in order.
func mergeSteps(old, steps []Step) []Step {
	out := cloneSlice(old)
	for _, s := range steps {
		s.Values, s.At = cloneMap(s.Values), utc(s.At)
		i, found := slices.BinarySearchFunc(out, s.Step, func(a Step, n int64) int { return cmp.Compare(a.Step, n) })
		if found {
			out[i] = s
		} else {
			out = slices.Insert(out, i, s)
		}
	}
	return out
}

func (m *memory) Study(ctx context.Context) (Study, error) {
	unlock, err := m.reading(ctx)
	if err != nil {
		return Study{}, err
	}
	defer unlock()
	return m.study.normal(), m.study.validate()
}

func (m *memory) reading(ctx context.Context) (unlock func(), err error) {
	m.mu.RLock()
	if err := m.usable(ctx); err != nil {
		m.mu.RUnlock()
		return nil, err
	}
	return m.mu.RUnlock, nil
}

func (m *memory) writing(ctx context.Context) (unlock func(), err error) {
	m.mu.Lock()
	if err := m.usable(ctx); err != nil {
		m.mu.Unlock()
		return nil, err
	}
	return m.mu.Unlock, nil
}

func (m *memory) usable(ctx context.Context) error {
	if m.closed {
		return ErrClosed
	}
	return ctx.Err()
}

func (m *memory) SaveStudy(ctx context.Context, s Study) error {
	if err := s.validate(); err != nil {
		return err
	}
	unlock, err := m.writing(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	m.study = s.normal()
	return nil
}

func (m *memory) Save(ctx context.Context, trials ...Trial) error {
	for i := range trials {
		if err := trials[i].validate(); err != nil {
			return err
		}
	}
	unlock, err := m.writing(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	// Look first, then touch: all of them or none. A number that comes twice
	// in one call meets its own earlier record.
	var pending map[int64]*Trial
	if len(trials) > 1 {
		pending = make(map[int64]*Trial, len(trials))
	}
	for i := range trials {
		t := &trials[i]
		old := pending[t.Number]
		if old == nil {
			old = m.trials[t.Number]
		}
		if old != nil && old.State.Done() && difference(old, t) != "" {
			return finished(old, t)
		}
		if pending != nil {
			pending[t.Number] = t
		}
	}
	for i := range trials {
		m.put(trials[i].normal())
	}
	return nil
}

func (m *memory) put(t *Trial) {
	old := m.trials[t.Number]
	if old == nil {
		i, _ := slices.BinarySearch(m.order, t.Number)
		m.order = slices.Insert(m.order, i, t.Number)
	} else if old.Attempt == t.Attempt {
		t.Steps = mergeSteps(old.Steps, t.Steps)
	}
	if t.State == Complete && (old == nil || old.State != Complete) {
		// A complete trial keeps its design, so it is entered once.
		if t.Hash != ([16]byte{}) {
			m.byHash[t.Hash] = append(m.byHash[t.Hash], t.Number)
		}
		if t.Key != "" {
			m.byKey[t.Key] = append(m.byKey[t.Key], t.Number)
		}
	}
	m.trials[t.Number] = t
}

func (m *memory) AddSteps(ctx context.Context, number int64, steps ...Step) error {
	if err := checkSteps(number, steps); err != nil {
		return err
	}
	unlock, err := m.writing(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	t := m.trials[number]
	if t == nil {
		return fmt.Errorf("trial %d: %w", number, ErrNotFound)
	}
	t.Steps = mergeSteps(t.Steps, steps)
	return nil
}

func (m *memory) Trials(ctx context.Context, f Filter) iter.Seq2[Trial, error] {
	return func(yield func(Trial, error) bool) {
		from, left := f.From, f.Limit
		for {
			page, more, err := m.page(ctx, &from, f)
			if err != nil {
				yield(Trial{}, err)
				return
			}
			for i := range page {
				if f.Limit > 0 && left == 0 {
					return
				}
				left--
				if !yield(*page[i], nil) {
					return
				}
			}
			if !more {
				return
			}
		}
	}
}

// page returns some trials from number *from on, and moves it behind them.
func (m *memory) page(ctx context.Context, from *int64, f Filter) (page []*Trial, more bool, err error) {
	unlock, err := m.reading(ctx)
	if err != nil {
		return nil, false, err
	}
	defer unlock()
	i, _ := slices.BinarySearch(m.order, *from)
	for ; i < len(m.order); i++ {
		t := m.trials[m.order[i]]
		if f.To != 0 && t.Number >= f.To {
			return page, false, nil
		}
		if len(page) == pageSize {
			*from = t.Number
			return page, true, nil
		}
		if (len(f.States) == 0 || slices.Contains(f.States, t.State)) && (!f.Feasible || t.Violation <= 0) {
			c := t.normal()
			if f.NoSteps {
				c.Steps = nil
			}
			page = append(page, c)
		}
	}
	return page, false, nil
}

func (m *memory) Trial(ctx context.Context, number int64) (Trial, error) {
	unlock, err := m.reading(ctx)
	if err != nil {
		return Trial{}, err
	}
	defer unlock()
	t := m.trials[number]
	if t == nil {
		return Trial{}, fmt.Errorf("trial %d: %w", number, ErrNotFound)
	}
	return *t.normal(), nil
}

func (m *memory) Scores(ctx context.Context) (numbers []int64, losses []float64, violations []float64, states []State, err error) {
	unlock, err := m.reading(ctx)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	defer unlock()
	numbers = slices.Clone(m.order)
	violations, states = make([]float64, len(numbers)), make([]State, len(numbers))
	width := 0
	for i, n := range numbers {
		t := m.trials[n]
		violations[i], states[i] = t.Violation, t.State
		if losses, err = appendLoss(losses, &width, i, t.Loss); err != nil {
			return nil, nil, nil, nil, fmt.Errorf("trial %d: %w", n, err)
		}
	}
	return numbers, losses, violations, states, nil
}

func (m *memory) Find(ctx context.Context, hash [16]byte, key string) ([]Trial, error) {
	unlock, err := m.reading(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	numbers := slices.Concat(m.byHash[hash], m.byKey[clean(key)])
	slices.Sort(numbers)
	var out []Trial
	for _, n := range slices.Compact(numbers) {
		out = append(out, *m.trials[n].normal())
	}
	return out, nil
}

func (m *memory) Count(ctx context.Context) (map[State]int64, error) {
	unlock, err := m.reading(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	out := map[State]int64{}
	for _, t := range m.trials {
		out[t.State]++
	}
	return out, nil
}

func (m *memory) MaxNumber(ctx context.Context) (int64, error) {
	unlock, err := m.reading(ctx)
	if err != nil {
		return 0, err
	}
	defer unlock()
	if len(m.order) == 0 {
		return -1, nil
	}
	return m.order[len(m.order)-1], nil
}

func (m *memory) Check(ctx context.Context) error {
	unlock, err := m.reading(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	var in inspector
	for _, n := range m.order {
		in.trial(m.trials[n])
	}
	in.end()
	return errors.Join(m.study.validate(), in.err("study "+m.study.Name))
}

func (m *memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}
