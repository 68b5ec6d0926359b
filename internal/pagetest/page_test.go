package pagetest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/daedalus-search/daedalus/internal/cli"
	"github.com/daedalus-search/daedalus/report/view"
	"github.com/daedalus-search/daedalus/store"
)

// studies are the studies whose pages are looked at.
var studies = []struct {
	name   string
	trials int
	python bool
}{
	{name: "phone-net", trials: 500},
	{name: "conditional", trials: 120, python: true},
	{name: "grammar", trials: 300, python: true},
	{name: "illuminate", trials: 2000},
	{name: "large", trials: 100_000},
}

// folder holds the studies and their pages; they are made once.
var folder = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "daedalus-pages-")
	if err != nil {
		return "", err
	}
	clean = func() { _ = os.RemoveAll(dir) }
	return dir, nil
})

var clean = func() {}

var made sync.Map // name → *sync.Once

// command runs a command of ours.
func command(t testing.TB, args ...string) []byte {
	t.Helper()
	var out, errs bytes.Buffer
	if code := cli.Run(context.Background(), args, strings.NewReader(""), &out, &errs); code != 0 {
		t.Fatalf("daedalus %v: exit %d: %s", args, code, errs.Bytes())
	}
	return out.Bytes()
}

// report makes a study and its page, and returns their paths. Those that there are in the
// folder that DAEDALUS_STUDIES names are taken from there.
func report(t testing.TB, name string) (db, html string) {
	t.Helper()
	there := filepath.Join(os.Getenv("DAEDALUS_STUDIES"), name)
	if _, err := os.Stat(there + ".html"); err == nil && os.Getenv("DAEDALUS_STUDIES") != "" {
		there, err = filepath.Abs(there)
		if err != nil {
			t.Fatal(err)
		}
		return there + ".db", there + ".html"
	}
	dir, err := folder()
	if err != nil {
		t.Fatal(err)
	}
	db, html = filepath.Join(dir, name+".db"), filepath.Join(dir, name+".html")
	once, _ := made.LoadOrStore(name, new(sync.Once))
	once.(*sync.Once).Do(func() {
		if name == "large" {
			if err := Large(context.Background(), db, 100_000, 1); err != nil {
				t.Fatal(err)
			}
			command(t, "report", db, "-o", html, "-q")
			return
		}
		command(t, "run", filepath.Join("..", "..", "examples", name+".yaml"), "--out", dir, "-q")
	})
	if _, err := os.Stat(html); err != nil {
		t.Fatal(err)
	}
	return db, html
}

func fileURL(path string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path)}).String()
}

// whole waits until every section is there and nothing waits for data.
func (p *tab) whole() {
	p.t.Helper()
	p.until("all sections", `document.querySelectorAll('#fronts, #why, #how, #designs, #trials, #front, #trial-table').length === 7`)
	p.until("the first plot", `!!document.querySelector('#front canvas, #front .absent')`)
}

// walk brings every figure onto the screen and returns those that show nothing.
func (p *tab) walk() []string {
	p.t.Helper()
	return eval[[]string](p, `(async () => {
		const empty = []
		for (const f of document.querySelectorAll('.figure')) {
			f.scrollIntoView({block: 'center', behavior: 'instant'})
			let ok = false
			for (let i = 0; i < 200 && !ok; i++) {
				await new Promise((done) => setTimeout(done, 25))
				const inked = [...f.querySelectorAll('canvas')].map((c) => {
					if (!c.width || !c.height) return false
					const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data
					for (let k = 3; k < d.length; k += 4) if (d[k]) return true
					return false
				})
				ok = inked.length ? inked.some(Boolean) : !!f.querySelector('svg, table, img, [role=row], .absent, li, button, .tile, p')
			}
			if (!ok) empty.push(f.id)
		}
		scrollTo(0, 0)
		return empty
	})()`)
}

