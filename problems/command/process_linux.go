package command

import "golang.org/x/sys/unix"

// awaitExit waits until the program has ended without reaping it, so that its
// process id cannot be taken by another one while its group is killed. It
// reports false where the system cannot do so.
func (g *group) awaitExit() bool {
	for {
		err := unix.Waitid(unix.P_PID, g.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return err == nil
		}
	}
}
