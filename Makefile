# `make` lists the targets.
GO      ?= go
BIN     := bin
BUILD   := CGO_ENABLED=0 $(GO) build
FLAGS   := -trimpath -buildvcs=auto
MODULES := $(patsubst %/go.mod,%,$(wildcard go.mod */go.mod */*/go.mod))

# The cluster scenarios run alone, because they bound how long a failover may take,
# and on a disk in memory where there is one, because each starts many nodes.
MEMORY  := $(shell test -w /dev/shm && echo /dev/shm || echo $${TMPDIR:-/tmp})

.DEFAULT_GOAL := help
.PHONY: help build gateway previous minio minio-test demo test test-unit test-peers test-e2e test-fronts check-format lint chaos fuzz fuzz-policy bench bench-quick bench-record bench-scale image compose-test clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/doorward
	$(BUILD) $(FLAGS) -o $(BIN)/doorward ./cmd/doorward

gateway: ## build bin/versitygw, the stock S3 server of the demo and the tests
	$(BUILD) -C e2e $(FLAGS) -o ../$(BIN)/versitygw github.com/versity/versitygw/cmd/versitygw

# The build that the upgrade test starts from: the last that was released.
PREVIOUS ?= d80fb69
previous: ## build bin/doorward-previous, which the upgrade test starts from
	@if git cat-file -e $(PREVIOUS)^{commit} 2>/dev/null; then \
		mkdir -p $(BIN)/previous && git archive $(PREVIOUS) | tar -x -C $(BIN)/previous && \
		CGO_ENABLED=0 $(GO) build -C $(BIN)/previous $(FLAGS) -buildvcs=false -o ../doorward-previous ./cmd/doorward; status=$$?; \
		rm -rf $(BIN)/previous; exit $$status; \
	else echo "previous: THIS CLONE DOES NOT HOLD COMMIT $(PREVIOUS), SO THE UPGRADE IS NOT TESTED" >&2; fi

demo: build gateway ## play the story: a real S3 server asks Doorward on every request (KEEP=1 leaves both running)
	@$(BUILD) -C e2e $(FLAGS) -o ../$(BIN)/demo ./cmd/demo
	@$(BIN)/demo -doorward $(BIN)/doorward -versitygw $(BIN)/versitygw $(if $(KEEP),-keep)

test: check-format test-unit test-peers test-e2e bench-quick ## run every test

check-format:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "gofmt these: $$unformatted"; exit 1; }

test-unit: ## run the tests of the core
	$(GO) vet ./...
	$(GO) test -timeout 15m $$($(GO) list ./... | grep -v /cluster/clustertest)
	TMPDIR=$(MEMORY) $(GO) test -timeout 15m ./cluster/clustertest

test-peers: ## run the tests of the nested modules that need nothing installed
	for m in bench policyoracle sidecar/extauthz; do (cd $$m && $(GO) vet ./... && $(GO) test ./...) || exit 1; done

test-e2e: build gateway previous ## run the tests with a real S3 server and real clients
	$(GO) vet -C e2e ./...
	DOORWARD_VERSITYGW=$(CURDIR)/$(BIN)/versitygw $(GO) test -count=1 -run '^(TestConformance|TestStockGateway)$$' ./api ./sidecar/versitygw
	DOORWARD_VERSITYGW=$(CURDIR)/$(BIN)/versitygw $(GO) test -C bench -count=1 ./gateway
	$(GO) test -C e2e -count=1 -timeout 20m ./...

test-fronts: build gateway ## play every client at every proxy, of which test-e2e plays one at each
	DOORWARD_FRONTS=all $(GO) test -C e2e -count=1 -timeout 40m ./clients

minio: ## build bin/minio, the last MinIO whose source is open (AGPL: only a test runs it)
	$(BUILD) -C e2e/minio $(FLAGS) -o ../../$(BIN)/minio github.com/minio/minio

minio-test: build minio ## have real clients talk to a real MinIO that asks Doorward, and compare imported identities (not part of test: MinIO takes minutes to build)
	$(GO) vet -C e2e/minio .
	$(GO) test -C e2e/minio -count=1 -timeout 10m .

lint: check-format ## vet and staticcheck in every module
	$(BUILD) -C tools $(FLAGS) -o ../$(BIN)/staticcheck honnef.co/go/tools/cmd/staticcheck
	for m in $(MODULES); do (cd $$m && $(GO) vet ./... && $(CURDIR)/$(BIN)/staticcheck ./...) || exit 1; done

SCHEDULES ?= 500
chaos: ## run SCHEDULES (500) random schedules of faults; DOORWARD_SEED says where to begin
	TMPDIR=$(MEMORY) DOORWARD_SCHEDULES=$(SCHEDULES) $(GO) test ./cluster/clustertest -run '^TestRandomFaults$$' -timeout 0

FUZZTIME ?= 20s
fuzz: ## run every fuzz target for FUZZTIME (20s)
	@GO="$(GO)" FUZZTIME=$(FUZZTIME) .ci/fuzz

CASES ?= 10000000
fuzz-policy: ## compare the compiled policy engine with the reference on CASES requests (10,000,000)
	DOORWARD_CASES=$(CASES) $(GO) test ./authz -run '^TestEnginesAgree' -v -timeout 0

bench: build gateway ## measure everything beside the peers in ten minutes, and write bench/RESULTS.md (PARTS=write,fleet prints those, SHORT=1 rehearses)
	$(BUILD) -C bench $(FLAGS) -o ../$(BIN)/results ./cmd/results
	cd bench && ../$(BIN)/results $(if $(PARTS),-only $(PARTS)) $(if $(SHORT),-short -rounds 3)

bench-quick: ## count instructions and allocations of the hot paths, and fail if there are more than recorded (1 minute, needs valgrind)
	$(BUILD) -C bench $(FLAGS) -o ../$(BIN)/quick ./cmd/quick
	cd bench && ../$(BIN)/quick

bench-record: ## record the counts that bench-quick compares with
	$(BUILD) -C bench $(FLAGS) -o ../$(BIN)/quick ./cmd/quick
	cd bench && ../$(BIN)/quick -record

bench-scale: build ## growth to a million identities and five million temporary credentials
	$(BIN)/doorward bench scale

image: build ## build the container image doorward
	docker build -q -t doorward .

compose-test: ## three nodes, a sidecar and versitygw in containers: kill, cut off, heal (says so where there is no Docker engine)
	@if docker info >/dev/null 2>&1; then $(MAKE) --no-print-directory image gateway; fi
	@deploy/compose/test

clean: ## remove what was built
	rm -rf $(BIN)