// TestReportsShowWhatTheyPromise opens the pages of five studies, looks at every
// figure in light, dark and at the width of a phone.
func TestReportsShowWhatTheyPromise(t *testing.T) {
	for _, s := range studies {
		t.Run(s.name, func(t *testing.T) {
			if s.python {
				if _, err := exec.LookPath("python3"); err != nil {
					t.Skip("the example needs python3")
				}
			}
			if testing.Short() && s.name == "large" {
				t.Skip("100,000 trials")
			}
			_, html := report(t, s.name)
			p := open(t, fileURL(html))
			p.whole()
			if title := eval[string](p, "document.title"); title != s.name {
				t.Errorf("the title is %q, want %q", title, s.name)
			}
			if text := eval[string](p, "document.querySelector('#summary').innerText"); !strings.Contains(text, "Among ") || !strings.Contains(text, "?") {
				t.Errorf("the summary has no question: %.300q", text)
			}
			if empty := p.walk(); len(empty) > 0 {
				t.Errorf("figures without anything in them: %v", empty)
			}
			for _, id := range []string{"front", "history", "importance", "slices", "contour", "space", "map", "trial-table"} {
				if eval[bool](p, fmt.Sprintf("!document.querySelector('#%s') || !!document.querySelector('#%s .absent')", id, id)) && !(s.name == "grammar" && id == "contour") {
					t.Errorf("figure %s is not drawn", id)
				}
			}
			if has := eval[bool](p, "!!document.querySelector('#archive canvas, #archive svg')"); has != (s.name == "illuminate") {
				t.Errorf("an archive is shown: %t", has)
			}
			for _, look := range []struct {
				name          string
				scheme        string
				width, height int64
			}{
				{"light", "light", 1280, 900}, {"dark", "dark", 1280, 900}, {"phone", "light", 390, 844}, {"phone-dark", "dark", 390, 844},
			} {
				p.size(look.width, look.height)
				p.scheme(look.scheme)
				// Plots follow a new width a frame or two later.
				p.until(look.name+": a page no wider than the screen", fmt.Sprintf("document.documentElement.scrollWidth <= %d", look.width))
				ground := eval[string](p, "getComputedStyle(document.body).backgroundColor")
				if dark := ground != "rgb(255, 255, 255)"; dark != (look.scheme == "dark") {
					t.Errorf("%s: the ground is %s", look.name, ground)
				}
				for _, id := range []string{"summary", "front", "history", "parallel", "importance", "slices", "contour", "archive", "space", "timeline", "lineage", "map", "gallery", "trial-table"} {
					if pictures() == "" || !eval[bool](p, fmt.Sprintf("!!document.querySelector('#%s')", id)) {
						continue
					}
					eval[bool](p, fmt.Sprintf("(document.querySelector('#%s').scrollIntoView({block: 'start', behavior: 'instant'}), scrollBy({top: -60, behavior: 'instant'}), true)", id))
					p.shot(s.name + "-" + look.name + "-" + id)
				}
			}
		})
	}
}

// selected returns how many trials the page says are selected, and of how many.
func (p *tab) selected() (n, of int) {
	p.t.Helper()
	text := eval[string](p, "document.querySelector('.selection b')?.innerText ?? ''")
	words := strings.Fields(strings.ReplaceAll(text, ",", ""))
	if len(words) < 3 {
		p.t.Fatalf("the page says %q is selected", text)
	}
	n, err1 := strconv.Atoi(words[0])
	of, err2 := strconv.Atoi(words[2])
	if err1 != nil || err2 != nil {
		p.t.Fatalf("the page says %q is selected", text)
	}
	return n, of
}

// drag moves the pressed mouse from one place to another in steps.
func (p *tab) drag(x0, y0, x1, y1 float64, steps int) {
	p.t.Helper()
	p.run(chromedp.MouseEvent(input.DispatchMouseEventTypeMousePressed, x0, y0, chromedp.ButtonLeft))
	for i := 1; i <= steps; i++ {
		f := float64(i) / float64(steps)
		p.run(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x0+(x1-x0)*f, y0+(y1-y0)*f, chromedp.ButtonLeft))
	}
	p.run(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseReleased, x1, y1, chromedp.ButtonLeft))
}

// brushes reads the ranges in the address.
func (p *tab) brushes() map[string][2]float64 {
	p.t.Helper()
	p.run(chromedp.Sleep(400 * time.Millisecond)) // the address follows with a delay
	q, err := url.ParseQuery(strings.TrimPrefix(eval[string](p, "location.hash"), "#"))
	if err != nil {
		p.t.Fatal(err)
	}
	out := map[string][2]float64{}
	for key, values := range q {
		name, ok := strings.CutPrefix(key, "b.")
		if !ok {
			continue
		}
		low, high, _ := strings.Cut(values[0], "..")
		a, err1 := strconv.ParseFloat(low, 64)
		b, err2 := strconv.ParseFloat(high, 64)
		if err1 != nil || err2 != nil {
			p.t.Fatalf("brush %s is %q", name, values[0])
		}
		out[name] = [2]float64{a, b}
	}
	return out
}

