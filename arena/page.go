package arena

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html"
	"html/template"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"

	"github.com/daedalus-search/daedalus/internal/term"
)

//go:embed page.css
var pageStyle string

//go:embed page.js
var pageScript string

//go:embed page.html
var pageText string

// colors is how many colours tell searchers apart; after that lines are broken.
const colors = 8

var dashes = []string{"none", "7 3", "2 2.5", "9 3 2 3"}

// WriteHTML writes the report: one page that needs nothing else. Whatever an
// arena holds is data in it and never runs: the page allows only its own script,
// by its hash.
func WriteHTML(w io.Writer, a *Analysis) error {
	a.paint()
	var body bytes.Buffer
	if err := page.Execute(&body, a); err != nil {
		return fmt.Errorf("arena: the report: %w", err)
	}
	hash := sha256.Sum256([]byte(pageScript))
	_, err := fmt.Fprintf(w, `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="Daedalus">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'sha256-%s'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<title>%s</title>
<style>%s%s</style>
</head>
<body>
%s<script>%s</script>
</body>
</html>
`, base64.StdEncoding.EncodeToString(hash[:]), html.EscapeString(a.Name), pageStyle, a.rules(), body.Bytes(), pageScript)
	return err
}

// paint gives searchers colours in the order of their standing; random search
// is grey.
func (a *Analysis) paint() {
	n := 0
	for _, i := range a.Order() {
		s := a.Standing[i]
		if s.Random {
			s.Color = len(a.Standing)
			continue
		}
		s.Color = n
		n++
	}
}

// rules are the colours of searchers as style rules.
func (a *Analysis) rules() string {
	var b strings.Builder
	for _, s := range a.Standing {
		color, dash := fmt.Sprintf("var(--c%d)", s.Color%colors), dashes[s.Color/colors%len(dashes)]
		if s.Random {
			color, dash = "var(--base)", "4 3"
		}
		fmt.Fprintf(&b, ".s%d{--own:%s;--dash:%s}body[data-focus='%d'] svg .s%d{opacity:1}body[data-focus='%d'] svg .s%d .curve{stroke-width:3}\n", s.Color, color, dash, s.Color, s.Color, s.Color, s.Color)
	}
	return b.String()
}

// Order returns the indexes of Standing, the strongest first and those that took
// no part last.
func (a *Analysis) Order() []int {
	keys := make([]float64, len(a.Standing))
	for i, s := range a.Standing {
		keys[i] = -s.Strength.At
		if !s.Fits {
			keys[i] = math.NaN()
		}
	}
	return order(keys)
}

// A ranked is a cell with whose it is.
type ranked struct {
	Standing *Standing
	Cell     *Cell
}

