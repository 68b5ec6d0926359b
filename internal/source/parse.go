package source

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// The limits on a file. They are far above what a person writes, and low
// enough that no file, however malicious, costs more than a second or two.
const (
	// MaxSize is the largest file in bytes, and the largest JSON form of its
	// tree once aliases and merge keys are resolved.
	MaxSize = 1 << 20
	// MaxDepth is the deepest nesting of lists and maps.
	MaxDepth = 64
	// MaxTokens is the largest number of YAML tokens (a short key with its
	// value is three). The YAML parser inserts into slices of tokens, in time
	// quadratic in their length. Files in JSON are not held to it.
	MaxTokens = 50_000
	// MaxBlankLines is the longest run of blank lines in YAML that is not
	// JSON. The scanner's time is quadratic in it inside block scalars.
	MaxBlankLines = 100
)

// Parse reads one file. The name is used in diagnostics and nothing else.
//
// The value is nil where the file could not be read at all; it is usable,
// whatever else is wrong with it, otherwise. An empty file is a [Null] value.
// The report is never nil.
func Parse(name string, text []byte) (*Value, *Report) {
	r := new(Report)
	return parse(&origin{name: name}, string(text), r), r
}

func parse(from *origin, text string, r *Report) *Value {
	b := &builder{from: from, report: r, anchors: map[string]*anchor{}}
	if len(text) > MaxSize {
		b.fail(nil, "file is too large: %d bytes, the most is %d", len(text), MaxSize)
		return nil
	}
	text = strings.TrimPrefix(text, "\ufeff")
	if strings.Contains(text, "\r") {
		text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	}
	from.text = text
	if !b.clean(text) {
		return nil
	}
	if looksLikeJSON(text) {
		if v, ok := readJSON(b, text); ok {
			return v
		}
		r.all = r.all[:0] // the same duplicates will be met again
	}
	b.fatal = false
	return b.yaml(text)
}

// A builder turns a syntax tree into values.
type builder struct {
	from    *origin
	report  *Report
	anchors map[string]*anchor
	fatal   bool // a limit was passed or the text could not be parsed; stop
}

type anchor struct {
	value *Value // nil while the anchored value is still being read
}

// fail reports an error after which reading cannot go on.
func (b *builder) fail(at *Value, format string, args ...any) *Diagnostic {
	b.fatal = true
	if at == nil {
		at = b.place(1, 1)
	}
	return b.report.Errorf(at, format, args...)
}

func (b *builder) place(line, column int) *Value {
	return &Value{from: b.from, line: max(line, 1), column: max(column, 1)}
}

// clean refuses what is not text.
func (b *builder) clean(text string) bool {
	line, start := 1, 0
	for i, c := range text {
		bad := ""
		switch {
		case c == '\n':
			line, start = line+1, i+1
			continue
		case c == utf8.RuneError:
			if _, n := utf8.DecodeRuneInString(text[i:]); n == 1 {
				bad = fmt.Sprintf("byte 0x%02x is not valid UTF-8", text[i])
			}
		case c < 0x20 && c != '\t':
			bad = fmt.Sprintf("control character U+%04X is not allowed", c)
		}
		if bad != "" {
			b.fail(b.place(line, 1+utf8.RuneCountInString(text[start:i])), "%s", bad).Want = "UTF-8 text"
			return false
		}
	}
	return true
}

func (b *builder) yaml(text string) (v *Value) {
	// The parser has panicked on malformed input before (goccy/go-yaml#540,
	// #718). A reader of users' files must not.
	defer func() {
		if p := recover(); p != nil {
			b.fail(nil, "file is not valid YAML, and the parser cannot say where")
			v = nil
		}
	}()
	if !b.blankLines(text) {
		return nil
	}
	tokens := lexer.Tokenize(text)
	if t := tokens.InvalidToken(); t == nil && !b.withinLimits(tokens) {
		return nil
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		b.syntax(text, err)
		return nil
	}
	var root *Value
	documents := 0
	for _, d := range file.Docs {
		if _, ok := d.Body.(*ast.DirectiveNode); ok {
			continue
		}
		if documents++; documents > 1 {
			at := b.at(d.Start)
			if d.Start == nil && d.Body != nil {
				at = b.at(d.Body.GetToken())
			}
			b.fail(at, "a second document begins here; one file holds one document").Note = "split the file, or remove the line ---"
			return nil
		}
		if d.Body == nil {
			root = b.measured(b.place(1, 1))
			continue
		}
		root = b.value(d.Body, b.place(1, 1), 1)
	}
	if root == nil && !b.fatal {
		root = b.measured(b.place(1, 1))
	}
	if b.fatal {
		return nil
	}
	return root
}

