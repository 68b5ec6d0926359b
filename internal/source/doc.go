// Package source reads a settings file into a tree of located values, and
// collects everything that is wrong with it.
//
// A file is YAML 1.2 (and therefore also JSON). [Parse] turns it into a tree
// of [Value]s, each of which knows its file, line and column. A reader then
// walks the tree with typed accessors. An accessor that meets a mistake writes
// a [Diagnostic] into a [Report] and goes on, so one run shows a person all
// mistakes, each with its place, what was found and what was expected.
//
//	root, report := source.Parse("study.yaml", text)
//	root.Fields(report, "trials", "timeout")
//	trials, _ := root.Get("trials").Int(report, source.AtLeast(1))
//	timeout, _ := root.Get("timeout").Duration(report)
//	if err := report.Err(); err != nil {
//		fmt.Fprintln(os.Stderr, err) // all of them, with excerpts
//	}
//
// Accessors on a nil *Value (a key that is not there) report nothing and
// return the zero value; [Value.Required] is how a key is demanded. Options
// with a fixed shape are described once, by a tagged struct, from which
// [Decode], [Describe] and [JSONSchema] all work.
//
// The scalar rules are those of the YAML 1.2 core schema: yes, no, on and off
// are text, 0x10 and 0o17 are whole numbers, 017 is seventeen, 1e3 is a number
// but not a whole number. Three things a settings file has no use for are
// refused: several documents in one file, tags other than the core ones, and
// not-a-number. Anchors, aliases and merge keys (<<) are resolved, within
// limits that keep a small file from becoming a huge tree.
package source
