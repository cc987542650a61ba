//go:build !windows && !plan9

package zapkafka

import "syscall"

// cannotSync is what fsync answers for a file that stands for no disk.
var cannotSync = []error{syscall.EINVAL, syscall.ENOTSUP, syscall.ENOTTY, syscall.EBADF}
