//go:build !cgo

package rivals

// confluent needs cgo.
var confluent []Rival
