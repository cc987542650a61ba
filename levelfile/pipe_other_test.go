//go:build !unix

package levelfile

import "errors"

func makePipe(string) error { return errors.ErrUnsupported }
