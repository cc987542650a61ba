//go:build unix

package trial

import (
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
