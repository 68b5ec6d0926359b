package cli

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/daedalus-search/daedalus/report"
)

// TestConditionsAgree holds --where to the cases that web/test/expr.mjs holds
// the filter of the pages to.
func TestConditionsAgree(t *testing.T) {
	raw, err := os.ReadFile("../../web/src/expr.cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var groups []struct {
		Columns []struct {
			Name, Static, Kind string
			Values             []any
		}
		Rows  [][]any
		Tests []struct {
			Text  string
			Met   []int
			Error bool
		}
	}
	if err := json.Unmarshal(raw, &groups); err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		table := &report.Table{}
		for _, c := range g.Columns {
			col := report.Column{Name: c.Name, Source: c.Name, Static: c.Static}
			if c.Static != "" {
				col.Part = report.Param
			}
			if c.Kind == "number" {
				col.Kind = report.Float
			} else if _, ok := c.Values[0].(bool); ok {
				col.Kind = report.Bool
			}
			table.Columns = append(table.Columns, col)
		}
		for _, c := range g.Tests {
			f, err := newFilter(c.Text, table)
			if c.Error != (err != nil) {
				t.Errorf("%s: error %v; want one: %v", c.Text, err, c.Error)
			}
			if err != nil {
				continue
			}
			met := []int{}
			for i, row := range g.Rows {
				if f.keeps(row) {
					met = append(met, i)
				}
			}
			if !slices.Equal(met, c.Met) {
				t.Errorf("%s is met by %v; want %v", c.Text, met, c.Met)
			}
		}
	}
}
