//go:build unix

package trial

import (
	"os/exec"
	"syscall"
	"time"
)

// cpuTime is what this process has used of processors, user and system.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// stopProcess and goOn are what stops a broker, and lets it go on.
const (
	stopProcess = syscall.SIGSTOP
	goOn        = syscall.SIGCONT
)

// ownGroup makes a script and what it runs a process group, which killGroup ends.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func killGroup(cmd *exec.Cmd) {
	if cmd.SysProcAttr != nil && cmd.SysProcAttr.Setpgid {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	_ = cmd.Process.Kill()
}
