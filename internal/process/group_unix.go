//go:build unix

package process

import (
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// TextBusy means that somebody still writes the program.
const TextBusy = syscall.ETXTBSY

// A Group is the process group that a program leads.
type Group struct{ cmd *exec.Cmd }

// NewGroup prepares a program that is not started yet to lead a group.
func NewGroup(cmd *exec.Cmd) *Group {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return &Group{cmd}
}

// Started is called right after the program has started.
func (g *Group) Started() {}

// Close gives up the group; on Windows that ends what is left of it.
func (g *Group) Close() {}

// Terminate asks all of the group to end.
func (g *Group) Terminate() { _ = syscall.Kill(-g.cmd.Process.Pid, syscall.SIGTERM) }

// Kill ends all of the group. The program must not have been reaped: its number
// may be another one's since.
func (g *Group) Kill() { _ = syscall.Kill(-g.cmd.Process.Pid, syscall.SIGKILL) }

// SignalOf names the signal by which a program died, such as "SIGSEGV
// (segmentation fault)", or returns "".
func SignalOf(s *os.ProcessState) string {
	w, ok := s.Sys().(syscall.WaitStatus)
	if !ok || !w.Signaled() {
		return ""
	}
	if name := unix.SignalName(w.Signal()); name != "" {
		return name + " (" + w.Signal().String() + ")"
	}
	return w.Signal().String()
}
