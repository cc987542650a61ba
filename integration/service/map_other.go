//go:build !unix

package service

import (
	"errors"
	"os"
)

// The chaos suite freezes and kills processes, which needs Unix anyway.

func mapFile(*os.File, int) ([]byte, error) { return nil, errors.ErrUnsupported }

func unmapFile([]byte) error { return errors.ErrUnsupported }
