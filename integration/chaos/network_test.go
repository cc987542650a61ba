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
func badLine(fault proxy.Fault, full time.Duration, outage bool) func(*trial) {
	return func(x *trial) {
		set := x.throughProxies()
		p := x.healthy(long(5*time.Second, 2*time.Second))
		set(fault)
		if outage {
			x.outage(p)
			x.logged(p, long(full, time.Second))
		} else {
			x.logged(p, long(full, 6*time.Second))
		}
		a := p.Ask(x, service.Stats)
		x.figure("state at the end of the fault", a.State)
		set(proxy.Fault{})
		x.figure("time to replay", x.replayed(p))
		x.logged(p, long(5*time.Second, time.Second))
		x.notDoubled(x.finish(p))
	}
}

var (
	refuse  = badLine(proxy.Fault{Refuse: true}, 20*time.Second, true)
	mute    = badLine(proxy.Fault{Mute: true}, 35*time.Second, true)
	stall   = badLine(proxy.Fault{Stall: true}, 35*time.Second, true)
	cut     = badLine(proxy.Fault{CutAfter: 300_000}, 30*time.Second, false)
	slow    = badLine(proxy.Fault{BytesPerSecond: 20_000}, 45*time.Second, false)
	latency = badLine(proxy.Fault{Latency: 250 * time.Millisecond}, 20*time.Second, false)
)

// throughProxies puts a proxy before each broker, and returns what makes the
// same fault in all of them.
func (x *trial) throughProxies() (set func(proxy.Fault)) {
	x.Helper()
	var all []*proxy.Proxy
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
	return func(f proxy.Fault) {
		for _, p := range all {
			p.Set(f)
		}
	}
}
