package franz

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A partitioner of the user's is not called for what is no record.
func TestPartitionOfAnotherPartitioner(t *testing.T) {
	c := newCluster(t, kfake.SeedTopics(12, "many"))
	p := start(t, c.ListenAddrs(), limits(10*time.Second), newErrorLog(), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
	for range 20 {
		if _, known := p.Partition("many", []byte("k")); known {
			t.Fatal("known")
		}
	}
	if err := p.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if _, known := p.Partition("many", []byte("k")); known {
		t.Error("known after Close")
	}
}
