package chaos

import (
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/zapkafka/zapkafka/integration/proxy"
	"github.com/zapkafka/zapkafka/integration/service"
)

// badLine has a fault on the way to all brokers for some time, under load.
func badLine(x *trial, fault proxy.Fault, full time.Duration, outage bool, args ...string) {
	line := x.throughProxies()
	p := x.healthy(long(5*time.Second, 2*time.Second), args...)
	line.set(fault)
	if outage {
		x.outage(p)
		x.logged(p, long(full, time.Second))
	} else {
		x.logged(p, long(full, 6*time.Second))
	}
	a := p.Ask(x, service.Stats)
	x.figure("state at the end of the fault", a.State)
	x.figure("on file", a.Fallback.OnFile)
	if fault.CutAfter > 0 {
		n := line.cuts()
		x.figure("connections cut", n)
		if n < 3 {
			x.Errorf("%d connections were cut: the fault was none", n)
		}
	}
	line.set(proxy.Fault{})
	x.figure("time to replay", x.replayed(p))
	x.logged(p, long(5*time.Second, time.Second))
	x.notDoubled(x.finish(p))
}

func refuse(x *trial) { badLine(x, proxy.Fault{Refuse: true}, 20*time.Second, true) }
func mute(x *trial)   { badLine(x, proxy.Fault{Mute: true}, 35*time.Second, true) }
func stall(x *trial)  { badLine(x, proxy.Fault{Stall: true}, 35*time.Second, true) }
func latency(x *trial) {
	badLine(x, proxy.Fault{Latency: 250 * time.Millisecond}, 20*time.Second, false)
}

// cut ends connections in the middle of a produce request, after some that went
// through: entries are stored without the client being told.
func cut(x *trial) { badLine(x, proxy.Fault{CutAfter: int64(x.rate)}, 30*time.Second, false) }

// slow leaves a byte for each entry, which none can be compressed to.
// The memory holds some seconds of the load.
func slow(x *trial) {
	badLine(x, proxy.Fault{BytesPerSecond: x.rate / 3}, 45*time.Second, false, "-buffer", fmt.Sprint(8<<20))
}

// badLines are the proxies before all brokers.
type badLines []*proxy.Proxy

// set makes the same fault in all of them.
func (all badLines) set(f proxy.Fault) {
	for _, p := range all {
		p.Set(f)
	}
}

func (all badLines) cuts() (n int) {
	for _, p := range all {
		n += p.Cuts()
	}
	return n
}

// throughProxies puts a proxy before each broker.
func (x *trial) throughProxies() badLines {
	x.Helper()
	var all badLines
	x.brokers = nil
	for _, target := range x.kafka.BehindProxy(x) {
		host, port, err := net.SplitHostPort(target)
		if err != nil {
			x.Fatal(err)
		}
		n, err := strconv.Atoi(port)
		if err != nil {
			x.Fatal(err)
		}
		p, err := proxy.New(net.JoinHostPort(host, fmt.Sprint(n+10)), target)
		if err != nil {
			x.Fatal(err)
		}
		x.Cleanup(func() {
			if err := p.Close(); err != nil {
				x.Error(err)
			}
		})
		all, x.brokers = append(all, p), append(x.brokers, p.Addr())
	}
	return all
}
