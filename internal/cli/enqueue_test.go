package cli

import "testing"

func TestEnqueue(t *testing.T) {
	t.Parallel()
	script(t, "enqueue")
}
