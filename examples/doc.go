// Package examples holds programs that show zapkafka at work, each in a
// directory of its own.
package examples
