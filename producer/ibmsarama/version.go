package ibmsarama

import "github.com/IBM/sarama"

// What differs between this client and its older self at github.com/Shopify/sarama
// is in this file, and nowhere else: the package shopifysarama is generated from
// the others.

// tunedVersion is sarama's own default, whose protocol it covers in full. What a
// broker does not speak, the client leaves out by itself: it asks each for its
// versions (sarama/broker.go, restrictApiVersion).
var tunedVersion = sarama.V2_8_0_0

// oldestVersion is the oldest for which the client sends requests that brokers of
// Kafka 4 still answer: the third version of Produce (KIP-896).
var oldestVersion = sarama.V0_11_0_0
