// Package view prepares a study to be looked at: every trial as columns, and
// everything a person wants to know computed once, in one place. The HTML page
// and the static figures only draw what stands in a [View].
//
//	v, err := view.New(ctx, view.Source{Store: st, Config: cfg})
//	if err != nil {
//		return err
//	}
//	err = view.WriteHTML(w, v)
//
// A View is JSON (its exported fields; the types in web/src/data.ts mirror
// them) and a set of binary blocks, one for each column. In a report both stand
// in the page; a server gives them one by one ([Handler]). The page does not
// know the difference.
//
// Start at [New]; each analysis has a file of its own.
package view

import (
	"time"

	"github.com/daedalus-search/daedalus/problem"
)

// Format is the version of the JSON and the blocks.
const Format = 1

// A View is a study prepared to be looked at. Rows are the trials that it
// holds, in order of their numbers, from 0; columns are indexes into Columns.
type View struct {
	Format  int       `json:"format"`
	Engine  string    `json:"engine"` // version that made the view
	Made    time.Time `json:"made"`
	Study   Study     `json:"study"`
	Goal    Goal      `json:"goal"`
	Trials  Trials    `json:"trials"`
	Columns []Column  `json:"columns"`
	Tree    []Node    `json:"tree"` // the space, in declaration order

	Answer     Answer       `json:"answer"`
	Front      Front        `json:"front"`
	Checks     []Check      `json:"checks"`
	History    *History     `json:"history,omitempty"`
	Archive    *Archive     `json:"archive,omitempty"`
	Importance []Importance `json:"importance,omitempty"` // one for each objective and, with several, one for the front
	Winners    *Winners     `json:"winners,omitempty"`
	Operators  []Operator   `json:"operators,omitempty"`
	Phases     []Phase      `json:"phases,omitempty"`
	Lineage    *Lineage     `json:"lineage,omitempty"`
	Curves     *Curves      `json:"curves,omitempty"`
	Map        *Map         `json:"map,omitempty"`
	Drawings   *Drawings    `json:"drawings,omitempty"`

	Findings []problem.Finding `json:"findings,omitempty"` // what the problem found out besides

	// Missing says of every part that is absent why it is: by its JSON name.
	Missing map[string]string `json:"missing"`

	blocks map[string]block
}

// Study says what was searched and how it went.
type Study struct {
	Name     string    `json:"name"`
	File     string    `json:"file"`     // what commands that look at it call it: the study file or its database
	Run      string    `json:"run"`      // the command that goes on with it, without a budget; "" if it is not known
	Enqueue  string    `json:"enqueue"`  // the command that has a design tried again, without the design; "" if it is not known
	Question string    `json:"question"` // in one sentence
	Problem  string    `json:"problem"`
	Searcher string    `json:"searcher"`
	Reason   string    `json:"reason"` // why this searcher
	Seed     string    `json:"seed"`
	Created  time.Time `json:"created"`
	Status   string    `json:"status"`  // running, paused or done
	Stopped  string    `json:"stopped"` // why it is done
	Running  bool      `json:"running"` // trials may still come
	Engine   string    `json:"engine"`  // version that ran it
	Designs  string    `json:"designs"` // how many the space holds: "15,625", "infinite"
	Seconds  float64   `json:"seconds"` // wall time over all runs; 0 if unknown
	Budget   string    `json:"budget"`  // "500 trials"; "" if none
}

// Goal is what counts, with the columns that hold it.
//
// Axes are the columns of the objectives in the order in which plots of several take
// them: what stands before goes across, what stands behind goes up. People expect cost
// across and quality up, so what is maximized comes last; otherwise they stand as the
// study has them.
type Goal struct {
	Objectives []Objective `json:"objectives"`
	Axes       []int       `json:"axes"`
	Limits     []Limit     `json:"limits"`
}

// An Objective is one thing that was optimised.
type Objective struct {
	Metric    string   `json:"metric"`
	Column    int      `json:"column"`    // -1 if nothing was measured
	Direction string   `json:"direction"` // minimize, maximize or target
	Target    *float64 `json:"target,omitempty"`
	Text      string   `json:"text"` // "minimize latency_ms"
}

// A Limit is a bound that was set.
type Limit struct {
	Metric string  `json:"metric"`
	Column int     `json:"column"` // -1 if nothing was measured
	Op     string  `json:"op"`
	Bound  float64 `json:"bound"`
	Soft   bool    `json:"soft"`
	Text   string  `json:"text"` // "params_m <= 1"
}

