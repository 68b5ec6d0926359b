package latency

import "os"

// cpuName is what the system calls the processor.
func cpuName() string {
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if name := cpuText(string(text)); name != "" {
			return name
		}
	}
	return "unknown processor"
}