// A failureView is runs that failed in the same way.
type failureView struct {
	Searcher, Problem, Reason, Stderr, Seeds string
	seeds                                    []uint64
}

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"plural": plural,
	"join":   func(s []string) string { return strings.Join(s, ", ") },
	"count":  term.Int,
	"runs":   func(a *Analysis) string { return plural(len(a.Results.Rows), "run") },
	"fits": func(a *Analysis) (n int) {
		for _, s := range a.Standing {
			if s.Fits {
				n++
			}
		}
		return n
	},
	"ordered": func(a *Analysis) (out []*Standing) {
		for _, i := range a.Order() {
			out = append(out, a.Standing[i])
		}
		return out
	},
	"order": func(v *ProblemView) []ranked { return v.ranked },
	"swatch": func(s *Standing) template.HTML {
		return template.HTML(fmt.Sprintf(`<svg class="swatch s%d" viewBox="0 0 18 8" aria-hidden="true"><line x1="0" y1="4" x2="18" y2="4"/></svg>`, s.Color))
	},
	"num":     number,
	"short":   func(x float64) string { return short(x) },
	"signed":  func(x float64) string { return minus(fmt.Sprintf("%+.2f", x)) },
	"fixed":   func(x float64) string { return fixed(x) },
	"percent": term.Percent,
	"p":       PValue,
	"peq":     Chance,
	"time":    duration,
	"inf":     func(x float64) bool { return math.IsInf(x, 0) || x != x },
	"span": func(i Interval) string {
		if i.Low != i.Low {
			return "–"
		}
		return minus(fmt.Sprintf("%+.2f … %+.2f", i.Low, i.High))
	},
	"interval": func(i Interval) template.HTML {
		if i.At != i.At {
			return "–"
		}
		return template.HTML(fmt.Sprintf("%s <small>[%s, %s]</small>", short(i.At), short(i.Low), short(i.High)))
	},
	"ci": func(c *Cell) string {
		return number(c.Low[len(c.Low)-1]) + " … " + number(c.High[len(c.High)-1])
	},
	"quartiles": func(c *Cell) string { return number(c.Q1) + " … " + number(c.Q3) },
	"verdict": func(c *Cell) template.HTML {
		switch c.Verdict {
		case Better:
			return `<span class="better">better</span>`
		case Worse:
			return `<span class="worse">worse</span>`
		case Same:
			return `<span class="same">no difference shown</span>`
		}
		return "–"
	},
	"why": func(s *Standing) string {
		for _, c := range s.Cells {
			if t := whyCell(c); t != "" {
				return t
			}
		}
		return "no run yet"
	},
	"whyCell": whyCell,
	"heat": func(c *Cell, v *ProblemView) template.HTML {
		if !c.Usable() {
			return template.HTML(`<td class="none" title="` + html.EscapeString(whyCell(c)) + `">–`)
		}
		text := html.EscapeString(number(c.Median))
		if c.Verdict == Better || c.Verdict == Worse {
			text = "<b>" + text + "</b>"
		}
		return cellOf(c.Effect, text, fmt.Sprintf("beats random search with probability %s, %s", term.Percent(c.Effect), Chance(c.Holm)))
	},
	"duel": func(a *Analysis, s, t *Standing) template.HTML {
		i, j := slices.Index(a.Standing, s), slices.Index(a.Standing, t)
		d := a.Duels[i][j]
		if d.Effect != d.Effect {
			return `<td class="none">`
		}
		text := fmt.Sprintf("%.0f %%", 100*d.Effect)
		if d.P <= Level {
			text = "<b>" + text + "</b>"
		}
		return cellOf(d.Effect, text, fmt.Sprintf("%s beats %s with probability %s over %s, %s", s.Label, t.Label, term.Percent(d.Effect), plural(d.Problems, "problem"), Chance(d.P)))
	},
	"powerless": func(a *Analysis) bool {
		n := 0
		for _, s := range a.Standing {
			if s.Fits {
				n++
			}
		}
		return math.Pow(2, float64(1-len(a.Problems)))*float64(n*(n-1)/2) > Level
	},
	"few":      func(a *Analysis) bool { return len(a.Problems) <= 4 },
	"ri":       hasRI,
	"verified": verifiedNames,
	"columns": func(v *ProblemView) int {
		n := 9 + len(verifiedNames(v))
		if hasRI(v) {
			n += 2
		}
		return n
	},
	"goal": func(v *ProblemView) string {
		var words []string
		for _, o := range v.Goal.Objectives {
			words = append(words, o.String())
		}
		for _, l := range v.Goal.Limits {
			words = append(words, l.String())
		}
		return strings.Join(words, ", ")
	},
	"ranks":   func(a *Analysis) template.HTML { return template.HTML(drawRanks(a)) },
	"curves":  func(a *Analysis, v *ProblemView) template.HTML { return template.HTML(drawCurves(a, v)) },
	"lottery": func(l *LotteryView) template.HTML { return template.HTML(drawLottery(l)) },
	"half":    func(s *Sweep) bool { return s.Beaten >= 0.5 },
	"cost": func(a *Analysis) template.HTML {
		var bars []bar
		for _, i := range a.Order() {
			if s := a.Standing[i]; s.Fits {
				bars = append(bars, bar{s, s.AskMean * 1e6, s.AskMean * 1e6, max(s.AskP95, s.AskMean) * 1e6, s.Label + ": " + duration(s.AskMean) + " a proposal"})
			}
		}
		return template.HTML(drawBars(bars, true, "µs a proposal", math.NaN()))
	},
	"parallel": func(a *Analysis) int {
		if a.Parallel > 0 {
			return a.Parallel
		}
		return runtime.GOMAXPROCS(0)
	},
	"troubles": func(a *Analysis) bool {
		bad := len(a.Failures) > 0
		for _, s := range a.Standing {
			for _, c := range s.Cells {
				bad = bad || c.Unfit != "" || len(c.Notes) > 0
			}
		}
		return bad
	},
	"failures": func(a *Analysis) (out []*failureView) {
		for _, r := range a.Failures {
			searcher := r.Searcher
			if r.Setting != "" {
				searcher += " " + r.Setting
			}
			i := slices.IndexFunc(out, func(f *failureView) bool {
				return f.Searcher == searcher && f.Problem == r.Problem && f.Reason == r.Reason
			})
			if i < 0 {
				i = len(out)
				out = append(out, &failureView{Searcher: searcher, Problem: r.Problem, Reason: r.Reason, Stderr: r.Stderr})
			}
			out[i].seeds = append(out[i].seeds, r.Seed)
		}
		for _, f := range out {
			f.Seeds = fmt.Sprintf("seed %d", f.seeds[0])
			if len(f.seeds) > 1 {
				f.Seeds = fmt.Sprintf("%d seeds from %d on", len(f.seeds), f.seeds[0])
			}
		}
		return out
	},
	"judged": func(a *Analysis) (out []string) {
		texts := map[Judged]string{
			ByRegret:      "Regret is how far the best design is from the best possible, which these problems know, in the unit of the objective.",
			ByValue:       "Where the optimum is not known, the best value found is shown.",
			ByHypervolume: fmt.Sprintf("Hypervolume: objectives are scaled so that the reference front spans 0 to 1, the reference point is at %.1f, and the volume is a share of the reference front's; the reference front is the known one or that of all runs together. Up to %d objectives it is exact, beyond it is estimated from %s fixed points.", box, exactObjectives, term.Int(hvSamples)),
			ByQD:          "QD-score is the sum over the cells of an archive of how far the best design of each is above the floor; every searcher's designs go into the same kind of archive.",
		}
		for _, b := range []Judged{ByRegret, ByValue, ByHypervolume, ByQD} {
			if slices.ContainsFunc(a.Problems, func(v *ProblemView) bool { return v.By == b }) {
				out = append(out, texts[b])
			}
		}
		return out
	},
}).Parse(pageText))

