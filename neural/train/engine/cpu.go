package engine

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/daedalus-search/daedalus/neural/train/internal/cpu"
)

func openCPU(c Config) (*Device, error) {
	threads := c.Threads
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	b, err := cpu.New(threads, c.Memory)
	if err != nil {
		return nil, err
	}
	return &Device{b: b, name: fmt.Sprintf("cpu (%d threads)", threads), native: true, shared: true}, nil
}

func isMemory(err error) bool { return errors.Is(err, cpu.ErrMemory) }
