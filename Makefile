# Everything runs in .venv, which is made when first needed: python3 and make are enough.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help serve test check fix bench calibrate docs lock clean

help: ## List what make can do
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.venv/run: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable .
	@touch $@

.venv/dev: .venv/run
	$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $@

serve: .venv/run ## Start the service on port 8000 (PORT and CONVSERVE_* are honoured)
	@exec $(BIN)/convserve serve

test: .venv/dev ## Run the whole test suite
	$(BIN)/convserve warm
	$(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

check: .venv/dev ## Look at format, lint and types; write nothing
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

fix: .venv/dev ## Repair format and lint where that can be done
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

soak: .venv/dev ## Send 20,000 requests, right ones and hostile ones, while workers are killed
	$(BIN)/python -m tests.hostile.soak
	HOSTILE_EXAMPLES=200 $(BIN)/pytest tests/hostile/test_schemathesis.py

bench: .venv/dev ## Time whole requests and single algorithms
	$(BIN)/python -m tests.benchmarks

calibrate: .venv/dev ## Measure the planner's rates on this machine and write them down
	$(BIN)/python -m tests.benchmarks.calibrate

docs: .venv/dev ## Make pictures and pages of docs/ from the running code, and the site from them, in site/
	$(BIN)/python -m docs.make

LOCK = $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --no-header --no-emit-index-url --no-emit-options \
       --no-emit-trusted-host --no-emit-find-links

lock: .venv/dev ## Lock what the image installs, with hashes; with a Python of the image's version
	$(BIN)/pip install --quiet pip-tools
	$(LOCK) --output-file requirements.lock pyproject.toml
	$(LOCK) --extra tracing --extra dask --constraint requirements.lock --output-file requirements-extras.lock pyproject.toml

clean: ## Remove what was built
	rm -rf .venv build dist *.egg-info
