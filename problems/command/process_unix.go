//go:build unix

package command

import (
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// textBusy means that somebody still writes the program.
const textBusy = syscall.ETXTBSY

// A group is the process group that a program leads.
type group struct{ cmd *exec.Cmd }

func newGroup(cmd *exec.Cmd) *group {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return &group{cmd}
}

func (g *group) started() {}
func (g *group) close()   {}

func (g *group) terminate() { _ = syscall.Kill(-g.cmd.Process.Pid, syscall.SIGTERM) }
func (g *group) kill()      { _ = syscall.Kill(-g.cmd.Process.Pid, syscall.SIGKILL) }

// signalOf names the signal by which a program died, such as "SIGSEGV
// (segmentation fault)", or returns "".
func signalOf(s *os.ProcessState) string {
	w, ok := s.Sys().(syscall.WaitStatus)
	if !ok || !w.Signaled() {
		return ""
	}
	if name := unix.SignalName(w.Signal()); name != "" {
		return name + " (" + w.Signal().String() + ")"
	}
	return w.Signal().String()
}
