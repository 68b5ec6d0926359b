package pagetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestPictures makes the pictures of the README and of docs/report.md:
//
//	DAEDALUS_PICTURES=docs/img go test ./internal/pagetest -run Pictures
func TestPictures(t *testing.T) {
	if pictures() == "" {
		t.Skip("DAEDALUS_PICTURES names no folder")
	}
	at := func(p *tab, id string) {
		p.until("the figure "+id, fmt.Sprintf("!!document.querySelector('#%s')", id))
		eval[bool](p, fmt.Sprintf("(document.querySelector('#%s').scrollIntoView({block: 'start', behavior: 'instant'}), scrollBy({top: -64, behavior: 'instant'}), true)", id))
		p.run(chromedp.Sleep(700 * time.Millisecond))
	}
	_, html := report(t, "phone-net")
	for _, scheme := range []string{"light", "dark"} {
		p := open(t, fileURL(html))
		p.scheme(scheme)
		p.size(1280, 860)
		p.whole()
		p.run(chromedp.Sleep(700 * time.Millisecond))
		p.shot("summary-" + scheme)
		p.run(chromedp.Navigate(fileURL(html) + "#pick=421&b.latency_ms=0..12&b.accuracy=76..86"))
		p.run(chromedp.Reload())
		p.whole()
		at(p, "front")
		p.shot("report-" + scheme)
	}
	p := open(t, fileURL(html))
	p.size(390, 844)
	p.whole()
	p.run(chromedp.Sleep(700 * time.Millisecond))
	p.shot("phone")

	_, html = report(t, "illuminate")
	p = open(t, fileURL(html))
	p.size(1280, 700)
	p.whole()
	at(p, "history")
	p.shot("archive")

	_, html = report(t, "large")
	p = open(t, fileURL(html)+"#b.accuracy=80..95&b.latency_ms=0..5")
	p.size(1280, 760)
	p.whole()
	at(p, "parallel")
	p.shot("parallel")
	at(p, "space")
	p.shot("space")
}
