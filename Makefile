# The commands for people. Each acts on every module: a directory with a go.mod
# is one, and a new one is picked up by itself. GNU make 4.3 and bash.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DEFAULT_GOAL := help

EACH := . scripts/lib.sh; each_module

GOVULNCHECK_VERSION := v1.8.0

# Flags for go test, e.g. make test TESTFLAGS='-run TestSync -v'.
TESTFLAGS ?=
# What make gobench runs, and for how long each.
BENCH ?= .
BENCHTIME ?= 1s
# How long make fuzz runs each fuzz test.
FUZZTIME ?= 10s
# What make consume reads.
TOPIC ?= test
# The Kafka client that make demo runs with; a wrong name lists them.
CLIENT ?= franz
export CLIENT

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: all
all: lint tidy-lint generated build test ## lint, tidy-lint, generated, build and test

.PHONY: build
build: ## compile every module
	@$(EACH) go build ./...

.PHONY: lint
lint: ## gofmt, go vet, golangci-lint (installed into bin/ at first), shellcheck
	@scripts/lint.sh

.PHONY: tidy-lint
tidy-lint: ## fail if a go.mod or go.sum is not tidy
	@scripts/tidy-lint.sh

.PHONY: generated
generated: ## fail if a generated file is not what go generate would write
	@scripts/generated.sh

.PHONY: tidy
tidy: ## go mod tidy in every module
	@$(EACH) go mod tidy

.PHONY: test
test: ## test every module; needs Go alone, with a C compiler also -race
	@scripts/test.sh $(TESTFLAGS)

.PHONY: test-floor
test-floor: ## test the root module with the oldest Go it supports
	@scripts/floor.sh $(TESTFLAGS)

.PHONY: cross-build
cross-build: ## compile the root module for other systems
	@scripts/cross-build.sh

.PHONY: root-deps
root-deps: ## check that the root module needs zap alone
	@scripts/root-deps.sh

.PHONY: release-check
release-check: ## release HEAD in a scratch clone, and go get and go install it from there
	@scripts/release-check.sh

.PHONY: cover
cover: ## coverage of every module
	@scripts/cover.sh

.PHONY: bench
bench: ## the rivals side by side in short form, some minutes; writes benchmark/results and the tables
	@scripts/bench.sh short

.PHONY: bench-short
bench-short: ## half a minute of it without Kafka; fails on ratios beyond wide margins
	@BENCH_RESULTS= scripts/bench.sh ci -check

.PHONY: gobench
gobench: ## Go's benchmarks of every module; BENCH=regexp BENCHTIME=1s
	@$(EACH) go test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -benchmem ./...

.PHONY: fuzz
fuzz: ## every fuzz test for FUZZTIME=10s
	@FUZZTIME=$(FUZZTIME) scripts/fuzz.sh

.PHONY: vulncheck
vulncheck: ## known vulnerabilities in what the modules depend on
	@$(EACH) go run golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION) ./...

.PHONY: demo
demo: ## the library at work, on an embedded broker or on KAFKA_BROKERS; CLIENT=franz
	@scripts/demo.sh "$$CLIENT"

.PHONY: integration
integration: ## tests on a real Kafka, started here unless KAFKA_BROKERS is set
	@scripts/integration.sh $(TESTFLAGS)

.PHONY: conformance
conformance: ## make integration, and each client's contract with the faults too; long
	@CONFORMANCE_FAULTS=1 scripts/integration.sh

.PHONY: chaos
chaos: ## faults under load, on Kafkas started here; long; CHAOS_SCENARIO=regexp CHAOS_CLIENT=a,b SOAK=1h
	@scripts/chaos.sh $(TESTFLAGS)

.PHONY: chaos-short
chaos-short: ## the same in short form, some minutes
	@scripts/chaos.sh short $(TESTFLAGS)

.PHONY: pipeline
pipeline: ## from a log call to a search engine, Kafka and OpenSearch started here; a minute or two
	@scripts/pipeline.sh $(TESTFLAGS)

.PHONY: kafka-start
kafka-start: ## start a real Kafka without Docker; needs a JDK and Maven
	@scripts/kafka.sh start

.PHONY: kafka-stop
kafka-stop: ## stop it
	@scripts/kafka.sh stop

.PHONY: consume
consume: ## follow TOPIC=test on Docker's Kafka or that of kafka-start
	@scripts/consume.sh '$(TOPIC)'
