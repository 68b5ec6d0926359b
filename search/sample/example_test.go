package sample_test

import (
	"fmt"

	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/sample"
	"github.com/daedalus-search/daedalus/space"
)

func ExampleGrid() {
	sp := space.MustNew(space.Ordinal("kernel", 3, 5), space.Bool("norm"))
	s, err := sample.Grid{}.New(search.Setup{Space: sp, Seed: 7})
	if err != nil {
		panic(err)
	}
	proposals, _ := s.Ask(100)
	_, err = s.Ask(1)
	fmt.Println(len(proposals), "points, then:", err)
	// Output: 4 points, then: search: nothing left to propose
}
