package process

import "strings"

// A Tail keeps the last Limit bytes of what is written to it.
type Tail struct {
	Limit int
	cut   bool
	buf   []byte
}

func (t *Tail) Write(b []byte) (int, error) {
	n := len(b)
	if len(b) > t.Limit {
		b, t.cut = b[len(b)-t.Limit:], true
	}
	if over := len(t.buf) + len(b) - t.Limit; over > 0 {
		t.buf, t.cut = append(t.buf[:0], t.buf[over:]...), true
	}
	t.buf = append(t.buf, b...)
	return n, nil
}

// String returns the end as valid UTF-8, from the start of a line if it was
// cut and has more than one.
func (t *Tail) String() string {
	b := t.buf
	if t.cut {
		for i, c := range b[:max(len(b)-1, 0)] {
			if c == '\n' {
				b = b[i+1:]
				break
			}
		}
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}
