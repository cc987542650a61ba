package zapkafka

// LevelStats has one set of counts for each level: index 0 is Debug (zapcore level
// -1) up to 6 Fatal, and 7 is for entries whose level the sink was not told (those of
// KafkaSyncer.Write) or does not know.
type LevelStats [8]LevelCounts

// LevelCounts are the outcomes of the entries of one level; see [Stats].
type LevelCounts struct {
	// Accepted is how many were given to Write, and the others what became of them.
	Accepted, Acked, FellBack, Shed, Lost uint64
}

// LevelName returns the label of index i of [LevelStats]: "debug" ... "fatal",
// "unknown".
func LevelName(i int) string {
	names := [8]string{"debug", "info", "warn", "error", "dpanic", "panic", "fatal", "unknown"}
	if i < 0 || i >= len(names) {
		return "unknown"
	}
	return names[i]
}

// stubLevels counts everything as unknown: no level comes with an entry yet.
func stubLevels(st *Stats) LevelStats {
	var l LevelStats
	l[7] = LevelCounts{Accepted: st.Accepted, Acked: st.Acked, FellBack: st.FellBack.Total(), Shed: st.Shed, Lost: st.Lost.Total()}
	return l
}
