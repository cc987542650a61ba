package spool

import "sort"

// span is the bytes from to to, to excluded.
type span struct{ from, to int64 }

// spans are in order, and neither overlap nor touch.
type spans []span

// add returns s with the bytes from to to in it.
func (s spans) add(from, to int64) spans {
	if from >= to {
		return s
	}
	// All of first to last touch the new one and become one with it.
	first := sort.Search(len(s), func(i int) bool { return s[i].to >= from })
	last := first
	for last < len(s) && s[last].from <= to {
		if s[last].from < from {
			from = s[last].from
		}
		if s[last].to > to {
			to = s[last].to
		}
		last++
	}
	if first == last {
		s = append(s, span{})
		copy(s[first+1:], s[first:])
		s[first] = span{from, to}
		return s
	}
	s[first] = span{from, to}
	if last == first+1 {
		return s // the others need not be moved
	}
	return append(s[:first+1], s[last:]...)
}

// atMost returns s, or one span around all of them if there are more than n.
func (s spans) atMost(n int) spans {
	if len(s) <= n {
		return s
	}
	return spans{{s[0].from, s[len(s)-1].to}}
}

// covers reports whether all bytes from to to are in s.
func (s spans) covers(from, to int64) bool {
	i := sort.Search(len(s), func(i int) bool { return s[i].to >= to })
	return i < len(s) && s[i].from <= from
}

// prefix takes what begins at or before from off s and returns how far it goes.
func (s spans) prefix(from int64) (int64, spans) {
	for len(s) > 0 && s[0].from <= from {
		if s[0].to > from {
			from = s[0].to
		}
		s = s[1:]
	}
	return from, s
}
