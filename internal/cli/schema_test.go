package cli

import "testing"

func TestSchema(t *testing.T) {
	t.Parallel()
	script(t, "schema")
}
