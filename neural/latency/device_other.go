//go:build !linux && !darwin

package latency

import "os"

// cpuName is what the system calls the processor; Windows says it in the
// environment.
func cpuName() string {
	if name := os.Getenv("PROCESSOR_IDENTIFIER"); name != "" {
		return name
	}
	return "unknown processor"
}
