package spool

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// The names in a fallback directory. All are lower case, for file systems that
// do not tell cases apart.
const (
	lockName     = "lock"
	probeName    = "probe"
	rejectedName = "rejected.jsonl"

	quarantineName = "quarantine.jsonl"

	textExt  = ".log"
	indexExt = ".idx"

	// numberDigits makes names sort as their numbers do.
	numberDigits = 20

	ownerPrefix = "owner-"
	maxOwners   = 9999
)

func segmentName(number uint64) string { return fmt.Sprintf("%0*d", numberDigits, number) }

// segmentNumber returns the number of the segment that a file belongs to. Any
// extension counts, those of later releases too: a number is not given again
// while anything bears it.
func segmentNumber(name string) (number uint64, ext string, ok bool) {
	ext = filepath.Ext(name)
	digits := strings.TrimSuffix(name, ext)
	if len(digits) != numberDigits || ext == "" {
		return 0, "", false
	}
	number, err := strconv.ParseUint(digits, 10, 63)
	return number, ext, err == nil && number > 0
}

// ours reports whether a file counts towards the cap.
func ours(name string) bool {
	if _, _, ok := segmentNumber(name); ok {
		return true
	}
	return strings.HasPrefix(name, "rejected") || strings.HasPrefix(name, "quarantine") || strings.HasPrefix(name, "cursor")
}

func ownerName(number int) string { return fmt.Sprintf("%s%04d", ownerPrefix, number) }

// isOwner reports whether name is that of an owner's subdirectory.
func isOwner(name string) bool {
	n, err := strconv.Atoi(strings.TrimPrefix(name, ownerPrefix))
	return err == nil && n >= 2 && n <= maxOwners && name == ownerName(n)
}
