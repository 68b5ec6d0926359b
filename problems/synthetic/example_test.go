package synthetic_test

import (
	"context"
	"fmt"

	"github.com/daedalus-search/daedalus/problems/synthetic"
)

func Example() {
	p, err := synthetic.ZDT{Function: 1, Dims: 2}.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	d, err := p.Space().ParseJSON([]byte(`{"x1": 0.25, "x2": 0}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	v, err := p.Evaluate(context.Background(), d, nil)
	fmt.Println(v, err)
	// Output: map[f1:0.25 f2:0.5] <nil>
}
