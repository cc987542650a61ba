package kafkago

import (
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
)

// NoCompression is the value of [Config].Compression for batches that are sent
// as they are. kafka-go's own kafka.Compression(0) cannot say it: zero means the
// default here.
const NoCompression kafka.Compression = -1

const (
	defaultBatchBytes = 256 << 10
	maxBatchBytes     = 64 << 20
)

// requestTimeout is for how long one attempt may last, connecting included. A
// record may be reported that much after its deadline, and 10 seconds are
// promised. The broker is given half of it (kafka-go v0.4.51, client.go,
// Client.timeout). There should be time for two attempts.
func requestTimeout(delivery time.Duration) time.Duration {
	return min(6*time.Second, max(time.Second, delivery/2))
}

// Config is what can be set of a [Producer]. The zero value of a field is its
// default. New copies it.
type Config struct {
	// Transport has the settings of the connections: TLS, SASL, Dial, Resolver,
	// ClientID, DialTimeout, IdleTimeout and MetadataTTL. New reads the fields; no
	// request goes through the Transport itself, so it may be shared, and whoever
	// made it need not close it. MetadataTopics and Context must not be set: the
	// Producer asks for the topics of the records alone, and ends its connections
	// in Close.
	//
	// Default: ClientID "zapkafka", 3 seconds to connect, connections closed
	// after 30 seconds without use, leaders asked for about twice a minute (about
	// once a second while something fails).
	Transport *kafka.Transport

	// Balancer chooses the partition of a record. It is called with Topic, Key,
	// Value and Time of the message, under a lock of the Producer, and must not
	// keep any of them. For a record without a key it is offered the partitions
	// that work, for one with a key all of them.
	//
	// Default: records with a key go where the Java client would put them
	// (kafka.Murmur2Balancer); those without stay with a partition for 64 KiB.
	Balancer kafka.Balancer

	// Compression is the codec of the batches: kafka.Snappy, kafka.Lz4, kafka.Zstd,
	// kafka.Gzip or NoCompression. Default: kafka.Snappy.
	Compression kafka.Compression

	// RequiredAcks is how many replicas must have stored a batch before it counts
	// as delivered: kafka.RequireAll, or kafka.RequireOne for the leader alone,
	// with which an entry can be acknowledged and lost. There is no way to ask for
	// none: kafka.RequireNone is the zero value and means the default.
	// Default: kafka.RequireAll.
	RequiredAcks kafka.RequiredAcks

	// BatchBytes is the size at which a batch is full, in bytes of values, keys
	// and headers before compression, at most 64 MiB. A larger record goes in a
	// batch of its own. Each partition has one batch under way, of which the
	// Producer holds a copy. Default: 256 KiB.
	BatchBytes int

	// AllowAutoTopicCreation asks the brokers to create a topic that is missing.
	// They do so when auto.create.topics.enable is set for them. Default: false.
	AllowAutoTopicCreation bool
}

// withDefaults returns a copy of the settings with every default filled in, or
// what is wrong with them, all at once.
func (c *Config) withDefaults() (Config, error) {
	var full Config
	if c != nil {
		full = *c
	}
	var errs []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf("kafkago: "+format, args...))
		}
	}
	refuse(full.BatchBytes < 0 || full.BatchBytes > maxBatchBytes,
		"Config.BatchBytes is %d, must be from 1 to %d, or 0 for %d", full.BatchBytes, maxBatchBytes, defaultBatchBytes)
	switch full.RequiredAcks {
	case kafka.RequireNone: // the zero value
		full.RequiredAcks = kafka.RequireAll
	case kafka.RequireAll, kafka.RequireOne:
	default:
		refuse(true, "Config.RequiredAcks is %d, must be kafka.RequireAll or kafka.RequireOne", int(full.RequiredAcks))
	}
	switch {
	case full.Compression == 0:
		full.Compression = kafka.Snappy
	case full.Compression == NoCompression:
		full.Compression = 0
	case full.Compression < 0 || full.Compression.Codec() == nil:
		refuse(true, "Config.Compression is %d, must be kafka.Snappy, kafka.Lz4, kafka.Zstd, kafka.Gzip or kafkago.NoCompression", int8(full.Compression))
	}
	if full.BatchBytes == 0 {
		full.BatchBytes = defaultBatchBytes
	}
	if full.Transport == nil {
		full.Transport = new(kafka.Transport)
	}
	t := full.Transport
	refuse(len(t.MetadataTopics) > 0, "Config.Transport.MetadataTopics is set: the topics are those of the records, leave it out")
	refuse(t.Context != nil, "Config.Transport.Context is set: connections end with Close, leave it out")
	refuse(t.DialTimeout < 0, "Config.Transport.DialTimeout is %v, must not be negative", t.DialTimeout)
	refuse(t.IdleTimeout < 0, "Config.Transport.IdleTimeout is %v, must not be negative", t.IdleTimeout)
	refuse(t.MetadataTTL < 0, "Config.Transport.MetadataTTL is %v, must not be negative", t.MetadataTTL)
	full.Transport = settings(t)
	return full, errors.Join(errs...)
}

// settings returns a Transport with the fields of t and our defaults. It is never
// used for a request.
func settings(t *kafka.Transport) *kafka.Transport {
	s := withFields(t)
	if s.DialTimeout == 0 {
		s.DialTimeout = 3 * time.Second
	}
	if s.MetadataTTL == 0 {
		s.MetadataTTL = time.Minute // kafka-go waits for a random part of it
	}
	if s.ClientID == "" {
		s.ClientID = "zapkafka"
	}
	return s
}

// withFields returns a Transport with the fields of t that are settings, without
// its connections. MetadataTopics and Context are refused before.
func withFields(t *kafka.Transport) *kafka.Transport {
	return &kafka.Transport{
		Dial:        t.Dial,
		DialTimeout: t.DialTimeout,
		IdleTimeout: t.IdleTimeout,
		MetadataTTL: t.MetadataTTL,
		ClientID:    t.ClientID,
		TLS:         t.TLS,
		SASL:        t.SASL,
		Resolver:    t.Resolver,
	}
}
