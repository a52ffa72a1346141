# The developer's commands; CI runs the same ones. Every target but `lock` sets up its own .venv first.

VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
ARGS   ?=
RUNS   ?= 200
SEED   ?= 1
FAULTS ?= 6
# Three processes (many tests wait for servers), each file's tests in one, so that a file's fixtures are built once.
PYTEST ?= -n 3 --dist loadfile

# The first of these that is one of the Pythons the pins are for; PYTHON=... names another.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null \
	&& echo $$python && break; done)

.DEFAULT_GOAL := help
.PHONY: help install up demo test chaos secured soak lint format outages bench wheel lock clean

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) ## Set up .venv with every pinned dependency and the command changeover

$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 found: install one, or name it with PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/changeover compile
	@touch $@

up: $(STAMP) ## Start broker, Redis, ingest, worker and agents with a live view; Ctrl-C stops all of it
	$(BIN)/changeover up $(ARGS)

demo: $(STAMP) ## The same on a simulated market with a power spike: signals within a minute, no network needed
	$(BIN)/changeover demo $(ARGS)

test: lint ## Lint, types, import contracts, tests, doctests, every example in the docs
	@$(BIN)/changeover compile  # once, instead of in every process that the tests start
	$(BIN)/python -m pytest $(PYTEST) $(ARGS)

chaos: $(STAMP) ## Break everything at random points and compare the feed with the log: RUNS runs from seed SEED, FAULTS faults each
	@$(BIN)/changeover compile
	CHANGEOVER_TEST_CHAOS_RUNS=$(RUNS) CHANGEOVER_TEST_CHAOS_SEED=$(SEED) CHANGEOVER_TEST_CHAOS_FAULTS=$(FAULTS) \
		CHANGEOVER_TEST_CHAOS_FIGURES=var/chaos.jsonl \
		$(BIN)/python -m pytest -q tests/chaos -m slow --show-capture=no $(ARGS)
	@$(BIN)/python -m tests.support.chaos.figures var/chaos.jsonl

soak: $(STAMP) ## Run ingest for half an hour against fake sources that fail at random; nothing may grow
	@mkdir -p var
	CHANGEOVER_TEST_SOAK_JSON=$${CHANGEOVER_TEST_SOAK_JSON-var/soak.json} $(BIN)/python -m pytest tests/soak -m slow -n 0 -s $(ARGS)

lint: $(STAMP) ## Lint, format, types and import contracts only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## Format the code and mend what lint can mend by itself
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

secured: $(STAMP) ## Every service under its own login over TLS on real Kafka, and the page of decisions again: some 6 minutes
	$(BIN)/python -m pytest tests/integration/test_secured_kafka.py tests/streams/backtest -m slow -n 0 $(ARGS)

outages: $(STAMP) ## The desk's client through 100 restarts, 1,000 lost connections, 100 seeds of trouble: some 7 minutes
	$(BIN)/python -m pytest tests/integration/test_client_chaos.py -m slow -n 0 $(ARGS)

bench: $(STAMP) ## Measure the engine, the replay, the sink and the way from raw to Redis
	@for bench in benchmarks/bench_*.py; do echo "== $$bench"; $(BIN)/python "$$bench" $(ARGS) || exit 1; done

wheel: $(STAMP) ## Build the wheel into dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

PIN := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock"

lock: ## Pin every dependency with its hashes again, for us and for the image (needs uv)
	$(PIN) pyproject.toml --extra embedded --extra archive --extra fits --group dev --upgrade --output-file requirements.lock
	$(PIN) pyproject.toml --extra archive --extra fits --constraint requirements.lock --output-file deploy/requirements.lock
	echo hatchling | $(PIN) - --constraint requirements.lock --output-file deploy/build.lock

clean: ## Remove .venv, caches and what runs have written
	rm -rf $(VENV) build dist var .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .numba_cache
