package rivals

var saramas = []Rival{
	{
		Name: "sarama-input", Kafka: true, Source: "IBM/sarama: a blocking send to the AsyncProducer's Input, defaults but for acks",
		Open: func(s Setup) (Sink, error) { return openIBM(s, false) },
	},
	{
		Name: "sarama-select", Kafka: true, Source: "IBM/sarama: select with a default that writes to a fallback file, as the field's best-known article has it",
		Open: func(s Setup) (Sink, error) { return openIBM(s, true) },
	},
	{
		Name: "shopify-input", Kafka: true, Source: "Shopify/sarama v1.38.1: as sarama-input",
		Open: func(s Setup) (Sink, error) { return openShopify(s, false) },
	},
	{
		Name: "shopify-select", Kafka: true, Source: "Shopify/sarama v1.38.1: as sarama-select",
		Open: func(s Setup) (Sink, error) { return openShopify(s, true) },
	},
}