// Trials counts the trials. A study larger than a view can hold is sampled: the
// front, the history and the archive are over all trials; rows, and what else is
// computed of them, over some.
type Trials struct {
	Total  int              `json:"total"`
	Rows   int              `json:"rows"`
	States map[string]int64 `json:"states"`
	Note   string           `json:"note,omitempty"` // what was left out or rounded, and why
}

// A Column is one value of every row.
//
// Block is where the values are. With Values or Texts the block holds indexes
// into it, counted from 1, and 0 where there is none; else it holds numbers, and
// NaN (in i32 the least value) where there is none.
type Column struct {
	Name     string   `json:"name"`   // unique; what conditions call it
	Static   string   `json:"static"` // of a parameter: its path without indexes
	Part     string   `json:"part"`   // record, metric, param, or verified: see VerifiedPart
	Kind     string   `json:"kind"`   // number, category or text
	Unit     string   `json:"unit"`   // "" if there is none
	Doc      string   `json:"doc,omitempty"`
	Better   string   `json:"better,omitempty"` // of a metric: low or high
	Log      bool     `json:"log,omitempty"`
	Whole    bool     `json:"whole,omitempty"`   // numbers without a fraction
	Ordered  bool     `json:"ordered,omitempty"` // a category whose values have an order
	Rounded  bool     `json:"rounded,omitempty"` // seven digits were kept
	Low      *float64 `json:"low,omitempty"`     // declared range of a parameter
	High     *float64 `json:"high,omitempty"`
	Min      *float64 `json:"min,omitempty"` // of the finite numbers of all trials
	Max      *float64 `json:"max,omitempty"`
	Missing  int      `json:"missing,omitempty"` // rows without a value
	Values   []any    `json:"values,omitempty"`  // strings of a category, numbers of a number
	Texts    string   `json:"texts,omitempty"`   // of a text: the block with its values, a JSON array
	Encoding string   `json:"encoding"`          // f64, f32, i32; u8, u16, u32
	Block    string   `json:"block"`
}

// A Node is one parameter or group of the space.
type Node struct {
	Name    string `json:"name"`
	Path    string `json:"path"` // static
	Kind    string `json:"kind"`
	Parent  int    `json:"parent"` // -1 at the top
	Domain  string `json:"domain"` // what it may be: "8, 16, 32, 64", "0.0001 … 0.1 (log)"
	Unit    string `json:"unit,omitempty"`
	Doc     string `json:"doc,omitempty"`
	When    string `json:"when,omitempty"` // its condition
	Columns []int  `json:"columns"`
}

// An Answer is the result in words, and the designs to look at first.
type Answer struct {
	Headline string   `json:"headline"`        // one sentence
	Truth    string   `json:"truth,omitempty"` // distance to the true front where that is known
	Picks    []Pick   `json:"picks"`
	Advice   []string `json:"advice,omitempty"` // what to try next, most useful first
}

// A Pick is a design worth a look, and why.
type Pick struct {
	Row  int    `json:"row"`
	Role string `json:"role"` // "knee", "most accuracy", "best"
}

// A Front is the designs that no other beats, by the first objective. If no
// design keeps every limit it is those that miss them least.
type Front struct {
	Rows     []int          `json:"rows"`
	Feasible bool           `json:"feasible"`
	Knee     int            `json:"knee"`             // row; -1 if there is none
	Labels   []string       `json:"labels,omitempty"` // the problem's short form of each design
	Verified []VerifiedPart `json:"verified,omitempty"`

	References []problem.Reference `json:"references,omitempty"` // what people would use without a search
}

// A VerifiedPart is a metric that the search did not see, of every member of
// the front.
type VerifiedPart struct {
	Metric string     `json:"metric"`
	Unit   string     `json:"unit"`
	Better string     `json:"better"`
	Values []*float64 `json:"values"`
}

// A Check says whether something about the study can be believed.
type Check struct {
	ID      string `json:"id"`
	Level   string `json:"level"` // good, note or bad
	Title   string `json:"title"`
	Text    string `json:"text"`
	Command string `json:"command,omitempty"` // what would help
}

// A History is how the search went: the hypervolume of the front after each
// trial, or the best value with one objective.
type History struct {
	Measure   string    `json:"measure"` // "hypervolume" or the metric
	Unit      string    `json:"unit"`
	Better    string    `json:"better"`              // low or high
	Log       bool      `json:"log,omitempty"`       // reads better on a logarithmic axis
	Reference []float64 `json:"reference,omitempty"` // of the hypervolume, a value of each objective
	Trials    []int     `json:"trials"`              // evaluations so far; only where something changed, and at the end
	Values    []float64 `json:"values"`
	Baseline  *Baseline `json:"baseline,omitempty"`
}

