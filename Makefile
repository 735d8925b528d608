# What people and CI run. `make` alone says what there is.

GO      ?= go
TAGS    ?= invariants
TIMEOUT ?= 20m
LINT_VERSION := v2.15.0
GOBIN   := $(shell $(GO) env GOPATH)/bin
PATH    := $(PATH):$(GOBIN)
export PATH

DEBIAN := fuse3 attr rsync strace stress-ng vim nano inotify-tools nodejs python3 less gcc libc6-dev e2fsprogs util-linux bsdutils psmisc procps

.PHONY: help build demo test unit integration race lint fuzz bench bench-store bench-mount deps clean

help: ## say what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

build: bin/jsfs ## build ./bin/jsfs

bin/jsfs: $(shell find cmd fusefs mapping store -name '*.go' -not -name '*_test.go') go.mod go.sum
	$(GO) build -o $@ ./cmd/jsfs

demo: bin/jsfs ## mount a new store in ./demo and use it before your eyes
	@scripts/demo

test: tools ## run every test
	$(GO) test -tags $(TAGS) -timeout $(TIMEOUT) ./...

unit: ## run the tests that need no mount
	$(GO) test -tags $(TAGS) $$($(GO) list ./... | grep -v /integration)

integration: tools ## run the tests that mount
	$(GO) test -tags $(TAGS) -timeout $(TIMEOUT) ./integration

race: tools ## run every test under the race detector, the program too
	JSFS_TRIALS=quick $(GO) test -race -tags $(TAGS) -timeout 40m ./...

lint: ## check the code's form
	$(GO) vet -tags $(TAGS) ./...
	@command -v golangci-lint >/dev/null || { echo "golangci-lint is not installed; run: $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)"; exit 1; }
	golangci-lint run --build-tags $(TAGS) ./...

fuzz: ## fuzz every parser for FUZZTIME (10s) each
	@scripts/fuzz $${FUZZTIME:-10s}

bench: ## run the stores' benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./store/... ./mapping/... ./fusefs/...

bench-store: ## measure the block store beside nats-server's file store (takes some minutes)
	bench/store/run

bench-mount: ## measure requests and whole jobs through a mount beside their peers (as root; takes long)
	bench/trips
	bench/run

deps: ## install the Debian packages that the tests use (as root)
	apt-get update -q
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $(DEBIAN)

# The tests fail one by one where a tool is missing; this says so at once.
.PHONY: tools
tools:
	@scripts/tools

clean: ## remove what was built; ./demo and its store stay
	rm -rf bin
