package ort

import "testing"

func TestOlder(t *testing.T) {
	for version, want := range map[string]bool{"1.10.0": true, "1.9.2": true, "0.5": true, "1.12.0": false, "1.32.0": false, "2.0.0": false, "1.12": false, "next": false, "": false} {
		if got := older(version, 12); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
}
