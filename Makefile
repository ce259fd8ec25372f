# Two commands matter to a newcomer: `make run` and `make test`. Both need Python 3.11 or newer and make, nothing else.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.SUFFIXES:

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$python; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PURE := $(wildcard schemas streams/instants.py streams/boundary.py streams/rows.py streams/intake streams/identity streams/language streams/customer streams/journeys)

run: $(STAMP) ## Play a year of a real web shop through Kairos, with a live view
	$(BIN)/kairos run --source data/online-retail.csv.gz --reader online-retail --until 2011-12-10T00:00:00Z

test: $(STAMP) ## Run the tests on a real Kafka that starts by itself; ARGS="tests/broker -k mock" picks some
	$(BIN)/pytest --durations=25 $(ARGS)

check: $(STAMP) ## Check the house: import contracts, lint, format, types, the tests of the house
	$(BIN)/lint-imports --no-logo
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(PURE) streams/broker
	$(BIN)/pytest tests/house -n 0

test-faults: $(STAMP) ## Run the long tests: kill -9, partitions, workers (up to an hour)
	$(BIN)/pytest -m faults --durations=25

test-system: $(STAMP) ## Run a live Kairos with Prometheus beside it, which must answer every query of the dashboards, and clients for Node and browsers (minutes; Debian packages: .ci/packages)
	deploy/packages.sh
	$(BIN)/pytest -m system -n 0 --durations=25

stack: $(STAMP) ## Run what docker-compose.kafka.yml runs without containers: Kafka, collector, two workers, Prometheus; Ctrl-C stops all
	$(BIN)/python -m deploy.stack

soak: $(STAMP) ## Run the tests that last for hours; PART=faults or PART=faults/test_engine_soak runs those of one folder or file below tests/
	$(BIN)/pytest -m soak -n 0 --durations=15 -o faulthandler_timeout=0 $(if $(PART),tests/$(PART)*)

soak-engine: $(STAMP) ## Do everything to the engine that may happen to it, and tell what was lost, came twice, paused (an hour and a half); ARGS="--only poison" for a look
	$(BIN)/python -m tests.faults $(ARGS)

bench: $(STAMP) ## Measure the whole pipeline with one worker, then with two, on a real Kafka; ARGS="PEOPLE=5000 WORKERS=1" runs less
	env $(ARGS:%=KAIROS_BENCH_%) $(BIN)/pytest -m bench -n 0 -s -o faulthandler_timeout=0 tests/bench

bench-engine: $(STAMP) ## Measure the engine beside Kafka Streams, Quix Streams, Bytewax and Faust (an hour); ARGS="--events 100000 --rounds 1" for a look
	$(BIN)/python -m tests.bench.engine $(ARGS)

bench-latency: $(STAMP) ## Measure how long it takes from an interaction to its committed output at 10%, 50% and 80% of the greatest rate; ARGS="--seconds 5" for a look
	$(BIN)/python -m tests.bench.latency $(ARGS)

bench-scale: $(STAMP) ## Measure what more customers, more partitions and a second worker cost (ten minutes); ARGS="--events 50000 --customers 10000" for a look
	$(BIN)/python -m tests.bench.scale $(ARGS)

bench-recovery: $(STAMP) ## Measure how fast a worker with an empty directory restores 2M rows from its changelog; ARGS="--rows 100000 --rounds 1" for a look
	$(BIN)/python -m tests.bench.recovery $(ARGS)

bench-identity: $(STAMP) ## Measure the resolve step and the identity agent in one process (a minute); ARGS="--people 1000 --rounds 1" for a look
	$(BIN)/python -m tests.bench.identity $(ARGS)

bench-replay: $(STAMP) ## Measure how fast a replay is beside a live worker, by turns (six minutes); ARGS="--people 1000 --rounds 1" for a look
	$(BIN)/python -m tests.bench.replay $(ARGS)

bench-collector: $(STAMP) ## Measure what the HTTP door takes and how long it lets wait (a minute and a half); ARGS="--batches 100 --seconds 5" for a look
	$(BIN)/python -m tests.bench.collector $(ARGS)

format: $(STAMP) ## Put the code into the one format, and mend what the linter can
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

lock: $(STAMP) ## Write requirements.lock anew from pyproject.toml, newest versions, with hashes
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --native-tls --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
	    --extra broker --extra test --quiet --output-file requirements.lock pyproject.toml
	$(BIN)/uv pip compile --native-tls --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
	    --constraint requirements.lock --quiet --output-file deploy/requirements.lock pyproject.toml

clean: ## Remove what was built and every state kept here; the next start begins from nothing
	rm -rf $(VENV) .kairos build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(STAMP): requirements.lock pyproject.toml
	@[ -n "$(PYTHON)" ] || { echo "Kairos needs Python 3.11 or newer with venv (on Debian and Ubuntu: apt install python3-venv)."; exit 1; }
	[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $(STAMP)

.PHONY: run test check test-faults test-system stack soak soak-engine bench bench-engine bench-latency bench-scale bench-recovery bench-identity bench-replay bench-collector format lock clean help