func (b *builder) blankLines(text string) bool {
	line, run := 0, 0
	for s := range strings.SplitSeq(text, "\n") {
		line++
		if strings.Trim(s, " \t") != "" {
			run = 0
		} else if run++; run > MaxBlankLines {
			b.fail(b.place(line, 1), "more than %d blank lines in a row", MaxBlankLines).Note = "remove some"
			return false
		}
	}
	return true
}

// withinLimits guards the parser, whose time and stack grow with the depth of
// nesting, before the tree exists that would tell the depth. Nesting by
// indentation needs no guard: it takes d²/2 bytes to nest d levels deep.
func (b *builder) withinLimits(tokens token.Tokens) bool {
	if len(tokens) > MaxTokens {
		b.fail(b.at(tokens[MaxTokens]), "file is too large: more than %d keys, values and marks", MaxTokens).Note =
			"a file in JSON may have any number, up to its size limit"
		return false
	}
	flow, inline, line := 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			line, inline = t.Position.Line, 0
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		case token.SequenceEntryType, token.MappingKeyType, token.TagType, token.AnchorType:
			inline++
		}
		if flow > MaxDepth || inline > 2*MaxDepth {
			b.tooDeep(b.at(t))
			return false
		}
	}
	return true
}

func (b *builder) tooDeep(at *Value) {
	b.fail(at, "nested too deeply: more than %d levels of lists and maps", MaxDepth)
}

func (b *builder) at(t *token.Token) *Value {
	if t == nil || t.Position == nil {
		return b.place(1, 1)
	}
	return b.place(t.Position.Line, t.Position.Column)
}

// level notes the depth of a list or map being begun, and refuses it beyond
// the limit.
func (b *builder) level(v *Value, level int) bool {
	if level > MaxDepth {
		b.tooDeep(v)
		return false
	}
	return true
}

// measured computes size and depth of a finished value from its parts, and
// enforces the size limit, which sharing by aliases could otherwise pass
// without the file being large.
func (b *builder) measured(v *Value) *Value {
	if v == nil {
		return nil
	}
	v.size, v.depth = 2, 1
	switch v.kind {
	case List:
		v.size += max(0, len(v.list)-1)
		for _, e := range v.list {
			v.size += e.size
			v.depth = max(v.depth, e.depth+1)
		}
	case Map:
		v.size += max(0, len(v.entries)-1)
		for _, e := range v.entries {
			v.size += e.Key.jsonSize() + 1 + e.Value.size
			v.depth = max(v.depth, e.Value.depth+1)
		}
	default:
		v.size, v.depth = v.jsonSize(), 0
	}
	if v.size > MaxSize && !b.fatal {
		b.fail(v, "too large: more than %d bytes as JSON, once aliases are resolved", MaxSize)
	}
	return v
}

// jsonSize is the length of the JSON form of a scalar.
func (v *Value) jsonSize() int {
	if v.kind != String {
		return len(v.appendScalar(nil))
	}
	n := len(v.text) + 2
	for i := range len(v.text) {
		switch c := v.text[i]; {
		case c == '"' || c == '\\' || c == '\n' || c == '\t' || c == '\r':
			n++
		case c < 0x20 || c == 0x7f:
			n += 5
		}
	}
	return n
}

// put adds an entry, or reports that its key is taken.
func (b *builder) put(m *Value, e Entry) {
	if i := m.find(e.Key.text); i >= 0 {
		first := m.entries[i].Key
		d := b.report.Errorf(e.Key, "key %s is already set on line %d", quote(e.Key.text), first.line)
		d.Found, d.Note = e.Key.text, "keep one of the two"
		return
	}
	m.appendEntry(e)
}

