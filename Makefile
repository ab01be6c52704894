# Tingke. `make` prints this help; `make demo` and `make test` are all a fresh machine needs.
SHELL := /bin/bash
.DEFAULT_GOAL := help

CHDB_VERSION := 26.7.3-stable.1
STATICCHECK_VERSION := v0.8.2
OS := $(shell uname -s | tr A-Z a-z)
ARCH := $(subst aarch64,arm64,$(subst x86_64,x64,$(shell uname -m)))
CHDB_PACKAGE := @chdb/lib-$(OS)-$(ARCH)$(if $(filter linux,$(OS)),-gnu)
CHDB_LIB := .cache/chdb/node_modules/$(CHDB_PACKAGE)/libchdb.so
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unversioned)
DIR ?= ./.tingke
ARGS ?=
# Inputs, not seconds: a time limit now and then fails a clean run in Go before 1.27 (go.dev/issue/75804).
FUZZTIME ?= 5000x

.PHONY: help
help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: tools
tools:
	@command -v go >/dev/null || { echo "make: Go 1.26 or newer is needed: install it from https://go.dev/dl" >&2; exit 1; }
	@command -v c++ >/dev/null || command -v g++ >/dev/null || command -v clang++ >/dev/null || \
	  { echo "make: a C++ compiler is needed (word segmentation): apt-get install g++, or xcode-select --install" >&2; exit 1; }
	@[ -f "$(CHDB_LIB)" -a -f "$(WEB)/dist/index.html" ] || command -v npm >/dev/null || \
	  { echo "make: Node.js with npm is needed (it brings the embedded ClickHouse and builds the web app): apt-get install nodejs npm" >&2; exit 1; }

$(CHDB_LIB):
	@echo "fetching the embedded ClickHouse engine ($(CHDB_PACKAGE) $(CHDB_VERSION), 180 MB)"
	@mkdir -p .cache/chdb
	@npm install --prefix .cache/chdb --no-save --no-audit --no-fund --no-package-lock --loglevel=error $(CHDB_PACKAGE)@$(CHDB_VERSION)

.PHONY: deps
deps: tools $(CHDB_LIB) ## fetch the embedded ClickHouse and the Go modules
	@go mod download

WEB := dashboards/web
WEB_SOURCES := $(shell find $(WEB)/src $(WEB)/public $(WEB)/index.html $(WEB)/vite.config.ts $(WEB)/antd-styles.ts $(WEB)/packed.ts dashboards/api/openapi.json -type f 2>/dev/null)

$(WEB)/node_modules/.package-lock.json: $(WEB)/package-lock.json
	@echo "fetching the parts of the web app"
	@npm ci --prefix $(WEB) --no-audit --no-fund --loglevel=error
	@touch $@

$(WEB)/dist/index.html: $(WEB)/node_modules/.package-lock.json $(WEB_SOURCES)
	@npm run build --prefix $(WEB) --silent -- --logLevel warn

.PHONY: web
web: tools $(WEB)/dist/index.html ## the web app, which bin/tingke holds

.PHONY: test-web
test-web: build ## the web app: types, lint, its tests, and a walk through every page in Chromium
	npm run lint --prefix $(WEB) --silent && npm test --prefix $(WEB) --silent
	TINGKE_BIN=$(CURDIR)/bin/tingke TINGKE_LIBCHDB=$(CURDIR)/$(CHDB_LIB) npm run e2e --prefix $(WEB) --silent

.PHONY: build
build: deps web ## bin/tingke
	@mkdir -p bin
	go build -ldflags "-X main.buildVersion=$(VERSION)" -o bin/tingke ./cmd/tingke

.PHONY: demo
demo: build ## everything at once on the sample conversations; ARGS="--once" or files
	bin/tingke demo --dir $(DIR) $(ARGS)

.PHONY: test
test: deps ## all fast tests
	go test ./... ./testdata

.PHONY: test-slow
test-slow: deps ## what is too long for make test: every KPI view in 500 random worlds, reruns amid live traffic
	go test -tags slow -run '^TestSlow' -count=1 -timeout 20m ./pipeline/warehouse ./pipeline/rerun

.PHONY: test-race
test-race: deps ## the same under the race detector, without those that only keep the engine busy
	go test -race -short -timeout 25m ./... ./testdata

.PHONY: test-faults
test-faults: build ## everything Tingke runs on broken, embedded and on a real Apache Kafka; TINGKE_SEED=n repeats a run
	@# Side by side: both wait for processes to start, and for Kafka to give up on killed ones, most of the time.
	$(MAKE) --no-print-directory -j2 -Otarget test-kill fault-suite
	go test -tags faults -count=1 -timeout 20m -v ./pipeline/broker/apachekafka ./pipeline/stream

.PHONY: fault-suite
fault-suite: build
	go test -tags faults -count=1 -timeout 40m -parallel 4 -v ./cmd/tingke/faults

.PHONY: test-kill
test-kill: build ## of these, the worker killed at 50 seeded moments and at every failpoint
	go test -tags kill -run Kill -count=1 -timeout 30m -v ./cmd/tingke

SOAK ?= 30m
.PHONY: soak
soak: build ## a worker at a steady load for SOAK (30m): memory, goroutines and open files must stay flat
	TINGKE_SOAK=$(SOAK) go test -tags faults -run '^TestSoak$$' -count=1 -timeout 0 -v ./cmd/tingke/faults

.PHONY: fuzz
fuzz: deps ## every fuzz target for FUZZTIME (5000x: as many inputs)
	@set -e; for pkg in $$(go list ./...); do \
	  for f in $$(go test -list '^Fuzz' $$pkg | grep ^Fuzz || true); do \
	    echo "$$pkg $$f"; go test $$pkg -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 5x; \
	  done; done

.PHONY: lint
lint: deps ## gofmt, go vet, staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$unformatted" ] || { echo "not gofmt-ed: $$unformatted" >&2; exit 1; }
	go vet ./... && go vet -tags kill ./cmd/tingke && go vet -tags faults ./cmd/tingke/faults ./pipeline/stream && go vet -tags slow ./pipeline/warehouse ./pipeline/rerun
	go run honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK_VERSION) ./...

VULNDB ?= https://vuln.go.dev
.PHONY: audit
audit: tools ## licences of all that is built in, and known vulnerabilities where their databases can be had; VULNDB=file:///copy
	@go run ./cmd/audit -vulndb $(VULNDB)

DATA ?= ../shared
.PHONY: models
models: build ## train every model again, with the data of DATA (../shared) where it is there
	bin/tingke train emotion $(if $(wildcard $(DATA)),--data $(DATA)) -o nlp/models/emotion.bin
	bin/tingke train mentions $(if $(wildcard $(DATA)),--data $(DATA)) -o nlp/models/mention.bin
	bin/tingke train encoder $(if $(wildcard $(DATA)),--data $(DATA)) -o nlp/models/encoder

.PHONY: bench
bench: build ## the pipeline against its floor
	bin/tingke bench pipeline --json

.PHONY: clean
clean: ## remove what was built; the demo's data and key stay in .tingke
	rm -rf bin $(WEB)/dist/assets $(WEB)/dist/*.*ml $(WEB)/dist/*.svg
