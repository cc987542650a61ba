package ibmsarama

import "github.com/IBM/sarama"

// What differs between this client and its older self at github.com/Shopify/sarama
// is in this file, and nowhere else: the package shopifysarama is generated from
// the others.

// tunedVersion is the oldest that Kafka 4 is tested with (KIP-896), and the first
// with zstd. Brokers are not asked for their versions (NewConfig), so it must be
// one that all of them speak.
var tunedVersion = sarama.V2_1_0_0

// oldestVersion is the oldest for which the client sends requests that brokers of
// Kafka 4 still answer: the third version of Produce (KIP-896).
var oldestVersion = sarama.V0_11_0_0
