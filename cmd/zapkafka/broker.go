package main

import (
	"errors"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// broker is a Kafka inside this program, on a port of the loopback interface.
type broker struct {
	cluster *kfake.Cluster
	away    atomic.Bool
}

var errAway = errors.New("the broker is away")

// startBroker starts one with a topic of three partitions.
func startBroker(topic string, more ...kfake.Opt) (*broker, error) {
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(3, topic)}, more...)...)
	if err != nil {
		return nil, err
	}
	b := &broker{cluster: cluster}
	cluster.Control(func(kmsg.Request) (kmsg.Response, error, bool) {
		if !b.away.Load() {
			return nil, nil, false
		}
		cluster.KeepControl()
		return nil, errAway, true // its connection breaks
	})
	return b, nil
}

func (b *broker) addrs() []string { return b.cluster.ListenAddrs() }

// leave makes every request break its connection before it does anything, until
// comeBack.
func (b *broker) leave() { b.away.Store(true) }

func (b *broker) comeBack() { b.away.Store(false) }

func (b *broker) close() { b.cluster.Close() }
