//go:build !race

package zapkafka

import (
	"bytes"
	"errors"
	"runtime"
	"syscall"
	"testing"
)

// An arena that was released comes back empty: it gave its pages to the system.
func TestMappedArenaIsReusedZeroed(t *testing.T) {
	a := &mapped{all: make(map[*byte][]byte)}
	defer a.unmap()
	first, second := a.allocate(arenaBytes), a.allocate(arenaBytes)
	for i := range first {
		first[i], second[i] = 'x', 'y'
	}
	a.release(first)
	again := a.allocate(arenaBytes)
	if &again[0] != &first[0] {
		t.Error("an arena that was released is not used again")
	}
	for i := range again {
		if again[i] != 0 {
			t.Fatalf("byte %d of an arena used again is %q", i, again[i])
		}
		again[i] = 'z' // still writable
	}
	for i := range second {
		if second[i] != 'y' {
			t.Fatalf("byte %d of an arena in use was changed to %q", i, second[i])
		}
	}
	if len(a.all) != 2 || len(a.free) != 0 {
		t.Errorf("%d mappings, %d of them free; want 2 and none", len(a.all), len(a.free))
	}
}

// Memory of the heap stays the collector's, even if it has the size of an arena.
func TestMappedIgnoresWhatItDidNotMap(t *testing.T) {
	a := &mapped{all: make(map[*byte][]byte)}
	defer a.unmap()
	mine := a.allocate(arenaBytes)
	for _, n := range []int{0, 1, arenaBytes - 1, arenaBytes, arenaBytes + 1} {
		text := make([]byte, n)
		for i := range text {
			text[i] = 'x'
		}
		a.release(text)
		for i := range text {
			if text[i] != 'x' {
				t.Fatalf("byte %d of %d on the heap was changed", i, n)
			}
		}
	}
	a.release(nil)
	if large := a.allocate(arenaBytes * 2); len(large) != 2*arenaBytes {
		t.Errorf("%d bytes for a large entry", len(large))
	}
	if len(a.free) != 0 || len(a.all) != 1 || a.all[&mine[0]] == nil {
		t.Errorf("%d mappings, %d of them free; want the one that was made", len(a.all), len(a.free))
	}
}

func TestUnmapEndsAllMappings(t *testing.T) {
	a := &mapped{all: make(map[*byte][]byte)}
	texts := [][]byte{a.allocate(arenaBytes), a.allocate(arenaBytes)}
	a.release(texts[1])
	a.unmap()
	for i, text := range texts {
		// The package syscall knows which mappings it made and has not ended.
		if err := syscall.Munmap(text); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("arena %d was mapped still: munmap = %v", i, err)
		}
	}
}

// As long as a client holds a record its value can be read, also when nobody
// else knows the queue any more.
func TestRecordKeepsItsArena(t *testing.T) {
	var held []*Record
	for i := 0; i < 8; i++ {
		o, _ := (*Options)(nil).withDefaults()
		q, err := newQueue(o, Overhead{})
		if err != nil {
			t.Fatal(err)
		}
		q.linger = 0
		if err := q.put(&noMeta, line200); err != nil {
			t.Fatal(err)
		}
		c, _ := q.takeForProducer(q.open.opened)
		c.makeRecords("t")
		held = append(held, &c.records[0])
	}
	finalized := make(chan struct{})
	runtime.SetFinalizer(&mapped{all: map[*byte][]byte{}}, func(*mapped) { close(finalized) })
	eventually(t, "the collector to find what nobody holds", func() bool { runtime.GC(); return isClosed(finalized) })
	runtime.GC()
	for _, r := range held {
		if !bytes.Equal(r.Value, line200[:len(line200)-1]) {
			t.Errorf("the value of a record that is held reads %.20q", r.Value)
		}
	}
}
