package zapkafka

import (
	"sync/atomic"

	"go.uber.org/zap/zapcore"
)

// LevelStats are the entries by level: index 0 is Debug, 1 Info, and so on to 6,
// Fatal; 7 is for entries whose level the syncer was not told, as it is with those of
// [KafkaSyncer.Write], or that is none of zap's. [LevelName] names an index.
type LevelStats [levelRanks]LevelCounts

// LevelCounts are the outcomes of the entries of one level. The balance of [Stats]
// holds for each of them when nothing is under way:
//
//	Accepted == Acked + FellBack + Shed + Lost
//
// and the sums over all levels are the numbers of Stats.
type LevelCounts struct {
	// Accepted is how many entries were given to the syncer.
	Accepted uint64
	// Acked is how many Kafka has acknowledged.
	Acked uint64
	// FellBack is how many are on file.
	FellBack uint64
	// Shed is how many were dropped for their level.
	Shed uint64
	// Lost is how many are nowhere for another reason.
	Lost uint64
}

// LevelName returns the name of index i of [LevelStats]: "debug" to "fatal", and
// "unknown" for 7 and whatever is no index.
func LevelName(i int) string {
	if i < 0 || i >= levelRanks-1 {
		return "unknown"
	}
	return (zapcore.DebugLevel + zapcore.Level(i)).String()
}

// levelRank is a level as the queue counts it: 1 is Debug, 7 Fatal. 0 is an entry of
// which no level is known, so that the zero meta says so.
type levelRank uint8

const levelRanks = 8

func rankOf(level zapcore.Level) levelRank {
	if level < zapcore.DebugLevel || level > zapcore.FatalLevel {
		return 0
	}
	return levelRank(level - zapcore.DebugLevel + 1)
}

// level is the level of a rank that is not 0.
func (r levelRank) level() zapcore.Level { return zapcore.DebugLevel + zapcore.Level(r) - 1 }

// index is the rank's place in LevelStats.
func (r levelRank) index() int { return (int(r) + levelRanks - 1) % levelRanks }

// rankCounts are numbers of entries by rank.
type rankCounts [levelRanks]uint64

func (n *rankCounts) total() uint64 {
	sum := uint64(0)
	for _, k := range n {
		sum += k
	}
	return sum
}

// rankCounters are rankCounts that several goroutines add to.
type rankCounters [levelRanks]atomic.Uint64

func (c *rankCounters) add(n *rankCounts) {
	for r, k := range n {
		if k > 0 {
			c[r].Add(k)
		}
	}
}

func (c *rankCounters) total() uint64 {
	sum := uint64(0)
	for r := range c {
		sum += c[r].Load()
	}
	return sum
}

// levelStatsLocked is the sheet by level.
func (q *queue) levelStatsLocked() LevelStats {
	var s LevelStats
	c := &q.counters
	for r := levelRank(0); r < levelRanks; r++ {
		n := &s[r.index()]
		n.Accepted = q.acceptedBy[r]
		if q.open != nil {
			n.Accepted += uint64(q.open.ranks[r])
		}
		n.Acked, n.FellBack = c.acked[r].Load(), c.fellBackBy[r].Load()
		n.Shed, n.Lost = c.shed[r].Load(), c.lostBy[r].Load()
	}
	return s
}
