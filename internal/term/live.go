package term

import (
	"fmt"
	"io"
	"sync"
)

// A Live is one line at the bottom of a terminal that is written over and
// over. Other output goes through [Live.Print], which keeps the line below it.
// On anything but a terminal Set does nothing.
type Live struct {
	mu   sync.Mutex
	w    io.Writer
	on   bool
	line string
}

// NewLive makes a live line on w.
func NewLive(w io.Writer) *Live { return &Live{w: w, on: IsTerminal(w)} }

// On reports whether there is a terminal.
func (l *Live) On() bool { return l.on }

const eraseLine = "\r\x1b[K"

// Set replaces the line.
func (l *Live) Set(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.on {
		return
	}
	l.line = Cut(oneLine(line), Width(l.w)-1)
	fmt.Fprint(l.w, eraseLine+l.line)
}

// Print writes a line of its own.
func (l *Live) Print(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.line == "" {
		fmt.Fprintln(l.w, line)
		return
	}
	fmt.Fprint(l.w, eraseLine+line+"\n"+l.line)
}

// Clear takes the line away.
func (l *Live) Clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.line != "" {
		fmt.Fprint(l.w, eraseLine)
		l.line = ""
	}
}
