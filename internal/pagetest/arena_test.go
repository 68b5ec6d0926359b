package pagetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/daedalus-search/daedalus/arena"
)

// race runs an arena and writes its report.
func race(t *testing.T, text string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("pages are opened only in full tests")
	}
	f, err := arena.Parse("race.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	res, err := f.Run(t.Context(), arena.Options{Engine: "test"})
	if err != nil {
		t.Fatal(err)
	}
	a, err := arena.Analyse(t.Context(), f, res)
	if err != nil {
		t.Fatal(err)
	}
	a.Command = "daedalus compare " + Hostile
	var b bytes.Buffer
	if err := arena.WriteHTML(&b, a); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "arena.html")
	if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// whatArenasHold is everything at once: names that would run if they could, one
// and several objectives, limits nobody meets, searchers that cannot take part
// or break down, a lottery.
func whatArenasHold() string {
	hostile, _ := json.Marshal(Hostile)
	return fmt.Sprintf(`
problems:
  - {sphere: {dims: 3}, label: %[1]s}
  - {zdt: {dims: 4}}
  - {branin: , objectives: [minimize f], limits: [f <= 0], label: never}
  - {nasbench201: {disconnected: keep}, objectives: [maximize accuracy], label: cells}
searchers:
  - {random: , label: %[2]s}
  - {regularized: {population: 10, sample: 3}}
  - nsga2
  - {grid: , label: a searcher with a label much longer than any table would like it to be}
  - {peer: {command: [sh, -c, 'echo "<script>alert(3)</script>" >&2; exit 3']}, label: broken}
seeds: 3
budget: {trials: 40}
lottery: {settings: 4, seeds: 2}
`, hostile, string(hostile[:len(hostile)-1])+` 2"`)
}

func TestArenaReport(t *testing.T) {
	t.Parallel()
	path := race(t, whatArenasHold())
	for _, look := range []struct {
		name          string
		width, height int64
		scheme        string
	}{{"light", 1280, 900, "light"}, {"dark", 1280, 900, "dark"}, {"phone", 390, 844, "light"}} {
		p := open(t, fileURL(path))
		p.scheme(look.scheme)
		p.size(look.width, look.height)
		if wide := eval[int](p, "document.documentElement.scrollWidth"); wide > int(look.width) {
			t.Errorf("%s: the page is %d wide, the screen %d", look.name, wide, look.width)
		}
		if n := eval[int](p, "document.querySelectorAll('main svg[role=img]').length"); n < 10 {
			t.Errorf("%s: %d drawings", look.name, n)
		}
		if n := eval[int](p, "document.querySelectorAll('main img, main script').length"); n > 0 {
			t.Errorf("%s: %d things that a name made", look.name, n)
		}
		p.shot("arena-" + look.name)
	}
	p := open(t, fileURL(path))
	eval[bool](p, "(document.querySelector('button.chip').click(), true)")
	p.until("a searcher picked out", "document.body.dataset.focus !== undefined && getComputedStyle(document.querySelector('svg .s' + document.body.dataset.focus)).opacity === '1'")
	eval[bool](p, "(document.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape'})), document.getElementById('theme').click(), true)")
	p.until("none picked out", "document.body.dataset.focus === undefined && document.documentElement.dataset.theme === 'dark'")
	_, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
	if err != nil {
		t.Fatal(err)
	}
	if c := eval[string](p, "getComputedStyle(document.body).backgroundColor"); c != "rgb(255, 255, 255)" {
		t.Errorf("the ground of the print is %s, want white", c)
	}
}
