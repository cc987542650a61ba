package shopifysarama

import "github.com/Shopify/sarama"

//go:generate go run gen.go

var tunedVersion = sarama.V2_1_0_0

var oldestVersion = sarama.V0_11_0_0
