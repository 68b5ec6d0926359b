//go:build !xla

package engine

import (
	"errors"

	"github.com/gomlx/compute"
)

func openXLA(string) (compute.Backend, error) {
	return nil, errors.New("this program was built without it; build it with -tags xla, and CGO_ENABLED=1")
}
