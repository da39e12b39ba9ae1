# stocksync. `make demo` and `make test` need Go alone; `make test-kafka` needs java and mvn too.

GO       ?= go
BIN      ?= bin/stocksync
ARGS     ?=
FUZZTIME ?= 20s
GOLANGCI ?= github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

# Flags for `go test`, for instance TESTFLAGS=-v.
TESTFLAGS ?=
TIMEOUT   ?= 10m

# The packages that talk to a broker; of their tests all but the halves that `make test` runs in process.
KAFKA_PACKAGES ?= ./topics ./processor ./sinks ./sinks/webhook ./testenv ./cli
KAFKA_RUN      ?= .
KAFKA_SKIP     ?= /^kfake$$|//^kfake$$

# How long `make sim` runs, in virtual hours, and from which seed on; `make oversell` has one seed.
HOURS ?= 100
SEED  ?= 1

# How often `make crash` goes through the table.
SEEDS ?= 40
KILLS ?= 5

# What `make bench` runs, and how often.
BENCH_PACKAGE ?= ./processor
BENCH         ?= .
BENCHTIME     ?= 1x

# The race detector links C: it is on where Go finds a C compiler.
CC_FOUND := $(shell command -v $$($(GO) env CC) 2>/dev/null)
RACE     ?= $(if $(CC_FOUND),$(if $(filter 1,$(shell $(GO) env CGO_ENABLED)),-race))

SHELL       := /bin/bash
.SHELLFLAGS := -o pipefail -c

.DEFAULT_GOAL := help
.PHONY: help build demo run test test-kafka test-data test-stores sim oversell sinks-storm crash mutants upgrade bench \
	bench-peer lint fuzz check

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

build: ## build bin/stocksync
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN) .

demo: build ## everything in one process, no Kafka and no Docker needed; Ctrl-C ends it
	@$(BIN) demo $(ARGS)

run: build ## processor and sinks against KAFKA_BROKERS (localhost:9092)
	@$(BIN) run $(ARGS)

test: ## all tests, broker in process; with -race where a C compiler is found
	$(GO) test $(RACE) -timeout $(TIMEOUT) $(TESTFLAGS) ./...

test-kafka: ## the broker-facing tests on a real Apache Kafka that they start themselves; needs java and mvn
	@for tool in java mvn; do command -v $$tool >/dev/null || { \
		echo "make test-kafka: $$tool is not installed (Debian: apt-get install default-jre-headless maven)" >&2; \
		exit 1; }; done
	STOCKSYNC_KAFKA=1 $(GO) test $(RACE) -count 1 -p 1 -timeout $(TIMEOUT) $(TESTFLAGS) \
		-run '$(KAFKA_RUN)' -skip '$(KAFKA_SKIP)' $(KAFKA_PACKAGES)

test-data: ## a year of real sales (1.47 M lines) through load and processor, against a fold by SQL; needs python3
	@command -v python3 >/dev/null || { \
		echo "make test-data: python3 is not installed (Debian: apt-get install python3-venv)" >&2; exit 1; }
	STOCKSYNC_DATA=1 $(GO) test -count 1 -timeout 60m -v $(TESTFLAGS) ./testenv/realdata

test-stores: ## with STORES=1: a real Vendure and a real Medusa, and all of stocksync before them; needs npm, PostgreSQL
	@[ "$(STORES)" = 1 ] || { echo "make test-stores: say STORES=1 (it installs 850 MB into your cache)" >&2; exit 1; }
	@for tool in node npm; do command -v $$tool >/dev/null || { \
		echo "make test-stores: $$tool is not installed (Debian: apt-get install nodejs npm postgresql)" >&2; \
		exit 1; }; done
	STOCKSYNC_STORES=1 $(GO) test -count 1 -timeout 30m -v $(TESTFLAGS) ./testenv/stores

sim: ## HOURS (100) of the processor on virtual time, with a fault a minute; SEED (1) is the first hour's
	GOGC=400 STOCKSYNC_SIM_HOURS=$(HOURS) STOCKSYNC_SIM_SEED=$(SEED) $(GO) test -tags synctests -count 1 -timeout 60m -v \
		-run '^TestSim_' ./processor | grep --line-buffered -vE '^ *=== (RUN|PAUSE|CONT)'

oversell: ## a flash sale from seed SEED (1): units oversold by polling, by a queue of events, and by the sinks
	STOCKSYNC_OVERSELL_SEED=$(SEED) $(GO) test -count 1 -timeout 10m -v -run '^TestOversell_' ./testenv/oversell \
		| grep --line-buffered -vE '^ *=== (RUN|NAME|PAUSE|CONT)'

sinks-storm: ## 100,000 updates to 20 stores under faults, by two sinks that are killed and trade stores; some minutes
	STOCKSYNC_STORM=1 $(GO) test -count 1 -timeout 30m -v -run '^TestStorm_' ./cli \
		| grep --line-buffered -vE '^ *=== (RUN|NAME|PAUSE|CONT)'

crash: ## every row of the crash table: SEEDS (40) on virtual time, KILLS (5) on a real Kafka, with kill -9
	STOCKSYNC_CRASH_SEEDS=$(SEEDS) $(GO) test -tags synctests -count 1 -timeout 60m -v -run '^TestCrash_' ./processor \
		| grep --line-buffered -vE '^ *=== (RUN|PAUSE|CONT)|seed_'
	STOCKSYNC_KAFKA=1 STOCKSYNC_CRASH_KILLS=$(KILLS) $(GO) test -count 1 -timeout 60m -v -run '^TestCrashKafka_' \
		./processor | grep --line-buffered -vE '^ *=== (RUN|PAUSE|CONT)'

mutants: ## bugs planted one by one: each must turn the test red that is there for it
	STOCKSYNC_MUTANTS=1 $(GO) test -count 1 -timeout 60m -v -run '^TestMutants_' ./processor | grep --line-buffered -vE '^ *=== (RUN|PAUSE|CONT)'

upgrade: ## a rolling upgrade between builds that write formats n and n+1 of the changelog
	STOCKSYNC_UPGRADE=1 $(GO) test -count 1 -timeout 10m -v -run '^TestUpgrade_' ./processor

bench: ## speed beside its ceilings, after an answer check: on kfake, and on a real Kafka where java and mvn are found
	$(if $(shell command -v java && command -v mvn),STOCKSYNC_KAFKA=1) $(GO) test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -timeout 60m $(TESTFLAGS) $(BENCH_PACKAGE)

bench-peer: ## the processor beside the same job in Kafka Streams, on a real Kafka; needs java and mvn
	STOCKSYNC_KAFKA=1 STOCKSYNC_PEER=1 $(GO) test -run '^$$' -bench '^BenchmarkPeer' -benchtime 1x -timeout 60m \
		./processor

lint: ## golangci-lint with its formatters, go vet, go mod verify
	$(GO) mod verify
	$(GO) vet ./...
	$(GO) run $(GOLANGCI) run ./...

fuzz: ## every fuzz target for FUZZTIME (20s) each
	@set -e; found=0; \
	for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -r -n 1 dirname | sort -u); do \
		for target in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]*' $$dir/*_test.go | cut -c 6-); do \
			echo "fuzz $$dir $$target"; found=1; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$dir; \
		done; \
	done; \
	[ $$found = 1 ] || { echo "make fuzz: no fuzz target found" >&2; exit 1; }

check: lint test ## lint and test: what to run before a commit
