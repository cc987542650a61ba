package zapkafka

import "syscall"

// cannotSync is what FlushFileBuffers answers for a console:
// ERROR_INVALID_HANDLE.
var cannotSync = []error{syscall.Errno(6), syscall.EINVAL}
