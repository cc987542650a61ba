package zapkafka

import "syscall"

// cannotSync is what the system answers for a file that stands for no disk.
var cannotSync = []error{syscall.EINVAL, syscall.EPLAN9}