// inside counts the trials whose values lie in every range.
func inside(t *testing.T, db string, ranges map[string][2]float64) (n int) {
	t.Helper()
	st, err := store.OpenRead(context.Background(), db)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for tr, err := range st.Trials(context.Background(), store.Filter{NoSteps: true}) {
		if err != nil {
			t.Fatal(err)
		}
		in := true
		for name, r := range ranges {
			x, ok := tr.Values[name]
			in = in && ok && x >= r[0] && x <= r[1]
		}
		if in {
			n++
		}
	}
	return n
}

// TestBrushingSelectsEverywhere drags a rectangle over the front and looks at
// what follows it.
func TestBrushingSelectsEverywhere(t *testing.T) {
	db, html := report(t, "phone-net")
	p := open(t, fileURL(html))
	p.whole()
	x, y, w, h := p.box("#front canvas")
	p.drag(x+w*0.35, y+h*0.2, x+w*0.8, y+h*0.8, 8)
	p.until("a selection", "!!document.querySelector('.selection b')")
	n, of := p.selected()
	ranges := p.brushes()
	if len(ranges) != 2 || of != 500 {
		t.Fatalf("brushes %v of %d trials", ranges, of)
	}
	// The address has seven digits, so a trial at the very edge may differ.
	if want := inside(t, db, ranges); math.Abs(float64(n-want)) > 1 || n == 0 || n == of {
		t.Errorf("%d trials are selected, %d lie in %v", n, want, ranges)
	}
	p.box("#trial-table")
	p.until("the table to follow", fmt.Sprintf(`document.querySelector('#trial-table h3').innerText.startsWith('%d of 500')`, n))
	p.shot("brushed")

	// The same address shows the same to somebody else.
	q := open(t, eval[string](p, "location.href"))
	q.whole()
	q.until("the selection of the address", "!!document.querySelector('.selection b')")
	if k, _ := q.selected(); k != n {
		t.Errorf("with the address of a view %d trials are selected, want %d", k, n)
	}

	// An axis of the parallel coordinates takes part.
	eval[bool](p, `([...document.querySelectorAll('.selection button')].find((b) => b.innerText === 'clear all').click(), true)`)
	p.until("nothing selected", "!document.querySelector('.selection')")
	x, y, w, h = p.box("#parallel canvas")
	for dx := 0.0; dx < w/3; dx += 6 { // find an axis
		p.drag(x+dx, y+h*0.3, x+dx, y+h*0.6, 3)
		if eval[bool](p, "!!document.querySelector('.selection b')") {
			break
		}
	}
	p.until("a brushed axis", "!!document.querySelector('.selection b')")
	if n, _ := p.selected(); len(p.brushes()) != 1 || n == 500 {
		t.Errorf("after a drag on an axis: %v, %d trials", p.brushes(), n)
	}
	p.run(chromedp.KeyEvent(kb.Escape))
	p.until("nothing selected after Escape", "!document.querySelector('.selection')")
}

// filter types a condition into the empty filter.
func (p *tab) filter(where string) {
	p.t.Helper()
	eval[bool](p, "(document.querySelector('#filter').focus(), document.querySelector('#filter').select(), true)")
	p.run(chromedp.SendKeys("#filter", where), chromedp.KeyEvent(kb.Enter))
}

