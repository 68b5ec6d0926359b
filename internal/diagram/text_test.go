package diagram

import (
	"encoding/xml"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// Whatever the text, it can stand between tags and in attributes, and what XML
// can hold is read back as it was.
func TestEscape(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "text")
		var got struct {
			A string `xml:"a,attr"`
			B string `xml:",chardata"`
		}
		e := Escape(s)
		if err := xml.Unmarshal([]byte(`<x a="`+e+`">`+e+`</x>`), &got); err != nil {
			t.Fatal(err)
		}
		if got.A != got.B || utf8.RuneCountInString(got.A) != utf8.RuneCountInString(s) {
			t.Errorf("%q is read as %q and %q", s, got.A, got.B)
		}
	})
	if got := Escape("<a b='c' d=\"e\">&\u202e\x00\n"); got != "&lt;a b=&#39;c&#39; d=&quot;e&quot;&gt;&amp;\ufffd\ufffd " {
		t.Error(got)
	}
}

// What Cut returns fits, is the text or a beginning of it with an ellipsis, and
// is no shorter than it must be.
func TestCut(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringOfN(rapid.RuneFrom([]rune("ilmW 0×层é\u0301")), 0, 30, -1).Draw(t, "text")
		size, width := rapid.Float64Range(8, 20).Draw(t, "size"), rapid.Float64Range(0, 200).Draw(t, "width")
		got, cut := Cut(s, size, width)
		if !cut {
			if got != s || TextWidth(s, size) > width+1e-6 && utf8.RuneCountInString(s) > 1 {
				t.Errorf("%q stays %q", s, got)
			}
			return
		}
		head, ok := strings.CutSuffix(got, "…")
		if !ok || !strings.HasPrefix(s, head) || TextWidth(s, size) <= width {
			t.Fatalf("%q is cut to %q", s, got)
		}
		if w := TextWidth(got, size); w > width+1e-6 && utf8.RuneCountInString(head) > 1 {
			t.Errorf("%q is cut to %q, %v wide of %v", s, got, w, width)
		}
	})
	for s, want := range map[string]string{"": "", "short": "short", "something longer": "somethin…", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff": "\xff\xff\xff\xff…"} {
		if got, _ := Cut(s, 10, 60); got != want {
			t.Errorf("Cut(%q) = %q, want %q", s, got, want)
		}
	}
}
