package train

import (
	"math"
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	t.Parallel()
	var p pace
	now := time.Unix(0, 0)
	got, due := p.step(now, 10, 3, 99)
	if !due || got.Loss != 3 || got.PerSecond != 0 || got.Remaining != 0 {
		t.Errorf("the first step reports %+v, %v", got, due)
	}
	// Ten examples every 20 ms: every fifth step reports.
	reports := 0
	for k := range int64(50) {
		now = now.Add(20 * time.Millisecond)
		got, due = p.step(now, 10, float64(k), 98-k)
		if !due {
			continue
		}
		reports++
		if want := float64(k) - 2; got.Loss != want || math.Abs(got.PerSecond-500) > 1e-9 || (got.Remaining-time.Duration(98-k)*20*time.Millisecond).Abs() > time.Microsecond {
			t.Errorf("step %d reports %+v, want a loss of %v and 500 a second", k, got, want)
		}
	}
	if reports != 10 {
		t.Errorf("%d reports in a second, want 10", reports)
	}
	// What is no step does not slow the pace, and a faster pace shows after 5 s.
	now = now.Add(time.Hour)
	p.pause(now)
	for range 600 {
		now = now.Add(10 * time.Millisecond)
		got, _ = p.step(now, 10, 0, 48)
	}
	for got.PerSecond == 0 {
		now = now.Add(10 * time.Millisecond)
		got, _ = p.step(now, 10, 0, 48)
	}
	if math.Abs(got.PerSecond-1000) > 1e-9 {
		t.Errorf("%v a second, want 1000", got.PerSecond)
	}
	if _, due := p.step(now, 10, 0, 0); !due {
		t.Error("the last step reports nothing")
	}
}
