package latency

import "golang.org/x/sys/unix"

// cpuName is what the system calls the processor.
func cpuName() string {
	if name, err := unix.Sysctl("machdep.cpu.brand_string"); err == nil && name != "" {
		return name
	}
	return "unknown processor"
}