// TestFilterSaysWhatTheCommandSays types conditions and counts.
func TestFilterSaysWhatTheCommandSays(t *testing.T) {
	db, html := report(t, "phone-net")
	p := open(t, fileURL(html))
	p.whole()
	for _, where := range []string{
		"latency_ms < 5 and accuracy > 70", "state == infeasible", "number in [1, 2, 500]", "not (params_m <= 0.5) or flops_m < 20", "edge_0_1 == nor_conv_3x3",
	} {
		var rows []json.RawMessage
		if err := json.Unmarshal(command(t, "trials", db, "--where", where, "--format", "json"), &rows); err != nil {
			t.Fatal(err)
		}
		p.filter(where)
		p.until("the filter "+where, fmt.Sprintf(`document.querySelector('.selection b')?.innerText.startsWith('%d of 500') ?? false`, len(rows)))
	}
	// A mistake is shown where it is, and nothing else changes.
	p.filter("latency_mss < 5")
	p.until("the mistake", `document.querySelector('[role=alert]')?.innerText.includes('latency_ms') ?? false`)
	p.shot("filter-mistake")
}

// TestADesignInFull picks a design, moves on by keys and compares two.
func TestADesignInFull(t *testing.T) {
	_, html := report(t, "phone-net")
	p := open(t, fileURL(html))
	p.whole()
	p.run(chromedp.Click("#front-table tbody tr"))
	p.until("the design", `[...document.querySelectorAll('aside, [role=dialog], .detail')].some((e) => /trial \d+/i.test(e.innerText))`)
	text := eval[string](p, `[...document.querySelectorAll('aside, [role=dialog], .detail')].map((e) => e.innerText).join('\n')`)
	for _, want := range []string{"accuracy", "latency_ms", "edge_0_1"} {
		if !strings.Contains(text, want) {
			t.Errorf("the design says nothing of %s: %.400q", want, text)
		}
	}
	p.until("the drawing", `[...document.querySelectorAll('aside img, .detail img')].some((i) => i.src.startsWith('data:image/svg') && i.naturalWidth > 0)`)
	p.shot("design")
	if hash := eval[string](p, "new Promise((done) => setTimeout(() => done(location.hash), 400))"); !strings.Contains(hash, "pick=") {
		t.Errorf("the address %q does not name the design", hash)
	}
	p.run(chromedp.KeyEvent(kb.Escape))
	p.until("no design after Escape", `![...document.querySelectorAll('aside, .detail')].some((e) => /trial \d+/i.test(e.innerText))`)
}

// TestTableOfAHundredThousand sorts and scrolls the largest table.
func TestTableOfAHundredThousand(t *testing.T) {
	if testing.Short() {
		t.Skip("100,000 trials")
	}
	_, html := report(t, "large")
	p := open(t, fileURL(html))
	p.whole()
	p.box("#trial-table")
	p.until("rows", "document.querySelectorAll('#trial-table [role=row]').length > 5")
	if n := eval[int](p, "document.querySelectorAll('#trial-table [role=row]').length"); n > 100 {
		t.Errorf("%d rows stand in the page, want only those on the screen", n)
	}
	eval[bool](p, `(() => {
		const head = [...document.querySelectorAll('#trial-table [role=columnheader]')].find((h) => h.innerText.includes('accuracy'))
		;(head.querySelector('button') ?? head).click()
		return true
	})()`)
	p.until("the best first", `(() => {
		const heads = [...document.querySelectorAll('#trial-table [role=columnheader]')].map((h) => h.innerText)
		const k = heads.findIndex((h) => h.includes('accuracy'))
		const rows = [...document.querySelectorAll('#trial-table .line')].sort((a, b) => a.offsetTop - b.offsetTop)
		const xs = rows.map((r) => parseFloat(r.children[k]?.innerText)).filter((x) => !isNaN(x))
		return xs.length > 5 && xs.every((x, i) => i === 0 || x <= xs[i - 1])
	})()`)
	p.shot("large-sorted")
}

// TestOddStudiesRunNothing opens the pages of studies with next to nothing, too
// much, or hostile text in them.
func TestOddStudiesRunNothing(t *testing.T) {
	odd, err := Odd(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, o := range odd {
		t.Run(name, func(t *testing.T) {
			v, err := view.New(t.Context(), view.Source{Store: o.Store, Goal: o.Goal, Made: time.Now(), File: Hostile})
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if err := view.WriteHTML(&b, v); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".html")
			if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
				t.Fatal(err)
			}
			p := open(t, fileURL(path))
			p.whole()
			if empty := p.walk(); len(empty) > 0 {
				t.Errorf("figures without anything in them: %v", empty)
			}
			if n := eval[int](p, "document.querySelectorAll('img[onerror], body script:not([type]):not([id])').length"); n > 0 {
				t.Errorf("%d elements came out of text", n)
			}
			if wide := eval[int](p, "document.documentElement.scrollWidth"); wide > 1280 {
				t.Errorf("the page is %d pixels wide", wide)
			}
			p.shot("odd-" + strings.ReplaceAll(name, " ", "-"))
		})
	}
}

