package figure

// Other pages draw with axes like those of figures: with the same ticks, in the
// same words.

// A Tick is a marked place of an axis. Small ones have no text.
type Tick struct {
	At   float64
	Text string
}

// Fit makes a range that can be drawn of one that may be empty, and leaves room
// at its ends, as a share of it. A logarithmic axis that reaches 0 becomes a
// linear one.
func (a *Axis) Fit(room float64) { a.sound(room) }

// Ticks returns places that people read, about so many of them with a text.
func (a *Axis) Ticks(about float64) []Tick {
	ts := a.ticks(about)
	out := make([]Tick, len(ts))
	for i, t := range ts {
		out[i] = Tick{t.x, t.text}
	}
	return out
}

// At returns where a number stands on an axis that is drawn between two places;
// NaN if nowhere.
func (a *Axis) At(x, from, to float64) float64 { return a.scale(from, to).at(x) }
