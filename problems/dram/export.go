package dram

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	sim "github.com/daedalus-search/daedalus/hardware/dram"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/space"
)

// Formats returns "mcconfig", which DRAMSys reads, and "json".
func (p *Problem) Formats() []string { return []string{"mcconfig", "json"} }

// Export writes a design as the mcconfig file of DRAMSys, or as JSON with the
// memory, the traces and what was measured.
func (p *Problem) Export(w io.Writer, d space.Design, format string) error {
	c, err := p.Controller(d)
	if err != nil {
		return err
	}
	switch format {
	case "mcconfig":
		text, err := c.MarshalJSON()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s\n", text)
		return err
	case "json":
		v, err := p.measure(context.Background(), c)
		if err != nil {
			return err
		}
		traces := make([]string, len(p.loads))
		for i, l := range p.loads {
			traces[i] = l.Trace
		}
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(struct {
			Memory     string         `json:"memory"`
			Traces     []string       `json:"traces"`
			Controller sim.Controller `json:"controller"`
			Measured   metric.Values  `json:"measured"`
		}{p.memory.Spec.Name, traces, c, v})
	}
	return errFormat(format, p.Formats())
}
