package term

import (
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestNumbers(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		in   []float64
		want []string
	}{
		"percent":    {[]float64{93.4567, 7.25, 61}, []string{"93.46", "7.25", "61.00"}},
		"small":      {[]float64{0.0123456}, []string{"0.01235"}},
		"ms":         {[]float64{4.10321, 0.5}, []string{"4.103", "0.500"}},
		"whole":      {[]float64{16, 100000}, []string{"16", "100,000"}},
		"wide range": {[]float64{1e-9, 1}, []string{"1e-09", "1"}},
		"missing":    {[]float64{math.NaN(), 2}, []string{"-", "2"}},
		"infinite":   {[]float64{math.Inf(1), math.Inf(-1)}, []string{"Inf", "-Inf"}},
		"huge":       {[]float64{1.23456e17}, []string{"1.235e+17"}},
		"zero":       {[]float64{0, math.Copysign(0, -1)}, []string{"0", "0"}},
		"tiny loss":  {[]float64{-0.0000001, 5.25}, []string{"-1e-07", "5.25"}},
		"subnormal":  {[]float64{5e-324, 1e308}, []string{"4.941e-324", "1e+308"}},
		"none":       {nil, []string{}},
	}
	for name, c := range cases {
		if d := cmp.Diff(c.want, Numbers(c.in...)); d != "" {
			t.Errorf("%s: (-want +got)\n%s", name, d)
		}
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	huge, _ := new(big.Int).SetString("234567890123456789", 10)
	cases := map[string][2]string{
		"count":        {Big(big.NewInt(15625)), "15,625"},
		"huge":         {Big(huge), "2.35e+17"},
		"infinite":     {Big(nil), "infinite"},
		"four digits":  {Int(9999), "9999"},
		"negative":     {Int(-1234567), "-1,234,567"},
		"almost all":   {Percent(0.99999), "> 99.9 %"},
		"all":          {Percent(1), "100 %"},
		"part":         {Percent(0.4567), "45.7 %"},
		"hardly any":   {Percent(1e-9), "< 0.1 %"},
		"none":         {Percent(0), "0 %"},
		"seconds":      {Duration(12340 * time.Millisecond), "12.3s"},
		"minutes":      {Duration(125 * time.Second), "2m05s"},
		"hours":        {Duration(3*time.Hour + 4*time.Minute), "3h04m"},
		"days":         {Duration(75 * time.Hour), "3d03h"},
		"fast":         {Rate(123456.7), "123,457/s"},
		"slow":         {Rate(0.5), "30.0/min"},
		"very slow":    {Rate(0.001), "3.6/h"},
		"no rate":      {Rate(0), "-/s"},
		"one":          {Plural(1, "trial"), "1 trial"},
		"many":         {Plural(20000, "trial"), "20,000 trials"},
		"cut":          {Cut("grüße", 3), "gr…"},
		"escape codes": {oneLine("a\x1b[2Jb\nc"), "a [2Jb c"},
	}
	for name, c := range cases {
		if c[0] != c[1] {
			t.Errorf("%s: got %q, want %q", name, c[0], c[1])
		}
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	tab := Table{Columns: []Column{
		{Name: "trial", Right: true},
		{Name: "latency", Unit: "ms", Right: true},
		{Name: "acc", Unit: "%", Group: "not seen by the search", Right: true},
		{Name: "design"},
	}}
	tab.Row("1", "4.10", "93.1", "a=1 b=2 and so on")
	tab.Row("12", "14.10", "9.1", "a=1")
	var b strings.Builder
	if err := tab.Write(&b, 56); err != nil {
		t.Fatal(err)
	}
	want := `                not seen by the search
trial  latency                     acc  design
            ms                       %
    1     4.10                    93.1  a=1 b=2 and so…
   12    14.10                     9.1  a=1
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestLiveWithoutTerminal(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	l := NewLive(&b)
	l.Set("12 trials")
	l.Print("a line")
	l.Clear()
	if got := b.String(); got != "a line\n" {
		t.Errorf("a live line on a file wrote %q", got)
	}
	l.on = true
	l.Set("12 trials")
	l.Print("b")
	l.Clear()
	if got, want := b.String(), "a line\n\r\x1b[K12 trials\r\x1b[Kb\n12 trials\r\x1b[K"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
