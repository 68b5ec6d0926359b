package train

import "time"

const (
	paceReport = 100 * time.Millisecond // between reports of progress
	paceWindow = 5 * time.Second        // over which speed is measured
)

// A pace measures how fast steps are.
type pace struct {
	begun    bool
	last     time.Time // a step's end, or when steps began
	reported time.Time
	steps    []paced // in the window
	loss     float64 // summed since the last report
	count    int
}

type paced struct {
	took     time.Duration
	examples int
}

// step takes the end of a step with others remaining, and returns what there is to
// report when it is due: at the last step, or if there was none lately.
func (p *pace) step(now time.Time, examples int, loss float64, remaining int64) (Progress, bool) {
	if p.begun {
		p.steps = append(p.steps, paced{now.Sub(p.last), examples})
	}
	p.last = now
	p.loss += loss
	p.count++
	if p.begun && remaining > 0 && now.Sub(p.reported) < paceReport {
		return Progress{}, false
	}
	p.begun, p.reported = true, now
	var took time.Duration
	done, from := 0, len(p.steps)
	for from > 0 && (took < paceWindow || from == len(p.steps)) {
		from--
		took += p.steps[from].took
		done += p.steps[from].examples
	}
	p.steps = append(p.steps[:0], p.steps[from:]...)
	r := Progress{Loss: p.loss / float64(p.count)}
	if took > 0 {
		r.PerSecond = float64(done) / took.Seconds()
		r.Remaining = time.Duration(float64(took) / float64(len(p.steps)) * float64(remaining))
	}
	p.loss, p.count = 0, 0
	return r, true
}

// pause says that what took time until now was no step.
func (p *pace) pause(now time.Time) { p.last = now }
