package metric
import "testing"
func BenchmarkZZSort(b *testing.B) {
	for name, c := range map[string]struct{ n, m int }{ "100000x2":{100000,2},"100000x3": {100000, 3}, "20000x4": {20000, 4}, "100000x4":{100000,4},"100000x6":{100000,6}} {
		b.Run(name, func(b *testing.B) { p := randomPoints(c.n, c.m); for b.Loop() { NonDominatedSort(p, c.m, nil) } })
	}
}
