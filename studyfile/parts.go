package studyfile

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/daedalus-search/daedalus/catalog"
	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/space"
)

// Files that hold studies as parts, such as arenas, read them with what is here.

// Read reads a study that is a part of the file at path: a map with the keys of
// a study file. Where it names no objectives, those that the problem suggests
// are taken (see [Suggested]). Mistakes go to the report; it then returns nil.
func Read(path string, root *source.Value, report *source.Report) *File {
	own := new(source.Report)
	defer report.Merge(own)
	if entries, ok := root.Map(own); ok && !root.Has("objectives") {
		probe := reader{report: new(source.Report), root: root, f: &File{Path: path}}
		var sp *space.Space
		if n := root.Get("space"); n != nil {
			sp, _ = space.Read(n, root.Get("require"), probe.report)
		}
		probe.problem(root.Get("problem"), sp)
		if p := probe.f.Config.Problem; p != nil && !probe.report.Failed() {
			texts, ok := Suggested(p)
			if !ok {
				names := make([]string, len(p.Metrics()))
				for i, m := range p.Metrics() {
					names[i] = m.Name
				}
				r := reader{report: own}
				r.expect(root.Get("problem"), "objectives: what to optimise among them", "%s measures %s and no objectives are named", probe.f.Problem, strings.Join(names, ", "))
				return nil
			}
			list, _ := source.Parse(path, []byte("objectives: ["+strings.Join(texts, ", ")+"]"))
			add, _ := list.Map(own)
			root = source.MapOf(root, slices.Concat(entries, add)...)
		}
	}
	r := reader{report: own, root: root, f: &File{Path: path, Text: root.JSON()}}
	r.read()
	if own.Failed() {
		return nil
	}
	return r.f
}

// Suggested returns the objectives that a problem leaves no doubt about: all its
// metrics, if they have one direction and one unit, as test functions do.
func Suggested(p problem.Problem) (objectives []string, ok bool) {
	ms := p.Metrics()
	for _, m := range ms {
		if m.Direction == 0 || m.Direction != ms[0].Direction || m.Unit != ms[0].Unit {
			return nil, false
		}
		o := metric.Objective{Metric: m.Name, Direction: m.Direction}
		objectives = append(objectives, o.String())
	}
	return objectives, len(objectives) > 0
}

// ReadMethod reads a search method, "name" or {name: options}, with its defaults
// filled in. "auto" is none.
func ReadMethod(path string, v *source.Value, report *source.Report) (row catalog.Searcher, m search.Method, ok bool) {
	r := reader{report: report, root: v, f: &File{Path: path}}
	return r.methodOptions(v)
}

// Beside returns a path of a file as seen from the file that names it.
func Beside(file, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(file), path)
}

// Parts returns the schemas of the parts of study files by their keys, with the
// definitions that they refer to.
func Parts() (properties, definitions map[string]any) {
	s := Schema()
	return s["properties"].(map[string]any), s["$defs"].(map[string]any)
}
