package cli

import "testing"

func TestAsk(t *testing.T) {
	t.Parallel()
	script(t, "ask")
}
