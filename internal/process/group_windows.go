package process

import (
	"os"
	"os/exec"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// TextBusy means that somebody still writes the program.
const TextBusy = windows.ERROR_SHARING_VIOLATION

// A Group is a program and everything it started, held together by a job
// object. What the program starts in the moment before it is put into the job
// escapes.
type Group struct {
	cmd *exec.Cmd
	job windows.Handle
}

// NewGroup prepares a program that is not started yet to lead a group.
func NewGroup(cmd *exec.Cmd) *Group {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
	return &Group{cmd: cmd}
}

// Started is called right after the program has started.
func (g *Group) Started() {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return
	}
	info := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{
		BasicLimitInformation: windows.JOBOBJECT_BASIC_LIMIT_INFORMATION{LimitFlags: windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE},
	}
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation, uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)))
	if err == nil {
		var h windows.Handle
		if h, err = windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(g.cmd.Process.Pid)); err == nil {
			err = windows.AssignProcessToJobObject(job, h)
			_ = windows.CloseHandle(h)
		}
	}
	if err != nil {
		_ = windows.CloseHandle(job)
		return
	}
	g.job = job
}

// Close gives up the group; on Windows that ends what is left of it.
func (g *Group) Close() {
	if g.job != 0 {
		_ = windows.CloseHandle(g.job)
	}
}

// Terminate asks all of the group to end.
func (g *Group) Terminate() {
	_ = windows.GenerateConsoleCtrlEvent(windows.CTRL_BREAK_EVENT, uint32(g.cmd.Process.Pid))
}

// Kill ends all of the group. The program must not have been reaped: its number
// may be another one's since.
func (g *Group) Kill() {
	if g.job != 0 {
		_ = windows.TerminateJobObject(g.job, 1)
	}
	_ = g.cmd.Process.Kill() // does nothing to one that has ended
}

// SignalOf returns "": there are no signals.
func SignalOf(*os.ProcessState) string { return "" }
