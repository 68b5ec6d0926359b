// Command gen packs the CSVs of the data sets that package hpo embeds. DATA.md
// tells where they come from.
//
//	go run ./gen -in ../../../shared/data/tabular-uci/uci_regression.zip -out data
package main

import (
	"archive/zip"
	"encoding/csv"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/daedalus-search/daedalus/problems/internal/columns"
)

// sets are the data sets by the names of their files and ours.
var sets = [][2]string{{"concrete", "concrete"}, {"energy", "energy"}, {"wine-quality-red", "wine"}, {"yacht", "yacht"}, {"power-plant", "power"}}

func main() {
	in := flag.String("in", "../../../shared/data/tabular-uci/uci_regression.zip", "the zip of CSVs")
	out := flag.String("out", "data", "the folder to write to")
	flag.Parse()
	for _, s := range sets {
		all, err := read(*in, s[0])
		if err == nil {
			var packed []byte
			if packed, err = columns.Pack(all); err == nil {
				err = os.WriteFile(filepath.Join(*out, s[1]+".bin"), packed, 0o644)
			}
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "gen: %s: %v\n", s[0], err)
			os.Exit(1)
		}
	}
}

// read returns the columns of one CSV with as many decimals as occur.
func read(file, name string) ([]columns.Column, error) {
	z, err := zip.OpenReader(file)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	f, err := z.Open(name + ".csv")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, err
	}
	all := make([]columns.Column, len(rows[0]))
	for i := range all {
		all[i].Name = rows[0][i]
		for _, row := range rows[1:] {
			_, frac, _ := strings.Cut(row[i], ".")
			all[i].Decimals = max(all[i].Decimals, len(frac))
		}
		for n, row := range rows[1:] {
			if err := all[i].Add(row[i]); err != nil {
				return nil, fmt.Errorf("line %d: %w", n+2, err)
			}
		}
	}
	return all, nil
}
