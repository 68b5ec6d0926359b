package serving

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/internal/rng"
)

// A Request arrives, brings a prompt, and wants an answer of so many tokens.
type Request struct {
	ArrivalMS      float64
	Prompt, Output int // tokens
}

// Lengths are log-normal numbers of tokens with a mean and a coefficient of
// variation (their standard deviation over the mean), rounded, and clamped to
// the bounds, which moves the mean of wide distributions.
type Lengths struct {
	Mean, CV float64
	Min, Max int // 0 means 1, and no bound
}

// Arrivals says when requests come.
type Arrivals uint8

// The kinds of arrivals.
const (
	Poisson Arrivals = iota // at random, independently
	Even                    // at equal distances
	AtOnce                  // all at time 0, to see what a system can do at most
)

// A Load draws requests. Equal loads give equal requests; another rate moves
// arrivals together or apart and changes nothing else.
type Load struct {
	RatePerS float64 // requests a second; not used by AtOnce
	Requests int
	Arrivals Arrivals
	Prompt   Lengths
	Output   Lengths
	Seed     uint64
}

func (l Lengths) check(field string) error {
	if err := firstOf(number(field+".mean", l.Mean, 0, most, true), number(field+".cv", l.CV, 0, 100, false),
		whole(field+".min", l.Min, 0, most), whole(field+".max", l.Max, 0, most)); err != nil {
		return err
	}
	if l.Max > 0 && l.Min > l.Max {
		return &FieldError{field + ".min", fmt.Sprint(l.Min), fmt.Sprintf("at most the max of %d", l.Max)}
	}
	return nil
}

// at returns the length at a standard normal deviate. Of a log-normal number
// with mean m and coefficient of variation c, the logarithm has the variance
// log(1+c²) and the mean log(m) − half of that.
func (l Lengths) at(z float64) int {
	v := detmath.Log1p(l.CV * l.CV)
	x := l.Mean
	if v > 0 {
		x = l.Mean * detmath.Exp(float64(z*math.Sqrt(v))-v/2)
	}
	hi := l.Max
	if hi == 0 {
		hi = most
	}
	return int(min(max(math.Round(x), float64(max(l.Min, 1))), float64(hi)))
}

// Draw returns the requests in the order in which they arrive.
func (l Load) Draw() ([]Request, error) {
	if err := firstOf(whole("requests", l.Requests, 1, 1<<24), l.Prompt.check("prompt"), l.Output.check("output")); err != nil {
		return nil, err
	}
	if l.Arrivals > AtOnce {
		return nil, &FieldError{"arrivals", fmt.Sprint(uint8(l.Arrivals)), "Poisson, Even or AtOnce"}
	}
	if l.Arrivals != AtOnce {
		if err := number("rate_per_s", l.RatePerS, 1e-9, 1e12, false); err != nil {
			return nil, err
		}
	}
	when, long := rng.New(l.Seed, "serving/arrivals", 0), rng.New(l.Seed, "serving/lengths", 0)
	out := make([]Request, l.Requests)
	t := 0.0 // in units of the mean distance
	for i := range out {
		switch l.Arrivals {
		case Poisson:
			t -= detmath.Log(rng.Open(when))
		case Even:
			t = float64(i)
		}
		out[i] = Request{Prompt: l.Prompt.at(rng.Norm(long)), Output: l.Output.at(rng.Norm(long))}
		if l.Arrivals != AtOnce {
			out[i].ArrivalMS = t / l.RatePerS * 1000
		}
	}
	return out, nil
}

// ReadTrace reads requests from CSV with the columns arrival_ms, prompt and
// output, in any order; file is its name in errors, which name the line.
func ReadTrace(file string, text []byte) ([]Request, error) {
	columns := [3]string{"arrival_ms", "prompt", "output"}
	var at [3]int
	var out []Request
	header, line, last := false, 0, 0.0
	for s := range strings.Lines(strings.TrimPrefix(string(text), "\ufeff")) {
		line++
		s = strings.TrimSpace(s)
		if s == "" || s[0] == '#' {
			continue
		}
		cells := strings.Split(s, ",")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if !header {
			header = true
			for i, c := range columns {
				at[i] = -1
				for j, cell := range cells {
					if strings.EqualFold(cell, c) {
						at[i] = j
					}
				}
				if at[i] < 0 {
					return nil, fmt.Errorf("%s:%d: found the columns %q, want arrival_ms, prompt and output", file, line, s)
				}
			}
			continue
		}
		if len(cells) <= max(at[0], at[1], at[2]) {
			return nil, fmt.Errorf("%s:%d: found %d columns, want as many as the header has", file, line, len(cells))
		}
		var r Request
		var err error
		if r.ArrivalMS, err = strconv.ParseFloat(cells[at[0]], 64); err != nil || !(r.ArrivalMS >= 0) || r.ArrivalMS > 1e15 {
			return nil, fmt.Errorf("%s:%d: arrival_ms: found %q, want milliseconds from 0 to 1e15", file, line, cells[at[0]])
		}
		if r.ArrivalMS < last {
			return nil, fmt.Errorf("%s:%d: arrival_ms: found %v after %v, want times that do not run backwards", file, line, r.ArrivalMS, last)
		}
		last = r.ArrivalMS
		for i, to := range [...]*int{&r.Prompt, &r.Output} {
			if *to, err = strconv.Atoi(cells[at[i+1]]); err != nil || *to < 1 || *to > most {
				return nil, fmt.Errorf("%s:%d: %s: found %q, want tokens from 1 to %d", file, line, columns[i+1], cells[at[i+1]], most)
			}
		}
		out = append(out, r)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: found no requests, want a line with the columns arrival_ms, prompt, output, and lines of numbers", file)
	}
	return out, nil
}