// A Baseline is what random sampling reaches: the median and the range over
// repetitions, after each of Trials evaluations.
type Baseline struct {
	What   string    `json:"what"` // "random sampling, 9 repetitions"
	Trials []int     `json:"trials"`
	Low    []float64 `json:"low"`
	Middle []float64 `json:"middle"`
	High   []float64 `json:"high"`
	Ahead  string    `json:"ahead"` // the comparison in one sentence
	behind bool      // the study reaches less
}

// An Archive is what a quality-diversity method found.
type Archive struct {
	Kind      string      `json:"kind"` // grid or cvt
	Measures  []Measure   `json:"measures"`
	Objective int         `json:"objective"` // column
	Better    string      `json:"better"`
	Cells     int         `json:"cells"`
	Coverage  float64     `json:"coverage"`
	QDScore   float64     `json:"qdScore"`
	Elites    []Elite     `json:"elites"`
	Centroids [][]float64 `json:"centroids,omitempty"` // of a cvt
}

// A Measure is one axis of an archive.
type Measure struct {
	Metric string  `json:"metric"`
	Column int     `json:"column"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	Cells  int     `json:"cells"`
}

// An Elite is the best design of a cell. Cells of a grid run along the last
// measure first.
type Elite struct {
	Cell int `json:"cell"`
	Row  int `json:"row"`
}

// Importance says how much the parameters matter for one thing (PED-ANOVA; see
// metric.Importance).
type Importance struct {
	Target string  `json:"target"` // an objective's metric, or "front"
	Best   string  `json:"best"`   // which trials count as good, in words
	Shares []Share `json:"shares"` // largest first
}

// A Share is the importance of one column, of 1. Explained is absolute: which
// part of what makes a design good the column explains by itself (see
// metric.Explained); where all of these are near 0, shares divide up next to
// nothing.
type Share struct {
	Column    int     `json:"column"`
	Share     float64 `json:"share"`
	Explained float64 `json:"explained"`
}

// Winners are values that good designs have more often than others.
type Winners struct {
	Good   string   `json:"good"` // which trials count as good, in words
	Winner []Winner `json:"winner"`
}

// A Winner is a value that good designs have more often than others.
type Winner struct {
	Column int     `json:"column"`
	Text   string  `json:"text"` // "O3", "16 … 32"
	Low    float64 `json:"low"`  // the value's interval, both ends included; of a category its index in Values, from 0
	High   float64 `json:"high"`
	Good   int     `json:"good"`   // good trials that have it
	OfGood int     `json:"ofGood"` // of so many
	All    int     `json:"all"`    // trials that have it
	OfAll  int     `json:"ofAll"`  // of so many
	Chance float64 `json:"chance"` // probability of as many among the good by chance alone
}

// An Operator is a way in which the searcher made designs.
type Operator struct {
	Name    string  `json:"name"`
	Trials  int     `json:"trials"`
	OnFront int     `json:"onFront"`
	Gain    float64 `json:"gain"` // share of all improvement that came from its designs
	Seconds float64 `json:"seconds"`
}

// A Phase is a part of the time that trials took, summed over them.
type Phase struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
	Text    string  `json:"text"` // what it is
}

// Lineage says which trials a design was made from. The block lineage.at (u32,
// one more than rows) says where the parents of a row begin in the block
// lineage.number (i32), which holds trial numbers.
type Lineage struct {
	Links int `json:"links"`
}

// Curves are intermediate results. The blocks curves.row (u32), curves.step
// (f64) and curves.value.K (f64, K an index into Metrics) hold one entry for
// each, by row and step.
type Curves struct {
	Metrics []string `json:"metrics"`
	Points  int      `json:"points"`
	Rows    int      `json:"rows"` // trials that have any
	Note    string   `json:"note,omitempty"`
}

// A Map arranges designs by similarity: a binary tree of clusters. Leaves are
// 0 … len(Rows)-1; Left, Right and Height describe the clusters made from them
// one by one, the first being number len(Rows).
type Map struct {
	Rows   []int     `json:"rows"`
	Labels []string  `json:"labels,omitempty"`
	Left   []int     `json:"left"`
	Right  []int     `json:"right"`
	Height []float64 `json:"height"` // distance of the two, 0 to 1
	Note   string    `json:"note"`
}

// Drawings are pictures of some designs. The block drawings holds them as a
// JSON array of SVG documents, one for each of Rows.
type Drawings struct {
	Rows []int `json:"rows"`
}