// value converts one node. The place is used where the node has none.
func (b *builder) value(n ast.Node, place *Value, level int) *Value {
	if b.fatal {
		return nil
	}
	switch n := n.(type) {
	case nil:
		return b.measured(b.place(place.line, place.column))
	case *ast.MappingNode:
		start := n.Start
		if !n.IsFlowStyle && len(n.Values) > 0 {
			start = keyToken(n.Values[0])
		}
		return b.mapping(b.at(start), n.Values, level)
	case *ast.MappingValueNode:
		return b.mapping(b.at(keyToken(n)), []*ast.MappingValueNode{n}, level)
	case *ast.SequenceNode:
		v := b.at(n.Start)
		v.kind = List
		if !b.level(v, level) {
			return nil
		}
		for _, item := range n.Values {
			e := b.value(item, v, level+1)
			if b.fatal {
				return nil
			}
			v.list = append(v.list, e)
		}
		return b.measured(v)
	case *ast.AnchorNode:
		name := nodeText(n.Name)
		a := new(anchor)
		b.anchors[name] = a
		a.value = b.value(n.Value, b.at(n.Start), level)
		return a.value
	case *ast.AliasNode:
		return b.alias(n, level)
	case *ast.TagNode:
		return b.tagged(n, level)
	case *ast.LiteralNode:
		v := b.at(n.Start)
		v.kind = String
		if n.Value != nil {
			v.text = n.Value.Value
		}
		return b.scalar(v)
	case ast.ScalarNode:
		t := n.GetToken()
		v := b.at(t)
		v.text = t.Value
		switch t.Type {
		case token.SingleQuoteType, token.DoubleQuoteType:
			v.kind = String
		case token.ImplicitNullType:
			v.text = ""
		default:
			var ok bool
			if v.kind, ok = resolve(v.text); !ok {
				b.report.Errorf(v, "%s is not a value that anything can be set to", v.text).Note =
					"write \"" + v.text + "\" in quotes if it is meant as text"
				v.kind = String
			}
			if v.text != "" && strings.IndexByte("[]{},", v.text[0]) >= 0 {
				b.fail(v, "this %c does not belong here", v.text[0]).Note = "put the text in quotes if it is text"
				return nil
			}
		}
		return b.scalar(v)
	}
	b.fail(b.at(n.GetToken()), "%s cannot stand here", nodeName(n))
	return nil
}

func (b *builder) scalar(v *Value) *Value {
	if !utf8.ValidString(v.text) || strings.ContainsRune(v.text, utf8.RuneError) && !strings.ContainsRune(b.from.text, utf8.RuneError) {
		b.fail(v, "an escape here stands for no Unicode character")
		return nil
	}
	return b.measured(v)
}

func (b *builder) mapping(v *Value, nodes []*ast.MappingValueNode, level int) *Value {
	v.kind = Map
	if !b.level(v, level) {
		return nil
	}
	type merge struct {
		before int // how many explicit entries stand before it
		from   *Value
	}
	var merges []merge
	for _, n := range nodes {
		key := b.at(keyToken(n))
		key.kind = String
		e := Entry{Key: key, Value: b.value(n.Value, key, level+1)}
		if b.fatal {
			return nil
		}
		if n.Key.IsMergeKey() {
			sources := []*Value{e.Value}
			if e.Value.kind == List {
				sources = e.Value.list
			}
			for _, s := range sources {
				if s.kind != Map {
					d := b.report.Errorf(s, "<< merges maps, and this is %s", found(s))
					d.Found, d.Want = found(s), "an alias of a map, or a list of them"
					continue
				}
				merges = append(merges, merge{len(v.entries), s})
			}
			continue
		}
		ok := false
		if key.text, ok = keyText(n.Key); !ok {
			b.report.Errorf(key, "a key must be a plain word").Note = "write it in quotes if it is meant as text"
			continue
		}
		if b.scalar(key); b.fatal {
			return nil
		}
		b.put(v, e)
	}
	if len(merges) == 0 {
		return b.measured(v)
	}
	// What a merge brings stands where the merge key stood. Keys written out
	// win over merged ones, and earlier merges over later ones.
	explicit := v.entries
	v.entries = nil
	taken := make(map[string]bool, len(explicit))
	for _, e := range explicit {
		taken[e.Key.text] = true
	}
	for i := 0; i <= len(explicit); i++ {
		for len(merges) > 0 && merges[0].before == i {
			for _, e := range merges[0].from.entries {
				if !taken[e.Key.text] {
					taken[e.Key.text] = true
					v.entries = append(v.entries, e)
				}
			}
			merges = merges[1:]
		}
		if i < len(explicit) {
			v.entries = append(v.entries, explicit[i])
		}
	}
	v.reindex()
	return b.measured(v)
}

