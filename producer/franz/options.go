package franz

import (
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/zapkafka/zapkafka"
)

const (
	// batchBytes is the client's own default for the size of a batch, a little
	// less than what a topic takes by default (max.message.bytes, 1,048,588).
	batchBytes = 1000012
	// batchSlack is added to the largest value for its key, its headers, and
	// the frame around a batch of one.
	batchSlack      = 32 << 10
	produceTimeout  = 3 * time.Second
	requestOverhead = 2 * time.Second
	// maxRequestTime is the most that the two above may sum up to: a record may
	// be reported that much after its deadline, and 10 seconds are promised.
	maxRequestTime = 8 * time.Second
	// tunedLinger holds the first record of a call back until the others are
	// there: the syncer has collected before it calls.
	tunedLinger = 5 * time.Millisecond
)

// tuned returns our settings, for the user's to come after.
func tuned() []kgo.Opt {
	return []kgo.Opt{
		kgo.ClientID("zapkafka"),
		kgo.DialTimeout(3 * time.Second),
		kgo.ProduceRequestTimeout(produceTimeout),
		kgo.RequestTimeoutOverhead(requestOverhead),
		// One request's attempts together. Metadata that cannot be had is what
		// makes the client look at deadlines, so it must not take long to fail.
		kgo.RetryTimeout(4 * time.Second),
		kgo.RetryBackoffFn(backoff),
		// A broker or proxy that closes a fresh connection is restarting at
		// least as often as it is asked in the wrong protocol: retry, as long
		// as a record has time. The complaint is reported either way.
		kgo.AlwaysRetryEOF(),
		// How soon a new leader is looked for; the default is 5 s.
		kgo.MetadataMinAge(500 * time.Millisecond),
		// Until the deadline: the topic may be on its way.
		kgo.UnknownTopicRetries(-1),
		kgo.ProducerLinger(tunedLinger),
		// As fast as lz4 here, and without its buffers of 8 MiB for each writer.
		kgo.ProducerBatchCompression(kgo.SnappyCompression(), kgo.NoCompression()),
		kgo.RecordPartitioner(partitioner),
		// Without this the client never gives up an idempotent record that may
		// be on the wire (kgo's documentation of the option).
		kgo.AllowIdempotentProduceCancellation(),
		kgo.DisableClientMetrics(), // nobody has asked a log sink for telemetry
	}
}

// sized returns the settings that follow from the limits, for the user's to
// come after.
func sized(limits zapkafka.Limits) []kgo.Opt {
	batch := max(batchBytes, limits.RecordBytes+batchSlack)
	return []kgo.Opt{
		// Produce counts too, so that it can end with its context; the client's
		// limit is never reached. It counts a record until shortly after its
		// promise, hence the margin.
		kgo.MaxBufferedRecords(limits.Records + blockRecords),
		kgo.ProducerBatchMaxBytes(int32(batch)),
		// The client encodes a request in full before it writes it, which is
		// memory held for each broker that does not read; the default is
		// 100 MiB. One full batch is enough: five requests may be under way.
		kgo.BrokerMaxWriteBytes(int32(batch + batchSlack)), // the last: see options
	}
}

// backoff is the wait before the given retry: from 100 ms, doubling to 1 s, a
// fifth more or less so that many clients do not come back at once.
func backoff(tries int) time.Duration {
	d := time.Second
	if tries < 5 {
		d = 100 * time.Millisecond << max(tries-1, 0)
	}
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}

// options returns what the client is built from: our settings, then the user's.
func options(brokers []string, user []kgo.Opt, limits zapkafka.Limits, logger kgo.Logger) ([]kgo.Opt, error) {
	ours := append(tuned(), kgo.SeedBrokers(brokers...), kgo.WithLogger(logger))
	sized := sized(limits)
	all := slices.Concat(ours, sized, user)
	err := kgo.ValidateOpts(all...)
	if err == nil {
		return all, nil
	}
	// A user who asks for larger batches need not know that we bound requests.
	unbounded := slices.Concat(ours, sized[:len(sized)-1], user)
	if kgo.ValidateOpts(unbounded...) == nil {
		return unbounded, nil
	}
	return nil, fmt.Errorf("franz: the kgo options do not fit together: %w%s", err, hint(user))
}

// hint explains the refusals whose text names no option.
func hint(user []kgo.Opt) string {
	// Each of these makes one complaint impossible.
	for _, try := range []struct {
		fix  kgo.Opt
		hint string
	}{
		{kgo.RequiredAcks(kgo.AllISRAcks()), " (kgo.RequiredAcks other than all brokers' needs kgo.DisableIdempotentWrite as well, and an entry can then be acknowledged and lost; kgo.NoAck is refused in any case)"},
		{kgo.MaxProduceRequestsInflightPerBroker(1), " (kgo.MaxProduceRequestsInflightPerBroker needs kgo.DisableIdempotentWrite as well)"},
	} {
		if kgo.ValidateOpts(user...) != nil && kgo.ValidateOpts(append(slices.Clone(user), try.fix)...) == nil {
			return try.hint
		}
	}
	if kgo.ValidateOpts(user...) == nil && kgo.ValidateOpts(append(slices.Clone(user), kgo.AllowIdempotentProduceCancellation())...) != nil {
		return " (kgo.TransactionalID cannot be used: a log entry is no part of a transaction)"
	}
	return ""
}

// checkOptions refuses what can be seen to be wrong without limits.
func checkOptions(brokers []string, user []kgo.Opt) error {
	if slices.Contains(user, nil) {
		return errors.New("franz: one of the kgo options is nil")
	}
	_, err := options(brokers, user, zapkafka.Limits{Records: 1, RecordBytes: 1}, nil)
	return err
}

// newClient builds the client, which dials nothing yet.
func newClient(brokers []string, user []kgo.Opt, limits zapkafka.Limits, reports *reporter) (*kgo.Client, error) {
	opts, err := options(brokers, user, limits, reports)
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("franz: %w", err)
	}
	// What an option was set to, only a client tells.
	if err := checkClient(client, brokers, limits); err != nil {
		client.Close()
		return nil, err
	}
	reports.creating(value[bool](client, kgo.AllowAutoTopicCreation))
	reports.encrypting(value[*tls.Config](client, kgo.DialTLSConfig) != nil)
	return client, nil
}

// checkLimits refuses limits that no client can work with.
func checkLimits(l zapkafka.Limits) error {
	const maxBytes = 1<<30 - 2*batchSlack // the client's largest batch
	var errs []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf("franz: "+format, args...))
		}
	}
	refuse(l.Records <= 0, "Limits.Records is %d, must be positive", l.Records)
	refuse(l.Bytes <= 0, "Limits.Bytes is %d, must be positive", l.Bytes)
	refuse(l.RecordBytes <= 0 || l.RecordBytes > maxBytes, "Limits.RecordBytes is %d, must be from 1 to %d", l.RecordBytes, maxBytes)
	refuse(l.DeliveryTimeout <= 0, "Limits.DeliveryTimeout is %v, must be positive", l.DeliveryTimeout)
	return errors.Join(errs...)
}
