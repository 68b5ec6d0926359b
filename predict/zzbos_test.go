package predict
import ("testing";"math";"github.com/daedalus-search/daedalus/internal/rng")
func zzTable(n int, seed uint64) *Table {
	r := rng.New(seed, "zz", 0)
	t := &Table{Columns: []Column{{Name:"a"},{Name:"b"},{Name:"n"},{Name:"p"},{Name:"w"}}}
	for range n {
		a,b,k := r.Float64(),r.Float64(),r.Float64()
		p := float64(r.IntN(2)); w:=p*r.Float64()
		A,B := 2*a-1,2*b-1
		y := (A-.4)*(A-.4)+2*(B+.3)*(B+.3)+math.Abs(k*64-40)/64+.3*p
		t.Add([]float64{a,b,k,p,w}, y)
	}
	return t
}
func TestZZBos(t *testing.T) {
	test := zzTable(300, 99)
	f := loadFlexi(t)
	for _, n := range []int{20, 40} {
	for name, l := range map[string]Learner{
		"300/.005": BOSHNAS{}, "300/.01": BOSHNAS{Rate:.01}, "300/.02": BOSHNAS{Rate:.02}, "mlp3": MLP{Members:1,Steps:300}, "mlp5": MLP{}, "600/.01": BOSHNAS{Steps:600,Rate:.01},"300/.02w64": BOSHNAS{Rate:.02,Width:64},
	} {
		var q, qf quality
		for s := range 6 {
			m, err := l.Fit(t.Context(), zzTable(n, uint64(s)), uint64(s))
			if err != nil { t.Fatal(err) }
			q.add(judge(m, test), 6)
			tr, h := dataSplit(f.Table, n, 300, uint64(s))
			m, _ = l.Fit(t.Context(), tr, uint64(s))
			qf.add(judge(m, h), 6)
		}
		t.Logf("%d %-10s smooth rho %.2f rmse %.2f nll %.2f   flexi rho %.2f rmse %.2f nll %.2f", n, name, q.Spearman, q.RMSE, q.NLL, qf.Spearman, qf.RMSE, qf.NLL)
	}}
}
