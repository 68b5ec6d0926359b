package cli

import "testing"

func TestFront(t *testing.T) {
	t.Parallel()
	script(t, "front")
}
