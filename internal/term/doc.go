// Package term writes for a person at a terminal: aligned tables, one live
// line of progress, numbers with as many digits as say something.
//
//	var t term.Table
//	t.Columns = []term.Column{{Name: "trial", Right: true}, {Name: "latency", Unit: "ms", Right: true}}
//	t.Row("12", term.Number(4.1032))
//	t.Write(os.Stdout, term.Width(os.Stdout))
package term

import (
	"io"
	"os"
	"strconv"

	"golang.org/x/term"
)

// fallbackWidth is what [Width] returns where there is no terminal.
const fallbackWidth = 120

// IsTerminal reports whether w is a terminal that understands cursor movement.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}

// Width returns how many columns w has: of the terminal, or else $COLUMNS, or
// else 120.
func Width(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return n
		}
	}
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n >= 20 {
		return n
	}
	return fallbackWidth
}
