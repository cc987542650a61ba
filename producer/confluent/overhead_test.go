//go:build cgo

package confluent

import (
	"bufio"
	"context"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/zapkafka/zapkafka"
)

// Environment of the process that is measured.
const (
	overheadAddr = "CONFLUENT_TEST_OVERHEAD_BROKER"
	overheadSize = "CONFLUENT_TEST_OVERHEAD_SIZE"
	overheadKind = "CONFLUENT_TEST_OVERHEAD_KIND"
)

const overheadTotal = 16 << 20

// TestOverhead measures the resident memory that 16 MiB of values cost beside
// themselves and their Records, in a process of its own, and holds the declared
// overhead against it: what the C library holds, no Go profile shows.
func TestOverhead(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc/self/statm, which only Linux has")
	}
	if raceEnabled {
		t.Skip("the race detector needs memory for each byte too")
	}
	for _, test := range []struct {
		size int
		kind string
		mute bool // after a while; else there is no broker
	}{
		{50, "lines", true},
		{50, "noise", false},
		{200, "noise", true},
		{1000, "noise", true},
		{1000, "lines", false},
		{10_000, "lines", true},
		{100_000, "noise", true},
	} {
		t.Run(fmt.Sprintf("%d B/%s/mute=%t", test.size, test.kind, test.mute), func(t *testing.T) {
			measureOverhead(t, test.size, test.kind, test.mute)
		})
	}
}

func measureOverhead(t *testing.T, size int, kind string, connected bool) {
	n := int64(overheadTotal / size)
	declared := n*int64(overhead.RecordBytes) + overheadTotal*int64(overhead.ValuePercent)/100
	for attempt := 1; ; attempt++ {
		worst, last := heldBy(t, size, kind, connected)
		t.Logf("%d records: at worst %d B a record, at last %d B; declared %d B (%d %%)", n, worst/n, last/n, declared/n, 100*worst/declared)
		if worst > declared*3/4 {
			// On a busy machine the allocator's arenas grow with the moment at which
			// each of librdkafka's threads ran.
			if attempt < 3 {
				continue
			}
			t.Errorf("%d bytes held, %d declared: want at most three quarters", worst, declared)
		}
		// The values are copied, so this much must be there. Resident memory also
		// falls, when the system or the allocator takes back what the warming up
		// has left: then nothing was measured.
		switch {
		case last >= overheadTotal*3/4:
			return
		case attempt == 5:
			t.Errorf("%d bytes for %d bytes of values, which are copied: the measurement is broken", last, overheadTotal)
			return
		}
	}
}

// heldBy has a process hold the values, and returns by how much its resident
// memory was higher at most and in the end.
func heldBy(t *testing.T, size int, kind string, connected bool) (worst, last int64) {
	addr := "127.0.0.1:1"
	var c *kafka.MockCluster
	if connected {
		c = mockCluster(t, 3)
		addr = c.BootstrapServers()
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), overheadAddr+"="+addr, overheadSize+"="+strconv.Itoa(size), overheadKind+"="+kind)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		line := lines.Text()
		if line == "warm" {
			if c != nil {
				if err := c.SetRoundtripDuration(-1, 10*time.Minute); err != nil {
					t.Error(err)
				}
			}
			fmt.Fprintln(in, "go")
		} else if n, _ := fmt.Sscanf(line, "held %d %d", &worst, &last); n != 2 {
			t.Error(line)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return worst, last
}

// overheadChild is the process that is measured.
func overheadChild(addr string) {
	size, _ := strconv.Atoi(os.Getenv(overheadSize))
	value := logLine
	if os.Getenv(overheadKind) == "noise" {
		value = noise
	}
	brokers := strings.Split(addr, ",")
	p, err := New(brokers, nil)
	if err == nil {
		_, err = p.Start(zapkafka.Limits{Records: 1 << 21, Bytes: 1 << 30, RecordBytes: 1 << 20, DeliveryTimeout: time.Hour}, nil)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	const call = 1300
	rnd := rand.New(rand.NewSource(1))
	make1 := func(done func(error)) *zapkafka.Record {
		return zapkafka.NewRecord(topic, value(rnd, size), done)
	}
	if addr != "127.0.0.1:1" {
		for range 20 {
			rs := make([]*zapkafka.Record, call)
			acks := make(chan error, call)
			for i := range rs {
				rs[i] = make1(func(err error) { acks <- err })
			}
			p.Produce(context.Background(), rs)
			for range rs {
				if err := <-acks; err != nil {
					fmt.Println(err)
				}
			}
		}
	}
	rs := make([]*zapkafka.Record, overheadTotal/size)
	for i := range rs {
		rs[i] = make1(nil)
	}
	fmt.Println("warm")
	if _, err := fmt.Scanln(new(string)); err != nil {
		fmt.Println(err)
	}
	before := resident()
	var worst, last int64
	sample := func() {
		last = resident() - before
		worst = max(worst, last)
	}
	for i := 0; i < len(rs); i += call {
		p.Produce(context.Background(), rs[i:min(i+call, len(rs))])
		if i/call%16 == 0 {
			sample()
		}
	}
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		sample()
	}
	runtime.KeepAlive(rs)
	fmt.Println("held", worst, last)
	os.Exit(0) // without a Close: the cluster answers in ten minutes
}

// resident returns the bytes of the process that are in memory, without what Go
// has to collect.
func resident() int64 {
	debug.FreeOSMemory()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		fmt.Println(err)
		return 0
	}
	pages, err := strconv.ParseInt(strings.Fields(string(b))[1], 10, 64)
	if err != nil {
		fmt.Println(err)
	}
	return pages * int64(os.Getpagesize())
}

// logLine returns an entry as zap writes it, which compresses as such do.
func logLine(rnd *rand.Rand, size int) []byte {
	var b []byte
	for len(b) < size {
		b = fmt.Appendf(b, `{"level":"info","logtime":"2026-01-02T03:04:%06.3f","caller":"api/order.go:%d","msg":"order accepted","order":%d,"user":"u%d","took":"%dms"}`,
			rnd.Float64()*60, rnd.Intn(900), rnd.Int63(), rnd.Intn(1e6), rnd.Intn(1000))
	}
	return append(make([]byte, 0, size), b[:size]...)
}

func noise(rnd *rand.Rand, size int) []byte {
	b := make([]byte, size)
	rnd.Read(b)
	return b
}
