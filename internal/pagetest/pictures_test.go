package pagetest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestPictures makes the pictures of the README and of docs/report.md. Those of edge-vision,
// which takes minutes, are made of a study that was run before:
//
//	GOEXPERIMENT=simd go run ./cmd/daedalus run examples/edge-vision.yaml
//	DAEDALUS_STUDIES=$PWD/examples DAEDALUS_PICTURES=$PWD/docs/img go test ./internal/pagetest -run Pictures
func TestPictures(t *testing.T) {
	if pictures() == "" {
		t.Skip("DAEDALUS_PICTURES names no folder")
	}
	at := func(p *tab, id string) {
		p.until("the figure "+id, fmt.Sprintf("!!document.querySelector('#%s')", id))
		eval[bool](p, fmt.Sprintf("(document.querySelector('#%s').scrollIntoView({block: 'start', behavior: 'instant'}), scrollBy({top: -64, behavior: 'instant'}), true)", id))
		p.run(chromedp.Sleep(2 * time.Second)) // until what changed is drawn, also on a busy machine
	}
	t.Run("phone-net", func(t *testing.T) {
		_, html := report(t, "phone-net")
		for _, scheme := range []string{"light", "dark"} {
			p := open(t, fileURL(html))
			p.scheme(scheme)
			p.size(1280, 860)
			p.whole()
			p.run(chromedp.Sleep(700 * time.Millisecond))
			p.shot("summary-" + scheme)
		}
		p := open(t, fileURL(html))
		p.size(390, 844)
		p.whole()
		p.run(chromedp.Sleep(700 * time.Millisecond))
		p.shot("phone")
	})
	t.Run("edge-vision", func(t *testing.T) {
		html, err := filepath.Abs(filepath.Join(os.Getenv("DAEDALUS_STUDIES"), "edge-vision.html"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(html); err != nil {
			t.Skip("DAEDALUS_STUDIES names no folder with edge-vision.html: ", err)
		}
		for _, scheme := range []string{"light", "dark"} {
			p := open(t, fileURL(html)+"#b.latency_ms=0..0.05&b.accuracy=80.5..83")
			p.scheme(scheme)
			p.size(1280, 860)
			p.whole()
			eval[bool](p, "(document.querySelector('.picks .card').click(), true)") // the knee
			at(p, "front")
			p.shot("report-" + scheme)
		}
	})
	t.Run("illuminate", func(t *testing.T) {
		_, html := report(t, "illuminate")
		p := open(t, fileURL(html))
		p.size(1280, 700)
		p.whole()
		at(p, "history")
		p.shot("archive")
	})
	t.Run("large", func(t *testing.T) {
		_, html := report(t, "large")
		p := open(t, fileURL(html)+"#b.accuracy=80..95&b.latency_ms=0..5")
		p.size(1280, 760)
		p.whole()
		at(p, "parallel")
		p.shot("parallel")
		at(p, "space")
		p.shot("space")
	})
}
