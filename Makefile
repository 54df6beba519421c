# Two commands do everything, set-up included: `make demo` and `make test`.
#   make demo            the whole flow on this machine, 2 minutes            FOR=5m DATA=FILE JSON=1
#   make test            every test that needs cargo and a C compiler only
#   make bench           the figures, into target/bench.json
#   make lint            formatting, clippy, licences
#   make crds            writes crds/yaml from the Rust types
CARGO ?= cargo
BIN = target/$(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')/release
FOR ?=
DATA ?=
JSON ?=

.PHONY: all setup build demo test bench lint crds clean help

all: build

help:
	@sed -n 's/^#   //p' Makefile

setup:
	@./scripts/setup.sh

# Library and binaries of the whole workspace in one go, so that features are resolved once and nothing is compiled twice.
build: setup
	@$(CARGO) build --release --locked --workspace --bins

demo: build
	@$(BIN)/vedette local -f manifests/demo.yaml $(if $(FOR),--for $(FOR)) $(if $(DATA),--dataset $(DATA)) $(if $(JSON),--json)

test: build
	@$(CARGO) test --release --locked --workspace

bench: build
	@$(CARGO) run --release --locked --quiet --bin bench -- $(BENCH)

crds: setup
	@$(CARGO) crdgen

lint: setup
	@$(CARGO) fmt --all --check
	@$(CARGO) clippy --release --locked --workspace --all-targets -- -D warnings
	@./scripts/deny.sh

clean:
	@$(CARGO) clean