// TestServedPageIsTheSame feeds the page from a server instead.
func TestServedPageIsTheSame(t *testing.T) {
	odd, err := Odd(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	v, err := view.New(t.Context(), view.Source{Store: odd["300 parameters"].Store, Goal: odd["300 parameters"].Goal, Made: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(view.Handler(func(*http.Request) (*view.View, error) { return v, nil }))
	defer server.Close()
	p := open(t, server.URL)
	p.whole()
	if empty := p.walk(); len(empty) > 0 {
		t.Errorf("figures without anything in them: %v", empty)
	}
}

// TestPrints makes a PDF of a page.
func TestPrints(t *testing.T) {
	_, html := report(t, "phone-net")
	p := open(t, fileURL(html))
	p.whole()
	pdf, err := chromedp.Run(p.ctx, chromedp.PrintToPDF())
	if err != nil {
		t.Fatal(err)
	}
	if pages := len(regexp.MustCompile(`/Type\s*/Page\b[^s]`).FindAll(pdf, -1)); pages == 0 || pages > 20 {
		t.Errorf("%d bytes, %d pages", len(pdf), pages)
	}
	if pictures() != "" {
		if err := os.WriteFile(filepath.Join(pictures(), "phone-net.pdf"), pdf, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// BenchmarkReport writes the page of 100,000 trials.
func BenchmarkReport(b *testing.B) {
	db, _ := report(b, "large")
	out := filepath.Join(b.TempDir(), "large.html")
	for b.Loop() {
		command(b, "report", db, "-o", out, "-q")
	}
	info, err := os.Stat(out)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size())/1e6, "MB")
}

// BenchmarkPage opens the page of 100,000 trials: how long until something is
// painted and until every section is there, and how many frames a second follow
// a brush.
func BenchmarkPage(b *testing.B) {
	_, html := report(b, "large")
	var paint, whole, frames, slowest []float64
	for b.Loop() {
		p := open(b, fileURL(html))
		p.whole()
		paint = append(paint, eval[float64](p, "performance.getEntriesByName('first-contentful-paint')[0].startTime"))
		whole = append(whole, eval[float64](p, "performance.now()"))
		for _, figure := range []string{"#front canvas", "#parallel canvas"} {
			x, y, w, h := p.box(figure)
			p.run(chromedp.Sleep(1500 * time.Millisecond))
			eval[bool](p, `(() => {
				window.frames_ = []
				const tick = (t) => { window.frames_.push(t); window.ticking = requestAnimationFrame(tick) }
				requestAnimationFrame(tick)
				return true
			})()`)
			if figure == "#front canvas" {
				p.drag(x+w*0.3, y+h*0.2, x+w*0.8, y+h*0.8, 120)
			} else {
				for dx := 0.0; dx < w/3; dx += 6 {
					p.drag(x+dx, y+h*0.2, x+dx, y+h*0.7, 2)
					if len(p.brushes()) == 3 {
						p.drag(x+dx, y+h*0.1, x+dx, y+h*0.8, 120)
						break
					}
				}
			}
			ts := eval[[]float64](p, "(cancelAnimationFrame(window.ticking), window.frames_)")
			if len(ts) > 2 {
				frames = append(frames, 1000*float64(len(ts)-1)/(ts[len(ts)-1]-ts[0]))
				worst := 0.0
				for i := range ts[1:] {
					worst = max(worst, ts[i+1]-ts[i])
				}
				slowest = append(slowest, worst)
			}
		}
	}
	median := func(xs []float64) float64 {
		if len(xs) == 0 {
			return math.NaN()
		}
		slices.Sort(xs)
		return xs[len(xs)/2]
	}
	b.ReportMetric(median(paint), "ms-to-first-paint")
	b.ReportMetric(median(whole), "ms-to-whole")
	b.ReportMetric(median(frames), "frames/s")
	b.ReportMetric(median(slowest), "ms-slowest-frame")
	b.ReportMetric(0, "ns/op")
}
