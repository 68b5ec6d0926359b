package cli

import "testing"

func TestBest(t *testing.T) {
	t.Parallel()
	script(t, "best")
}