func (b *builder) alias(n *ast.AliasNode, level int) *Value {
	at := b.at(n.Start)
	name := nodeText(n.Value)
	a, ok := b.anchors[name]
	switch {
	case !ok:
		d := b.fail(at, "alias *%s has no anchor &%s before it", name, name)
		names := make([]string, 0, len(b.anchors))
		for k := range b.anchors {
			names = append(names, k)
		}
		slices.Sort(names)
		if near, ok := Nearest(name, names); ok {
			d.Note = "did you mean *" + near + "?"
		} else {
			d.Note = "text that begins with * must be in quotes"
		}
		return nil
	case a.value == nil:
		b.fail(at, "alias *%s stands inside the value it names", name)
		return nil
	case level+a.value.depth-1 > MaxDepth:
		b.tooDeep(at)
		return nil
	}
	v := *a.value
	v.via = fmt.Sprintf("reached through *%s on line %d", name, at.line)
	return &v
}

func (b *builder) tagged(n *ast.TagNode, level int) *Value {
	at := b.at(n.Start)
	v := b.value(n.Value, at, level)
	if b.fatal {
		return nil
	}
	tag := ""
	if n.Start != nil {
		tag = n.Start.Value
	}
	want, ok := map[string]Kind{"!!str": String, "!!int": Int, "!!float": Float, "!!bool": Bool, "!!null": Null, "!!seq": List, "!!map": Map}[tag]
	if !ok {
		b.report.Errorf(at, "tag %s is not understood", quote(tag)).Note = "a file here is plain data: remove the tag"
		return v
	}
	switch {
	case v.kind == want:
		return v
	case want == String && v.kind < List:
		u := *v
		u.kind = String
		return b.measured(&u)
	case want == Float && v.kind == Int && number(v.text) == Int && !strings.HasPrefix(v.text, "0x") && !strings.HasPrefix(v.text, "0o"):
		u := *v
		u.kind, u.text = Float, v.text+".0"
		return b.measured(&u)
	}
	d := b.report.Errorf(v, "tag %s wants %s, and this is %s", tag, want, found(v))
	d.Found, d.Want = found(v), want.String()
	return v
}

func keyToken(n *ast.MappingValueNode) *token.Token {
	var k ast.Node = n.Key
	if mk, ok := k.(*ast.MappingKeyNode); ok && mk.Value != nil {
		k = mk.Value
	}
	return k.GetToken()
}

// keyText returns the text of a key that is a scalar other than null.
func keyText(k ast.Node) (string, bool) {
	if mk, ok := k.(*ast.MappingKeyNode); ok {
		k = mk.Value
	}
	switch k.(type) {
	case nil, *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode, *ast.LiteralNode:
		return "", false
	case ast.ScalarNode:
	default:
		return "", false
	}
	t := k.GetToken()
	if t.Type == token.SingleQuoteType || t.Type == token.DoubleQuoteType {
		return t.Value, true
	}
	kind, ok := resolve(t.Value)
	return t.Value, ok && kind != Null
}

func nodeText(n ast.Node) string {
	if n == nil || n.GetToken() == nil {
		return ""
	}
	return n.GetToken().Value
}

func nodeName(n ast.Node) string {
	if _, ok := n.(*ast.DirectiveNode); ok {
		return "a directive (%)"
	}
	return "this"
}

// syntax reports what the parser found, in words for someone who knows their
// file and not the YAML specification.
func (b *builder) syntax(text string, err error) {
	var y yaml.Error
	if !errors.As(err, &y) || y.GetToken() == nil || y.GetToken().Position == nil {
		b.fail(nil, "file is not valid YAML, and the parser cannot say where")
		return
	}
	t := y.GetToken()
	at := b.at(t)
	message, note := explain(y.GetMessage(), t)
	if t.Type == token.StringType && t.Next != nil && t.Next.Type == token.MappingValueType &&
		t.Next.Position != nil && t.Next.Position.Line > at.line {
		// A value that goes on in the next line, where a colon shows that it
		// was meant as a key.
		at = b.at(t.Next)
		message = "this line continues the value above it, and so cannot set a key"
		note = "a key is indented like the keys beside it, and the line above needs its own colon; text with \": \" in it is put in quotes"
	}
	if t.Next != nil && t.Next.Type == token.MappingValueType && t.Next.Position != nil &&
		strings.Contains(y.GetMessage(), "mapping value is not allowed") && t.Next.Position.Line == at.line {
		at = b.at(t.Next)
	}
	if t.Value == "}" || t.Value == "]" {
		message, note = "this "+t.Value+" closes nothing", ""
	}
	// Columns may be counted past the end of a line; keep within the text.
	if _, line, ok := b.from.lines(at.line); ok {
		at.column = min(at.column, utf8.RuneCountInString(line)+1)
	} else {
		at.line = strings.Count(text, "\n") + 1
		at.column = 1
	}
	b.fail(at, "%s", message).Note = note
}

