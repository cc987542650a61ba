package spool

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// holder looks the lock up in the list that the kernel keeps (proc_locks(5)),
// where a line is
//
//	1: FLOCK  ADVISORY  WRITE 16804 fe:00:9977967 0 EOF
//
// with the process, and the device and inode of the file. The device is not
// what stat(2) says on every file system (btrfs and overlayfs have several), so
// the inode finds the process and its open files decide, where we may see them.
func holder(lock os.FileInfo) Owner {
	stat, ok := lock.Sys().(*syscall.Stat_t)
	if !ok {
		return Owner{}
	}
	list, err := os.ReadFile("/proc/locks")
	if err != nil {
		return Owner{}
	}
	inode := ":" + strconv.FormatUint(stat.Ino, 10)
	for _, line := range strings.Split(string(list), "\n") {
		fields := strings.Fields(line)
		if len(fields) < 6 || fields[1] != "FLOCK" || !strings.HasSuffix(fields[5], inode) {
			continue
		}
		pid, err := strconv.Atoi(fields[4])
		if err != nil || !mayHaveOpen(pid, lock) {
			continue
		}
		return Owner{State: OwnerAlive, PID: pid}
	}
	return Owner{State: OwnerNone}
}

// mayHaveOpen reports whether the process has the file open, or does not let us
// see what it has.
func mayHaveOpen(pid int, f os.FileInfo) bool {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	open, err := os.ReadDir(dir)
	if err != nil {
		return true
	}
	for _, e := range open {
		if info, err := os.Stat(dir + "/" + e.Name()); err == nil && os.SameFile(info, f) {
			return true
		}
	}
	return false
}
