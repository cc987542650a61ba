package ibmsarama

import (
	"testing"
	"time"
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestProduce(t *testing.T) {
	c := newCluster(t)
	p := start(t, c.ListenAddrs(), limits(30*time.Second), nil, nil)
	rs, o := records(20000, numbered)
	begin := time.Now()
	p.Produce(t.Context(), rs)
	o.wantAcked(t)
	t.Log(time.Since(begin))
	stored(t, c, len(rs))
}

func TestMute(t *testing.T) {
	for _, delivery := range []time.Duration{100 * time.Millisecond, 3 * time.Second} {
		p := start(t, []string{muteBroker(t)}, limits(delivery), nil, nil)
		rs, o := records(30000, numbered)
		begin := time.Now()
		p.Produce(t.Context(), rs)
		o.wait(t, delivery+10*time.Second)
		t.Log(time.Since(begin))
		o.wantFailed(t, 0, context.DeadlineExceeded)
	}
}
func TestMuteOnProduce(t *testing.T) {
	c := newCluster(t)
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		return nil, nil, true
	})
	const delivery = 2 * time.Second
	p := start(t, c.ListenAddrs(), limits(delivery), nil, nil)
	rs, o := records(5000, numbered)
	begin := time.Now()
	p.Produce(t.Context(), rs)
		o.wait(t, delivery+10*time.Second)
		t.Log(time.Since(begin))
	o.wantFailed(t, 0, context.DeadlineExceeded)
}
