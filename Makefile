# make help lists the targets.
.DEFAULT_GOAL := build
export GOWORK := off

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null)
REVISION ?= $(shell git describe --always --abbrev=40 --exclude='*' --dirty 2>/dev/null)
LDFLAGS   = -s -w -X lumaflow/internal/command.version=$(VERSION) -X lumaflow/internal/command.revision=$(REVISION)

.PHONY: build test test-short bench lint fmt chaos demo docs pictures release-check release-try ci clean help

build: ## build ./lumaflow
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "$(LDFLAGS)" -o lumaflow .

test: ## run all tests, with real processes and a real Temporal server
	go test ./...
	go -C deploy/kubernetes test ./...
	go -C test/browser test ./...

test-short: ## run the tests that need no Temporal server
	go test -short ./...

bench: ## run the benchmarks
	go test -run '^$$' -bench . -benchmem ./internal/... ./webhook/... ./workflows/...

lint: ## run golangci-lint and workflowcheck
	go tool -modfile=tools/lint/go.mod golangci-lint run
	go tool -modfile=tools/go.mod workflowcheck -show-pos ./...

fmt: ## format the code
	gofmt -w $$(git ls-files '*.go')

chaos: ## run a short campaign of injected faults (docs/reliability.md)
	go run ./test/chaos --seeds 4

demo: ## five jobs with faults, on this machine, free of charge
	go run . demo

docs: ## write docs/configuration.md from the command line's definition
	go test . -run TestConfigurationPage -update

pictures: ## write the pictures of the README (needs Debian's chromium)
	tools/pictures

release-check: ## check the release configuration
	go tool -modfile=tools/release/go.mod goreleaser check

release-try: ## build a release into dist/ without a tag; publish nothing
	go tool -modfile=tools/release/go.mod goreleaser release --snapshot --clean

ci: ## all checks of a pull request
	.ci/run

clean: ## remove the binary
	rm -f lumaflow

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' Makefile
