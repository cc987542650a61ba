package trial

import (
	"fmt"
	"math/rand/v2"
)

// lineBytes is the most that all lines take together.
const lineBytes = 16 << 20

// linesOf returns up to a thousand entries of so many bytes, newline included, that
// differ as those of a service do: numbers and names vary, the rest is the same. They are the same in
// every run.
func linesOf(size int) [][]byte {
	random := rand.New(rand.NewPCG(1, uint64(size)))
	lines := make([][]byte, max(4, min(1000, lineBytes/max(size, 1))))
	for i := range lines {
		line := fmt.Appendf(nil, `{"level":"info","order":"%016x","customer":%d,"total":%.2f,"logtime":"2026-01-02T03:04:05.%03dZ","caller":"orders/place.go:123","msg":"order placed","items":%d,"text":"`,
			random.Uint64(), random.IntN(1e6), random.Float64()*1000, i, random.IntN(20))
		for len(line) < size {
			line = append(append(line, words[random.IntN(len(words))]...), ' ')
		}
		lines[i] = append(line[:max(0, size-3)], "\"}\n"...)
	}
	return lines
}

// ordersOf returns so many names of sixteen letters.
func ordersOf(n int) []string {
	random := rand.New(rand.NewPCG(3, 4))
	orders := make([]string, n)
	for i := range orders {
		orders[i] = fmt.Sprintf("%016x", random.Uint64())
	}
	return orders
}

// words are what long entries consist of.
var words = []string{
	"the", "order", "was", "placed", "by", "customer", "and", "will", "be", "sent", "from", "warehouse", "seven", "when", "payment", "arrives",
	"retry", "after", "timeout", "of", "upstream", "service", "with", "status", "connection", "reset", "peer", "context", "deadline", "exceeded",
}
