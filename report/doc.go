// Package report writes the trials of a study for other tools: as CSV, as
// JSON lines and as Parquet.
//
//	err := report.WriteTrials(f, report.CSV, rec, st.Trials(ctx, store.Filter{}))
//
// CSV and Parquet have one column for every parameter that occurs, by its path
// (stages[0].width), and one for every metric. [Scan] finds the columns,
// [Table.Row] fills them. JSON lines keep designs nested, as the evaluators see
// them.
package report

import (
	"fmt"
	"io"
	"iter"

	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/store"
)

// A Format is a way to write trials.
type Format string

// The formats.
const (
	CSV     Format = "csv"
	JSONL   Format = "jsonl"
	JSON    Format = "json" // one array
	Parquet Format = "parquet"
)

// Formats returns the names of all formats.
func Formats() []string {
	return []string{string(CSV), string(JSONL), string(JSON), string(Parquet)}
}

// ParseFormat returns the format of a name.
func ParseFormat(name string) (Format, error) {
	for _, f := range Formats() {
		if f == name {
			return Format(f), nil
		}
	}
	if near, ok := source.Nearest(name, Formats()); ok {
		return "", fmt.Errorf("unknown format %q: did you mean %q?", name, near)
	}
	return "", fmt.Errorf("unknown format %q; expected one of %v", name, Formats())
}

// Trials is a sequence of trials that can be ranged over several times.
type Trials = iter.Seq2[store.Trial, error]

// WriteTrials writes trials of a study. For CSV and Parquet it ranges over
// them twice, first to find the columns; a trial that comes only in the second
// round keeps what the columns of the first can hold.
func WriteTrials(w io.Writer, format Format, study store.Study, trials Trials) error {
	switch format {
	case JSONL, JSON:
		return writeJSON(w, format, trials)
	case CSV, Parquet:
		t, err := Scan(study, trials)
		if err != nil {
			return err
		}
		if format == CSV {
			return t.writeCSV(w, trials)
		}
		return t.writeParquet(w, study.Name, trials)
	}
	_, err := ParseFormat(string(format))
	return err
}
