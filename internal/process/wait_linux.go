package process

import "golang.org/x/sys/unix"

// AwaitExit waits until the program has ended without reaping it, so that its
// process id cannot be taken by another one while its group is killed. It
// reports false where the system cannot do so.
func (g *Group) AwaitExit() bool {
	for {
		err := unix.Waitid(unix.P_PID, g.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return err == nil
		}
	}
}
