// Package logstash reads a pipeline configuration of Logstash and does to a record
// of Kafka what it says, for the part of the language and of its plugins that
// examples/pipeline needs. It is no Logstash: it goes by what the documentation of
// the plugins says, and refuses whatever it does not know, so that the configuration
// says nothing that is not tested against what the encoders emit.
package logstash
