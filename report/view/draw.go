package view

import (
	"bytes"
	"context"
	"fmt"

	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/report"
)

// Bounds of the drawings in a page.
const (
	mostDrawings     = 240
	mostDrawingBytes = 1_500_000
)

// draw draws the designs that somebody will look at first: those the answer
// names, the front, the archive, and the map.
func (b *builder) draw(context.Context) error {
	missing := func(why string) error {
		b.view.Missing["drawings"] = why
		return nil
	}
	if b.space == nil {
		return missing("The study does not say what its designs may be, so they cannot be drawn.")
	}
	draw := report.DrawDesign
	if d, ok := b.src.Problem.(problem.Drawer); ok {
		draw = d.Draw
	}
	var order []int
	seen := map[int]bool{}
	add := func(row int) {
		if row >= 0 && !seen[row] && len(order) < mostDrawings {
			seen[row] = true
			order = append(order, row)
		}
	}
	add(b.view.Front.Knee)
	for _, k := range spread(len(b.view.Front.Rows), mostDrawings/2, nil) {
		add(b.view.Front.Rows[k])
	}
	if a := b.view.Archive; a != nil {
		for _, e := range a.Elites {
			add(e.Row)
		}
	}
	if m := b.view.Map; m != nil {
		for _, k := range spread(len(m.Rows), mostDrawings/2, nil) {
			add(m.Rows[k])
		}
	}
	out := &Drawings{}
	var pictures []string
	size := 0
	for _, row := range order {
		design, err := b.space.ParseJSON(b.rows.designs[row])
		if err != nil {
			continue
		}
		var svg bytes.Buffer
		if err := draw(&svg, design); err != nil {
			return fmt.Errorf("view: drawing trial %d: %w", b.rows.numbers[row], err)
		}
		if size += svg.Len(); size > mostDrawingBytes && len(pictures) > 0 {
			break
		}
		out.Rows = append(out.Rows, row)
		pictures = append(pictures, svg.String())
	}
	if len(pictures) == 0 {
		return missing(b.nothing())
	}
	blk, err := text(pictures)
	if err != nil {
		return err
	}
	b.view.Drawings = out
	b.view.blocks["drawings"] = blk
	return nil
}
