package dram

import (
	"io"

	"github.com/daedalus-search/daedalus/internal/diagram"
	"github.com/daedalus-search/daedalus/space"
)

// Draw draws the controller.
func (p *Problem) Draw(w io.Writer, d space.Design) error {
	if _, err := p.Controller(d); err != nil {
		return err
	}
	var c diagram.Canvas
	return c.WriteSVG(w, 10, 10, "controller")
}