// explanations translate the parser's messages: the first whose words occur
// in the message is used.
var explanations = []struct{ words, message, note string }{
	{"tab character", "a tab cannot be used here", "indent with spaces"},
	{"'\t'", "a tab cannot be used here", "indent with spaces"},
	{"end character of single-quoted", "the quote ' opened here is never closed", ""},
	{"end character of double-quoted", "the quote \" opened here is never closed", ""},
	{"',' or ']' must be specified", "a list in [ ] needs a comma or its closing ] before this", ""},
	{"',' or '}' must be specified", "a map in { } needs a comma or its closing } before this", ""},
	{"sequence end token ']' not found", "the list opened here is never closed with ]", ""},
	{"flow mapping end token '}'", "the map opened here is never closed with }", ""},
	{"could not find '[' character", "this ] closes nothing", ""},
	{"could not find '{' character", "this } closes nothing", ""},
	{"flow map content", "the map opened here is never closed with }", ""},
	{"expected sequence element", "a list element is missing before this comma", ""},
	{"unknown escape character", "this escape is not known", `in double quotes \ begins an escape: write \\ for a backslash, or use single quotes`},
	{"escaped UTF-", "this escape is incomplete", `write \u and four hexadecimal digits`},
	{"surrogate", "this escape is half of a surrogate pair", `write \U and eight hexadecimal digits`},
	{"reserved character", "a value cannot begin with this character", "put it in quotes"},
	{"directive", "a value cannot begin with %", "put it in quotes"},
	{"mapping value is not allowed", "a second \": \" in one line: a value cannot set a key", "put the text in quotes if it contains \": \""},
	{"block sequence entries are not allowed", "a list written with - must begin on its own line", ""},
	{"sequence entries are not allowed after anchor", "a list written with - must begin on its own line", ""},
	{"anchor name", "an anchor & needs a name", "text that begins with & must be in quotes"},
	{"anchor value", "an anchor & needs a name and a value", "text that begins with & must be in quotes"},
	{"anchors cannot be used consecutively", "a value can have only one anchor &", ""},
	{"alias", "an alias * needs the name of an anchor", "text that begins with * must be in quotes"},
	{"unexpected key name", "a key must be one word on one line, followed by \": \"", "is a colon missing on a line above?"},
	{"implicit line break", "a key must be on one line", ""},
	{"invalid key for this map", "this cannot be a key", "a key is a single word followed by \": \""},
	{"non-map value is specified", "a key followed by \": \" is expected here", "is the colon, or the space after it, missing?"},
	{"map key-value is pre-defined", "this cannot follow a value that is already complete", "put the whole value in quotes, or begin a new line"},
	{"value is not allowed in this context", "this does not belong here: its indentation fits no line above", "align it with the lines it belongs to"},
	{"could not find value for mapping key", "a value is missing for this key", ""},
	{"document separator", "nothing may stand on the line of a document separator", ""},
	{"unexpected end content", "nothing may follow the end of the document", ""},
	{"number of indent", "the lines of this text are indented unevenly", "indent all of them at least as far as the first"},
	{"multi-line content", "text is missing after | or >", ""},
	{"invalid header option", "only +, - or a digit may follow | or >", "put the text in quotes, or begin it on the next line"},
	{"tag", "this tag (!) cannot stand here", "text that begins with ! must be in quotes"},
}

func explain(message string, t *token.Token) (string, string) {
	for _, e := range explanations {
		if strings.Contains(message, e.words) {
			return e.message, e.note
		}
	}
	return "not valid YAML: " + message, ""
}
