package metric

import "github.com/daedalus-search/daedalus/internal/detmath"

// power is x^w, the same on every platform, since it steers decisions.
func power(x, w float64) float64 { return detmath.Pow(x, w) }
