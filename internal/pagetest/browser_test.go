package pagetest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser starts one Chromium for all tests, or says why there is none.
var browser = sync.OnceValues(func() (context.Context, error) {
	path := os.Getenv("DAEDALUS_CHROMIUM")
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path != "" {
			break
		}
		path, _ = exec.LookPath(name)
	}
	if path == "" {
		return nil, fmt.Errorf("no Chromium: install Debian's chromium, or name one in DAEDALUS_CHROMIUM")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-quic", true), chromedp.Flag("hide-scrollbars", true),
	)
	allocator, _ := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	stop = func() { cancel() }
	_, err := chromedp.Run(ctx, chromedp.Navigate("about:blank"))
	return ctx, err
})

var stop = func() {}

func TestMain(m *testing.M) {
	code := m.Run()
	stop() // and waits until Chromium has ended
	clean()
	os.Exit(code)
}

// A tab is a page in the browser, with everything that went wrong in it.
type tab struct {
	t   testing.TB
	ctx context.Context

	mu     sync.Mutex
	faults []string
}

// open opens a page in a tab of its own. It skips the test if there is no
// browser, unless DAEDALUS_BROWSER_TESTS=1 says that there must be one.
func open(t testing.TB, url string, before ...chromedp.Action[chromedp.Void]) *tab {
	t.Helper()
	if testing.Short() {
		t.Skip("pages are opened only in full tests")
	}
	b, err := browser()
	if err != nil {
		if os.Getenv("DAEDALUS_BROWSER_TESTS") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	ctx, cancel := chromedp.NewContext(b)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	p := &tab{t: t, ctx: ctx}
	err = chromedp.Listen(ctx, func(e any) {
		fault := ""
		switch e := e.(type) {
		case *runtime.EventExceptionThrown:
			fault = "exception: " + e.ExceptionDetails.Text
			if x := e.ExceptionDetails.Exception; x != nil {
				fault += " " + x.Description
			}
		case *runtime.EventConsoleAPICalled:
			if e.Type == "error" || e.Type == "warning" {
				fault = "console." + string(e.Type)
				for _, a := range e.Args {
					fault += " " + string(a.Value)
				}
			}
		case *cdplog.EventEntryAdded:
			if e.Entry.Level == "error" {
				fault = "log: " + e.Entry.Text + " " + e.Entry.URL
			}
		case *page.EventJavascriptDialogOpening:
			fault = "a dialog: " + e.Message
		}
		if fault != "" && !strings.Contains(fault, "favicon") {
			p.mu.Lock()
			p.faults = append(p.faults, fault)
			p.mu.Unlock()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, f := range p.faults {
			t.Errorf("%.120s: %.500s", url, f)
		}
	})
	p.size(1280, 900)
	p.run(append(before, chromedp.Navigate(url), chromedp.WaitVisible("main h1, main h2, main p"))...)
	return p
}

func (p *tab) run(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, actions...); err != nil {
		p.t.Fatal(err)
	}
}

func (p *tab) size(width, height int64) {
	p.t.Helper()
	p.run(chromedp.EmulateViewport(width, height))
}

// scheme, light or dark, is what the system is said to prefer.
func (p *tab) scheme(name string) {
	p.t.Helper()
	_, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

// eval evaluates an expression in the page.
func eval[T any](p *tab, js string) T {
	p.t.Helper()
	out, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%.200s: %v", js, err)
	}
	return out
}

// until waits until an expression is true.
func (p *tab) until(what, js string) {
	p.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !eval[bool](p, js) {
		if time.Now().After(deadline) {
			p.shot("failed-" + strings.Map(func(r rune) rune {
				if r >= 'a' && r <= 'z' {
					return r
				}
				return '-'
			}, strings.ToLower(what)))
			p.t.Fatalf("waited for %s: %s is still false", what, js)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// box returns the place and size of an element, scrolled into view.
func (p *tab) box(selector string) (x, y, width, height float64) {
	p.t.Helper()
	r := eval[[]float64](p, fmt.Sprintf(`(() => {
		const e = document.querySelector(%q)
		if (!e) return []
		e.scrollIntoView({block: 'center', behavior: 'instant'})
		const r = e.getBoundingClientRect()
		return [r.x, r.y, r.width, r.height]
	})()`, selector))
	if len(r) != 4 {
		p.t.Fatalf("there is no %s", selector)
	}
	return r[0], r[1], r[2], r[3]
}

// pictures is where screenshots go: the folder that DAEDALUS_PICTURES names.
func pictures() string { return os.Getenv("DAEDALUS_PICTURES") }

// shot keeps a picture of what is on the screen, if somebody asked for pictures.
func (p *tab) shot(name string) {
	p.t.Helper()
	if pictures() == "" {
		return
	}
	p.run(chromedp.Sleep(150 * time.Millisecond))
	ctx, cancel := context.WithTimeout(p.ctx, 20*time.Second)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil { // a picture for people, not a claim
		p.t.Logf("no picture %s: %v", name, err)
		return
	}
	if err := os.MkdirAll(pictures(), 0o777); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(pictures(), name+".png"), png, 0o666); err != nil {
		p.t.Fatal(err)
	}
}
