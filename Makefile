# The same verbs everywhere: setup, check, test, demo, bench. CI calls check and test and nothing else.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
FUZZER := $(VENV)/share/karkhana/fuzzer
BENCH_DATA ?= .benchmarks

# Tests start thousands of interpreters: none may have to compile what another one did.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup check test demo screenshots bench clean lock
.DELETE_ON_ERROR:

setup: $(STAMP)

$(STAMP): requirements.lock requirements-fuzz.lock pyproject.toml scripts/system-packages
	@test -x "$(PYTHON)" || { echo "error: Python 3.11 or newer is needed; install it or pass PYTHON=/path/to/python"; exit 4; }
	scripts/system-packages
	test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.9"
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	$(BIN)/uv pip install --quiet --python $(BIN)/python --target $(FUZZER) --compile-bytecode --require-hashes \
		-r requirements-fuzz.lock
	@touch $@

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/docs

# Two workers more than there are cores: a quarter of the suite's time is waiting. A module stays with one worker, for
# its fixtures, and in our own order (tests/conftest.py).
test: setup
	$(BIN)/pytest -q -n $$(( $$(nproc) + 2 )) --dist loadfile --no-loadscope-reorder --durations=20 --durations-min=8

demo: setup
	$(BIN)/karkhana demo

screenshots: setup
	$(BIN)/python scripts/screenshots.py

bench: setup
	$(BIN)/python -m benchmarks --data "$(BENCH_DATA)"

lock:
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url \
		--no-emit-find-links --no-annotate --group dev pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url \
		--no-emit-find-links --no-annotate --group fuzz -o requirements-fuzz.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
