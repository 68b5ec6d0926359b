package arena

import (
	"fmt"
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/internal/rng"
)

// A Standing is how a searcher stands over all problems.
type Standing struct {
	Searcher *Searcher
	Label    string
	Random   bool
	Color    int
	Cells    []*Cell // by problem
	Entered  int     // problems with runs
	Wins     int     // problems on which it is better than random search
	Ties     int
	Losses   int
	Rank     float64  // mean rank over the problems it and all others entered; NaN if it did not
	Strength Interval // Bradley-Terry, log odds; Low and High from resampled problems
	OverRnd  float64  // the model's probability that it beats random search
	P        float64  // signed-rank test over problems of the effects against random search
	AskMean  float64
	AskP95   float64
	Own      float64
	Failed   int
	Unfit    int
	Part     int
	Fits     bool // it took part somewhere
}

// Ranks are the mean ranks over problems, with Friedman's test and Nemenyi's
// critical difference.
type Ranks struct {
	Problems int
	Members  []int // indexes of Standing, by rank
	Mean     []float64
	Chi2, P  float64
	F, PF    float64
	CD       float64
	Groups   [][2]int // runs of Members that do not differ
	Left     []string // searchers that did not enter every problem
}

// A Duel is how often the row beats the column: the mean over problems of the
// effect size, and the signed-rank test of it, corrected by Holm's method.
type Duel struct {
	Effect   float64
	P        float64
	Problems int
}

// rank computes mean ranks over the problems and searchers without gaps.
func (a *Analysis) rank() {
	for _, s := range a.Standing {
		s.Rank = math.NaN()
		for _, c := range s.Cells {
			if c.Usable() {
				s.Entered++
			}
		}
		s.Fits = s.Entered > 0
	}
	r := &Ranks{}
	for i, s := range a.Standing {
		switch {
		case s.Entered == len(a.Problems):
			r.Members = append(r.Members, i)
		case s.Fits:
			r.Left = append(r.Left, s.Label)
		}
	}
	k, n := len(r.Members), len(a.Problems)
	if k < 2 || n < 2 {
		return
	}
	rows := make([][]float64, n)
	for p := range rows {
		rows[p] = make([]float64, k)
		for j, i := range r.Members {
			rows[p][j] = Median(a.Standing[i].Cells[p].losses)
		}
	}
	var mean []float64
	mean, r.Chi2, r.P, r.F, r.PF = Friedman(rows)
	r.Problems, r.CD = n, NemenyiCD(k, n, Level)
	members := r.Members
	r.Members = nil
	for _, j := range order(mean) {
		r.Members = append(r.Members, members[j])
		r.Mean = append(r.Mean, mean[j])
		a.Standing[members[j]].Rank = mean[j]
	}
	last := -1
	for i := range r.Members {
		j := i
		for j+1 < k && r.Mean[j+1]-r.Mean[i] <= r.CD {
			j++
		}
		if j > i && j > last {
			r.Groups = append(r.Groups, [2]int{i, j})
			last = j
		}
	}
	a.Ranks = r
}

// contest counts who beat whom: on every problem the share of the pairs of runs
// that each won, so that a problem has the same weight whatever its seeds.
func (a *Analysis) contest(problems []int) *Contest {
	c := NewContest(len(a.Standing))
	for _, p := range problems {
		cells := a.Problems[p].Cells
		for i, x := range cells {
			for j, y := range cells[:i] {
				if x.Usable() && y.Usable() {
					won := A12(y.losses, x.losses)
					c.Wins[i][j] += won
					c.Wins[j][i] += 1 - won
				}
			}
		}
	}
	return c
}

// resampledProblems is how often problems are drawn anew for the intervals of
// strengths.
const resampledProblems = 200

func (a *Analysis) strengths(random int) {
	problems := make([]int, len(a.Problems))
	for i := range problems {
		problems[i] = i
	}
	c := a.contest(problems)
	at := c.Strengths()
	parts := c.Parts()
	for i, s := range a.Standing {
		s.Part = parts[i]
		s.Strength = Interval{at[i], math.NaN(), math.NaN()}
		s.OverRnd = beats(at[i], at[random])
		if s.Fits {
			a.Parts = max(a.Parts, parts[i]-parts[random]+1)
		}
	}
	if len(problems) < 2 {
		return
	}
	// The contests of single problems add up.
	single := make([]*Contest, len(problems))
	for p := range problems {
		single[p] = a.contest(problems[p : p+1])
	}
	draws := make([][]float64, resampledProblems)
	each(len(draws), func(b int) {
		r := rng.New(uint64(b), "arena/problems", 0)
		sum := NewContest(len(a.Standing))
		for range problems {
			one := single[r.IntN(len(problems))]
			for i := range sum.Wins {
				for j := range sum.Wins {
					sum.Wins[i][j] += one.Wins[i][j]
				}
			}
		}
		draws[b] = sum.Strengths()
	})
	column := make([]float64, len(draws))
	for i, s := range a.Standing {
		for b := range draws {
			column[b] = draws[b][i]
		}
		slices.Sort(column)
		s.Strength.Low, s.Strength.High = quantile(column, 0.025), quantile(column, 0.975)
	}
}

