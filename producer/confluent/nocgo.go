//go:build !cgo

package confluent

// The client is librdkafka, a C library: there is nothing that could be built
// without cgo. The compiler says so with this undefined name.
var _ = This_package_needs_cgo_set_CGO_ENABLED_1_and_install_a_C_compiler_see_docs_confluent_md
