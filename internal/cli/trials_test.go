package cli

import "testing"

func TestTrials(t *testing.T) {
	t.Parallel()
	script(t, "trials")
}