func (a *Analysis) duels() {
	n := len(a.Standing)
	a.Duels = make([][]Duel, n)
	for i := range a.Duels {
		a.Duels[i] = make([]Duel, n)
	}
	var ps []float64
	var at [][2]int
	for i := range n {
		for j := range n {
			d := &a.Duels[i][j]
			d.Effect, d.P = math.NaN(), math.NaN()
			var effects, zero []float64
			for p := range a.Problems {
				x, y := a.Standing[i].Cells[p], a.Standing[j].Cells[p]
				if i != j && x.Usable() && y.Usable() {
					effects = append(effects, 1-2*A12(x.losses, y.losses)) // Cliff's delta of being better
					zero = append(zero, 0)
				}
			}
			if len(effects) == 0 {
				continue
			}
			d.Problems = len(effects)
			d.Effect = 0.5 + mean(effects)/2
			if _, d.P = Wilcoxon(effects, zero); i < j {
				ps, at = append(ps, d.P), append(at, [2]int{i, j})
			}
		}
	}
	for k, p := range Holm(ps) {
		i, j := at[k][0], at[k][1]
		a.Duels[i][j].P, a.Duels[j][i].P = p, p
	}
}

func (s *Standing) summary() {
	s.P = math.NaN()
	var effects, zero []float64
	var n float64
	for _, c := range s.Cells {
		s.Failed += c.Failed
		if c.Unfit != "" {
			s.Unfit++
		}
		switch c.Verdict {
		case Better:
			s.Wins++
		case Same:
			s.Ties++
		case Worse:
			s.Losses++
		}
		if !c.Usable() {
			continue
		}
		n++
		s.AskMean += c.AskMean
		s.AskP95 += c.AskP95
		s.Own += c.Own
		if c.Effect == c.Effect {
			effects, zero = append(effects, 2*c.Effect-1), append(zero, 0)
		}
	}
	if n > 0 {
		s.AskMean, s.AskP95, s.Own = s.AskMean/n, s.AskP95/n, s.Own/n
	}
	if len(effects) > 0 {
		_, s.P = Wilcoxon(effects, zero)
	}
}

// Headline says the outcome in one or two sentences.
func (a *Analysis) Headline() string {
	best, tested := -1, 0
	for i, s := range a.Standing {
		if s.Fits {
			tested++
			// Who entered few of the problems leads nothing.
			if 2*s.Entered >= len(a.Problems) && (best < 0 || s.Strength.At > a.Standing[best].Strength.At) {
				best = i
			}
		}
	}
	if tested == 0 {
		return "No run has finished yet."
	}
	if best < 0 {
		return "No searcher has run on half of the problems."
	}
	s := a.Standing[best]
	if tested == 1 {
		return fmt.Sprintf("Only %s took part.", s.Label)
	}
	text := fmt.Sprintf("%s stands first of %d", s.Label, tested)
	if !s.Random {
		text += fmt.Sprintf(": better than random search on %d of %s", s.Wins, plural(s.Entered, "problem"))
		if s.Ties+s.Losses > 0 {
			text += fmt.Sprintf(", no difference shown on %d, worse on %d", s.Ties, s.Losses)
		}
	}
	text += "."
	if r := a.Ranks; r != nil {
		switch {
		case r.PF > Level || r.PF != r.PF:
			text += " Over all problems the searchers' ranks do not differ at the 5 % level."
		default:
			var equal []string
			for k, i := range r.Members {
				if i != best && r.Mean[k]-s.Rank <= r.CD {
					equal = append(equal, a.Standing[i].Label)
				}
			}
			if s.Rank == s.Rank && len(equal) > 0 {
				text += fmt.Sprintf(" By ranks it does not differ from %s.", list(equal))
			}
		}
	}
	return text
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func list(words []string) string {
	if n := len(words); n > 1 {
		if n > 5 {
			return fmt.Sprintf("%d others", n)
		}
		text := ""
		for i, w := range words[:n-1] {
			if i > 0 {
				text += ", "
			}
			text += w
		}
		return text + " and " + words[n-1]
	}
	return words[0]
}
