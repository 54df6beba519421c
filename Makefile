# Two commands do everything, set-up included: `make demo` and `make test`.
#   make demo            the whole flow on this machine, 2 minutes            FOR=5m JSON=1 DATA=FILE LABEL=column NORMAL=value (or UNLABELLED=1) DATA_DIR=DIR MANIFEST=FILE
#   make notebook        docs/exploration.ipynb in JupyterLab, on the bucket of a demo that runs or has run; Python   DATA_DIR=DIR or BUCKET=URL
#   make test            every test that needs cargo and a C compiler only
#   make build-tests     compiles what it and the e2e targets run
#   make e2e             the tests on kind clusters: set-up, tests, take-down; e2e-clusters, e2e-up, e2e-test, e2e-down are its parts   TEST=--nocapture
#   make e2e-chart       the tests of the Helm chart, without a cluster: Go, which builds helm and kubectl, promtool, and Node
#   make e2e-apiserver   the operator's tests against a real API server without nodes: Go, and nothing else   TEST=NAME LOAD=full
#   make e2e-bucket      the tests of the bucket's client, which all else goes through, against SeaweedFS, also by TLS and a pod's own identity: pip, openssl, and root
#   make e2e-kafka       topics, detectors and archivers against Apache Kafka with its authorizer and TLS: Java, Maven, openssl, and root
#   make e2e-notifier    the notifier against Alertmanager, also while it is killed again and again: Debian's prometheus-alertmanager   FAULTS=50
#   make e2e-records     the record path while brokers, processes, bucket, connections, disk and retention fail: Java, Maven, and root   FAULTS=100 SEED=N
#   make e2e-console     the console's page: built again, byte by byte what is committed, and used in a browser: Node, Chromium   TEST=--headed
#   make e2e-notebook    docs/exploration.ipynb, executed on what a demo left and on SeaweedFS: pip, openssl, and root   DATA_DIR=DIR
#   make e2e-restricted  each workload as any user with a read-only disk, as OpenShift runs it: user namespaces
#   make bench           the figures, into target/bench.json
#   make quality         the learners beside scikit-learn's, into target/quality.json; Python   QUALITY="--data FILE --label COLUMN"
#   make speed           how fast the forests learn and score, beside scikit-learn, YDF, onnxruntime and treelite; Python
#   make formats         ONNX in onnxruntime and PMML in JPMML give our scores; Python, Java and Maven
#   make lint            formatting, clippy, licences
#   make ci              all that must hold before a change lands, side by side: half an hour on two cores
#   make crds            writes from the Rust types: crds/yaml, the chart's CRDs, docs/fields.md, the table in docs/training.md
CARGO ?= cargo
BIN = target/$(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')/release
FOR ?=
DATA ?=
LABEL ?=
NORMAL ?=
UNLABELLED ?=
JSON ?=
DATA_DIR ?=
MANIFEST ?= manifests/demo.yaml
BUCKET ?=
BUCKET_NAME ?=
BUCKET_PREFIX ?=
BUCKET_REGION ?=
NAMESPACE ?=
PIPELINE ?=
NOTEBOOK ?=
TEST ?=
LOAD ?=
FAULTS ?= 100
SEED ?=
# They want more than cargo, so nothing means them that does not name them.
NAMED_TESTS = --test alertmanager --test apiserver --test chart --test kind --test records-under-faults --test restricted --test secured-bucket --test secured-kafka

.PHONY: all setup build demo notebook test build-tests e2e e2e-clusters e2e-up e2e-test e2e-down e2e-chart e2e-apiserver e2e-bucket e2e-kafka e2e-notifier e2e-records e2e-console e2e-notebook e2e-restricted bench quality speed formats lint ci crds clean help

all: build

help:
	@sed -n 's/^#   //p' Makefile

setup:
	@./scripts/setup.sh

# Library and binaries of the whole workspace in one go, so that features are resolved once and nothing is compiled twice.
build: setup
	@$(CARGO) build --release --locked --workspace --bins

# It keeps what it archives for the notebook and other commands, until the next demo.
demo: build
	@$(if $(DATA_DIR),,./scripts/demo-data.sh target/demo)
	@$(BIN)/vedette local -f '$(MANIFEST)' --data-dir '$(or $(DATA_DIR),target/demo)' $(if $(FOR),--for $(FOR)) $(if $(DATA),--dataset '$(DATA)') \
		$(if $(LABEL),--label-field '$(LABEL)') $(if $(NORMAL),--normal-label '$(NORMAL)') $(if $(UNLABELLED),--unlabelled) \
		$(if $(JSON),--json)

notebook: setup
	@VEDETTE_DATA_DIR='$(DATA_DIR)' VEDETTE_BUCKET='$(BUCKET)' VEDETTE_BUCKET_NAME='$(BUCKET_NAME)' \
		VEDETTE_BUCKET_PREFIX='$(BUCKET_PREFIX)' VEDETTE_BUCKET_REGION='$(BUCKET_REGION)' VEDETTE_NAMESPACE='$(NAMESPACE)' \
		VEDETTE_PIPELINE='$(PIPELINE)' ./scripts/notebook.sh $(NOTEBOOK)

# They wait for brokers and buckets more than they compute.
test: export RUST_TEST_THREADS ?= $(shell echo $$((3 * $$(getconf _NPROCESSORS_ONLN))))
test: build
	@$(CARGO) test --release --locked --workspace

build-tests: build
	@$(CARGO) test --release --locked --workspace --no-run
	@$(CARGO) test --release --locked --workspace --no-run $(NAMED_TESTS)

e2e: build
	@./e2e/scripts/e2e.sh $(TEST)

e2e-clusters:
	@./e2e/scripts/clusters.sh

e2e-up: build
	@./e2e/scripts/up.sh

e2e-test: build
	@./e2e/scripts/test.sh $(TEST)

e2e-down:
	@./e2e/scripts/down.sh

e2e-chart: setup
	@./e2e/scripts/prometheus.sh
	@./scripts/dashboards.sh
	@VEDETTE_HELM_BIN=$$(./e2e/scripts/binaries.sh helm kubectl) $(CARGO) test --release --locked \
		--workspace --test chart

e2e-apiserver: setup
	@VEDETTE_LOAD=$(LOAD) VEDETTE_CONTROLPLANE_BIN=$$(./e2e/scripts/binaries.sh api-server helm) $(CARGO) test --release --locked \
		--workspace --test apiserver -- $(TEST) --test-threads 1 --nocapture

e2e-bucket: build
	@$(CARGO) test --release --locked --workspace --test bucket --test secured-bucket --no-run
	@./e2e/scripts/with-seaweedfs.sh $(CARGO) test --release --locked --workspace --test bucket --test secured-bucket

e2e-kafka: build
	@$(CARGO) test --release --locked --workspace --test secured-kafka --no-run
	@./e2e/scripts/with-kafka.sh $(CARGO) test --release --locked --workspace --test secured-kafka

# Its faults are fewer, unless somebody says how many.
e2e-notifier: setup
	@./e2e/scripts/alertmanager.sh >/dev/null
	@$(CARGO) test --release --locked --workspace --test alertmanager -- --nocapture

e2e-records: build
	@$(CARGO) test --release --locked --workspace --test records-under-faults --no-run
	@FAULTS=$(FAULTS) SEED=$(SEED) ./e2e/scripts/with-brokers.sh $(CARGO) test --release --locked --workspace \
		--test records-under-faults -- --nocapture

e2e-console: build
	@./scripts/page.sh
	@./e2e/scripts/console.sh $(TEST)

e2e-notebook: build
	@./e2e/scripts/notebook.sh $(if $(DATA_DIR),'$(DATA_DIR)')

e2e-restricted: build
	@$(CARGO) test --release --locked --workspace --test restricted

bench: build
	@$(CARGO) run --release --locked --quiet --bin bench -- $(BENCH)

quality: setup
	@python=$$(./scripts/peers.sh) && $(CARGO) run --release --locked --quiet --example quality -- \
		--python $$python $(QUALITY)

speed: setup
	@python=$$(./scripts/peers.sh) && $(CARGO) run --release --locked --quiet --example speed -- $$python

formats: setup
	@./scripts/formats.sh

crds: setup
	@$(CARGO) crdgen

ci:
	@./.ci/run

lint: setup
	@$(CARGO) fmt --all --check
	@$(CARGO) clippy --release --locked --workspace --all-targets -- -D warnings
	@$(CARGO) clippy --release --locked --workspace $(NAMED_TESTS) -- -D warnings
	@./scripts/deny.sh

clean:
	@$(CARGO) clean
