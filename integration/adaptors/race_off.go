//go:build !race

package adaptors

// RaceEnabled says whether this build has the race detector.
const RaceEnabled = false
