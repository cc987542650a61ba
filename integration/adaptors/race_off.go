//go:build !race

package adaptors

// raceEnabled says whether this build has the race detector.
const raceEnabled = false
