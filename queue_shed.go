package zapkafka

// This file is what the queue drops by level: see Stats.Shed.

// rankSet says of each level whether it is in the set.
type rankSet [levelRanks]bool

// forFallback is the levels that go to the fallback at the moment.
func (q *queue) forFallback() rankSet {
	var kept rankSet
	for r := range kept {
		kept[r] = r == 0 || q.fallbackLevel == nil || q.fallbackLevel.Enabled(levelRank(r).level())
	}
	return kept
}

// split divides n into the levels of the set and the others.
func (in *rankSet) split(n *rankCounts) (inside, others *rankCounts) {
	inside, others = new(rankCounts), new(rankCounts)
	for r, k := range n {
		if in[r] {
			inside[r] = k
		} else {
			others[r] = k
		}
	}
	return inside, others
}

// hasAll reports whether every entry of c is of the set.
func (in *rankSet) hasAll(c *chunk) bool {
	for r, n := range c.ranks {
		if n > 0 && !in[r] {
			return false
		}
	}
	return true
}

// dropLocked counts n entries of c, from entry i on, that are in nobody's hands any
// more: those that the fallback does not want are shed, the others lost. It returns
// how many are lost.
func (q *queue) dropLocked(c *chunk, i, n int, why lostReason, kept *rankSet) uint64 {
	gone, shed := kept.split(c.count(i, n))
	q.counters.shed.add(shed)
	q.counters.addLost(why, gone)
	if kept.hasAll(c) {
		q.lastResort.takeAll(n, func(k int) []byte { return c.line(i + k) })
		return uint64(n)
	}
	var those []int
	for k := i; k < i+n; k++ {
		if kept[c.mem.ranks[k]] {
			those = append(those, k)
		}
	}
	q.lastResort.takeAll(len(those), func(k int) []byte { return c.line(those[k]) })
	return uint64(len(those))
}

// shedRecords gives those records of c that are the fallback's, but not wanted there,
// their outcome.
func (c *chunk) shedRecords(kept rankSet) {
	if kept.hasAll(c) {
		return
	}
	var n rankCounts
	for i := range c.records {
		r := &c.records[i]
		if !kept[r.level] && r.state.Load()&outcomeBits == theFallbacks && settleRecord(r, shed) {
			n[r.level]++
		}
	}
	c.q.counters.shed.add(&n)
	if sum := n.total(); sum > 0 {
		c.finish(sum, sum)
	}
}
