# `make` lists the targets.
GO       ?= go
BIN      := bin
MODULES  := . e2e bench policyoracle
GOFLAGS  += -trimpath
export CGO_ENABLED ?= 0

.DEFAULT_GOAL := help
.PHONY: help build test test-unit test-e2e check lint demo bench fuzz fuzz-policy gateway clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/doorward
	$(GO) build $(GOFLAGS) -o $(BIN)/doorward ./cmd/doorward

gateway: ## build bin/versitygw, the stock S3 server that demo and tests ask through
	$(GO) build -C e2e -o ../$(BIN)/versitygw github.com/versity/versitygw/cmd/versitygw

demo: build gateway ## play the story: a real S3 server asks Doorward on every request (KEEP=1 leaves it running)
	@$(GO) build -C e2e -o ../$(BIN)/demo ./cmd/demo
	@$(BIN)/demo -doorward $(BIN)/doorward -versitygw $(BIN)/versitygw $(if $(KEEP),-keep)

test: test-unit test-e2e ## run every test

test-unit: ## run the tests of the core
	$(GO) vet ./...
	$(GO) test ./...

test-e2e: build gateway ## run the tests against a real S3 server and real clients
	$(GO) test -C e2e ./...
