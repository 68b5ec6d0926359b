package diagram

import (
	"fmt"
	"strings"
)

// A Colour is one of five that keep apart for people who see few colours, on
// light and on dark ground. A drawing never says anything by colour alone.
type Colour uint8

// The colours.
const (
	Grey Colour = iota
	Blue
	Orange
	Green
	Purple
)

var colours = [...]struct{ name, light, dark string }{
	Grey:   {"grey", "#57606a", "#9da7b3"},
	Blue:   {"blue", "#3b6fb6", "#6ea8fe"},
	Orange: {"orange", "#b4540a", "#f0883e"},
	Green:  {"green", "#1a7f4b", "#3fb97a"},
	Purple: {"purple", "#7a4fb5", "#b392f0"},
}

// String returns the name by which classes call the colour.
func (c Colour) String() string {
	if int(c) < len(colours) {
		return colours[c].name
	}
	return colours[Grey].name
}

// The classes that a drawing may use, besides those of the five colours:
// fill-blue, line-blue and tint-blue.
const (
	Muted  = "muted"  // of a text: says less
	Small  = "small"  // of a text: 11.5 instead of 13 pixels
	Strong = "strong" // of a text: semibold
	Mono   = "mono"   // of a text: all characters equally wide
	Middle = "middle" // of a text: x is its middle
	End    = "end"    // of a text: x is its end
	On     = "on"     // of a text: stands on a shape filled with a colour
	Panel  = "panel"  // of a shape: a ground with a border, set off from the page
	Card   = "card"   // of a shape: a ground with a border, set off from a panel
	Rule   = "rule"   // of a line: separates or connects, hairline
	Track  = "track"  // of a shape: what a value moves on
	Knob   = "knob"   // of a shape: what moves on it
	Faint  = "faint"  // of anything: half there
	Dotted = "dotted" // of a line
)

// Sizes of texts.
const (
	TextSize  = 13.0
	SmallSize = 11.5
)

const (
	sans = `system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif`
	mono = `ui-monospace,SFMono-Regular,Menlo,Consolas,monospace`
)

// stylesheet is what all drawings share. Every rule is limited to class dd, so
// that drawings can stand inside a page; there are no variables because few
// programs besides browsers know them.
var stylesheet = func() string {
	var b strings.Builder
	b.WriteString(".dd:root{background:#fff}") // a file of its own has its own ground
	fmt.Fprintf(&b, ".dd text{font:%gpx %s;fill:#1f2328}", TextSize, sans)
	fmt.Fprintf(&b, ".dd .small{font-size:%gpx}.dd .strong{font-weight:600}.dd .mono{font-family:%s}", SmallSize, mono)
	fmt.Fprintf(&b, ".dd .pill{font-size:%gpx;font-weight:500}", pillText)
	b.WriteString(".dd .middle{text-anchor:middle}.dd .end{text-anchor:end}")
	b.WriteString(".dd .muted{fill:#59636e}.dd .on{fill:#fff}")
	b.WriteString(".dd .panel{fill:#f6f8fa;stroke:#d0d7de}.dd .card{fill:#fff;stroke:#d0d7de}")
	b.WriteString(".dd .node{fill:#f6f8fa;stroke:#57606a;stroke-width:1.5}")
	b.WriteString(".dd .rule{fill:none;stroke:#d0d7de}.dd .track{fill:#d0d7de}.dd .knob{fill:#fff}")
	b.WriteString(".dd .faint{opacity:.45}.dd .dotted{stroke-dasharray:.1 5;stroke-linecap:round}")
	for _, c := range colours {
		fmt.Fprintf(&b, ".dd .fill-%[1]s{fill:%[2]s}.dd .line-%[1]s{fill:none;stroke:%[2]s;stroke-width:2}.dd .tint-%[1]s{fill:%[2]s;fill-opacity:.12}", c.name, c.light)
	}
	b.WriteString("\n@media (prefers-color-scheme:dark){") // on the ground of the report (web/src/style.css)
	b.WriteString(".dd:root{background:#14171b}.dd text{fill:#e6edf3}.dd .muted{fill:#9198a1}.dd .on{fill:#14171b}")
	b.WriteString(".dd .panel{fill:#161b22;stroke:#30363d}.dd .card{fill:#14171b;stroke:#30363d}")
	b.WriteString(".dd .node{fill:#161b22;stroke:#9da7b3}")
	b.WriteString(".dd .rule{stroke:#30363d}.dd .track{fill:#3d444d}.dd .knob{fill:#e6edf3}")
	for _, c := range colours {
		fmt.Fprintf(&b, ".dd .fill-%[1]s{fill:%[2]s}.dd .line-%[1]s{stroke:%[2]s}.dd .tint-%[1]s{fill:%[2]s;fill-opacity:.18}", c.name, c.dark)
	}
	b.WriteString("}")
	return b.String()
}()
