// # The old home of sarama
//
// github.com/Shopify/sarama is what github.com/IBM/sarama was until the summer of
// 2023. Its last release, v1.38.1, is of January 2023; nothing is mended there any
// more, and its dependencies on golang.org/x are as old as the program that uses
// it allows. This package is for programs that cannot leave it yet. Leaving it is
// a change of the import path, there and here: the package ibmsarama has the same
// names.
//
// Beside what is said above, this client
//
//   - does not ask brokers for the versions that they speak: Version decides
//     alone. NewConfig's, 2.1, is spoken by all brokers from 2.1 to Kafka 4.
//   - has data races of its own when it reconnects: Broker.Open writes what
//     AsyncProduce reads (sarama/broker.go, metricRegistry). No loss is known to
//     come of it, but tests that run with -race can fail for it.
//   - may have several batches of a partition under way (Net.MaxOpenRequests), so
//     that after a failure more of them can change their order.

// The section above is what gen.go adds to the package documentation.

package shopifysarama //nolint:revive // the package comment is in doc.go, which is generated

import "github.com/Shopify/sarama"

//go:generate go run gen.go

// What differs between this client and that of the package ibmsarama, from which
// the other files are generated, is in this file and nowhere else.

// tunedVersion is the oldest that Kafka 4 is tested with (KIP-896), and the first
// with zstd. sarama's own default, 1.0, is older.
var tunedVersion = sarama.V2_1_0_0

// oldestVersion is the oldest for which the client sends requests that brokers of
// Kafka 4 still answer: the third version of Produce (KIP-896).
var oldestVersion = sarama.V0_11_0_0