func hasRI(v *ProblemView) bool { return v.By == ByRegret || v.By == ByValue }

func verifiedNames(v *ProblemView) []string {
	for _, c := range v.Cells {
		if len(c.Verified) > 0 {
			var out []string
			for _, x := range c.Verified {
				out = append(out, x.Metric.Name)
			}
			return out
		}
	}
	return nil
}

func whyCell(c *Cell) string {
	switch {
	case c.Unfit != "":
		return "cannot take part: " + c.Unfit
	case c.Failed > 0:
		return "broke down in every run"
	case c.Absent > 0:
		return "not run yet"
	}
	return ""
}

// cellOf is a cell of a heat map: a probability of being better, around one
// half.
func cellOf(effect float64, text, tip string) template.HTML {
	class, share := "up", 0.0
	if effect == effect {
		share = min(math.Abs(effect-0.5)*2, 1) * 55
		if effect < 0.5 {
			class = "down"
		}
	}
	return template.HTML(fmt.Sprintf(`<td class="cell %s" style="--share:%.0f%%" title="%s">%s`, class, share, html.EscapeString(tip), text))
}

// number formats a result.
func number(x float64) string {
	switch {
	case x != x || math.IsInf(x, 0):
		return "infeasible"
	case x != 0 && math.Abs(x) < 1e-3:
		return minus(fmt.Sprintf("%.2e", x))
	}
	return minus(term.Number(x))
}

