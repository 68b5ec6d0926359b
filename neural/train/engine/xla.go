//go:build xla

package engine

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
)

// openXLA loads a PJRT plugin: that of a path, or the first that is found where
// PJRT_PLUGIN_LIBRARY_PATH says. Nothing is downloaded.
func openXLA(path string) (compute.Backend, error) {
	xla.EnableAutoInstall(false)
	return xla.New(path)
}
