package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// size is a number of bytes as a flag: 4194304, 4096KiB or 4MiB.
type size int64

var units = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// String writes the size in the largest unit in which it is whole.
func (s *size) String() string {
	for _, u := range units {
		if int64(*s)%u.bytes == 0 && *s != 0 {
			return fmt.Sprint(int64(*s)/u.bytes, u.name)
		}
	}
	return "0B"
}

// Set reads a size.
func (s *size) Set(text string) error {
	number, unit := text, int64(1)
	for _, u := range units {
		if n, ok := strings.CutSuffix(text, u.name); ok {
			number, unit = n, u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return fmt.Errorf("%q is not a size: write it like 64MiB, 512KiB or 1GiB", text)
	}
	*s = size(n * unit)
	return nil
}