func short(x float64) string {
	switch {
	case x-x != 0:
		return "–"
	case math.Abs(x) >= 1000:
		return minus(fmt.Sprintf("%+.3g", x))
	case math.Abs(x) >= 10:
		return minus(fmt.Sprintf("%+.1f", x))
	}
	return minus(fmt.Sprintf("%+.2f", x))
}

func fixed(x float64) string {
	if x-x != 0 {
		return "–"
	}
	return minus(fmt.Sprintf("%.2f", x))
}

func minus(s string) string { return strings.ReplaceAll(s, "-", "−") }

// PValue formats a probability of error; "–" for none.
func PValue(p float64) string {
	switch {
	case p != p:
		return "–"
	case p < 1e-4:
		return "< 0.0001"
	case p < 0.001:
		return fmt.Sprintf("%.4f", p)
	}
	return fmt.Sprintf("%.3f", p)
}

// Chance is PValue in a sentence: "p = 0.012" or "p < 0.0001".
func Chance(p float64) string {
	if s := PValue(p); s[0] != '<' {
		return "p = " + s
	}
	return "p " + PValue(p)
}

// duration formats seconds.
func duration(s float64) string {
	switch {
	case s <= 0 || s != s:
		return "–"
	case s < 1e-3:
		return fmt.Sprintf("%.3g µs", s*1e6)
	case s < 1:
		return fmt.Sprintf("%.3g ms", s*1e3)
	}
	return fmt.Sprintf("%.3g s", s)
}

// Short names what is shown of a problem, for narrow columns.
func (v *ProblemView) Short() string {
	arrow := " ↑"
	if v.Lower {
		arrow = " ↓"
	}
	return v.By.String() + arrow
}

// Summary is the outcome as data, for machines.
func (a *Analysis) Summary() map[string]any {
	clean := func(x float64) any {
		if x-x != 0 {
			return nil
		}
		return x
	}
	var standing []map[string]any
	for _, i := range a.Order() {
		s := a.Standing[i]
		row := map[string]any{
			"searcher": s.Label, "strength": clean(s.Strength.At), "mean_rank": clean(s.Rank), "better": s.Wins, "no_difference": s.Ties, "worse": s.Losses,
			"p_over_problems": clean(s.P), "ask_mean_s": s.AskMean, "ask_p95_s": s.AskP95, "failed": s.Failed, "unfit": s.Unfit,
		}
		cells := map[string]any{}
		for p, c := range s.Cells {
			if !c.Usable() {
				cells[a.Problems[p].Label] = map[string]any{"why": whyCell(c)}
				continue
			}
			cells[a.Problems[p].Label] = map[string]any{
				"median": clean(c.Median), "low": clean(c.Low[len(c.Low)-1]), "high": clean(c.High[len(c.High)-1]), "p": clean(c.Holm), "effect": clean(c.Effect),
				"verdict": map[Verdict]string{Better: "better", Same: "no difference shown", Worse: "worse"}[c.Verdict], "gain_percent": clean(c.Gain.At), "ri_percent": clean(c.RI.At),
				"repeats": c.Repeats, "runs": len(c.Runs), "failed": c.Failed,
			}
		}
		row["problems"] = cells
		standing = append(standing, row)
	}
	problems := make([]map[string]any, len(a.Problems))
	for i, v := range a.Problems {
		problems[i] = map[string]any{"problem": v.Label, "judged_by": v.By.String(), "lower_is_better": v.Lower, "trials": v.Trials}
	}
	out := map[string]any{
		"arena": a.Name, "headline": a.Headline(), "problems": problems, "standings": standing, "seeds": len(a.File.Seeds),
		"runs": len(a.Results.Rows), "missing": a.Missing, "failures": len(a.Failures),
	}
	if r := a.Ranks; r != nil {
		out["friedman_p"], out["iman_davenport_p"], out["critical_difference"] = clean(r.P), clean(r.PF), clean(r.CD)
	}
	return out
}
