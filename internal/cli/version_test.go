package cli

import "testing"

func TestVersion(t *testing.T) {
	t.Parallel()
	script(t, "version")
}
