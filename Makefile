# Everything runs in .venv, which is made when first needed: python3 and make are enough.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help serve test levels check fix soak fuzz bench calibrate docs dist audit lock resolve lowest clean
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Versions and hashes come from the locks. `make clean test LOCK=` takes the newest that pyproject.toml allows instead.
LOCK ?= yes
LOCKS := requirements.lock requirements-extras.lock requirements-dev.lock
ifeq ($(LOCK),)
install = $(BIN)/pip install --quiet --editable '$(2)'
else
install = $(BIN)/pip install --quiet --require-hashes --requirement $(1) \
    && $(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
endif

help: ## List what make can do
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# Begun anew whenever versions change: nothing is left in it that is no longer named.
.venv/run: pyproject.toml $(LOCKS)
	$(PYTHON) -m venv --clear .venv
	$(call install,requirements.lock,.)
	@touch $@

.venv/dev: .venv/run
	$(call install,requirements-dev.lock,.[dev])
	@touch $@

serve: .venv/run ## Start the service on port 8000 (PORT and CONVSERVE_* are honoured)
	@exec $(BIN)/convserve serve

test: .venv/dev ## Run the whole test suite
	$(BIN)/convserve warm
	$(pytest)

ENGINE_TESTS := tests/engine tests/vectors tests/routes tests/hostile/test_files.py
LOWER_LEVELS = $(BIN)/python -c 'from service.engine.machine.levels import available; print(*available()[:-1])'
WIDE_TESTS := $(addprefix tests/engine/,loops algorithms codecs) tests/vectors
SIDE_BY_SIDE := --numprocesses 2 --dist loadfile --no-loadscope-reorder
pytest = $(BIN)/pytest $(SIDE_BY_SIDE)

levels: .venv/dev ## Test the engine on the ground floor, at lower processor levels, and the loops of AVX-512 on AVX2
	CONVSERVE_COMPILE=off $(pytest) $(ENGINE_TESTS)
	@for level in $$($(LOWER_LEVELS)); do \
	    echo "$$level"; export CONVSERVE_CPU=$$level; $(BIN)/convserve warm && $(pytest) $(ENGINE_TESTS) || exit 1; \
	done
	$(BIN)/python -m tests.wide $(SIDE_BY_SIDE) $(WIDE_TESTS)

check: .venv/dev ## Check format, lint, types and the length of files; change nothing
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/python -m tests.lengths

fix: .venv/dev ## Repair format and lint where possible
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

soak: .venv/dev ## Send 20,000 requests, valid and hostile ones, while workers and servers are killed
	$(BIN)/python -m tests.hostile.first_start
	$(BIN)/python -m tests.hostile.soak
	HOSTILE_EXAMPLES=200 $(BIN)/pytest tests/hostile/test_schemathesis.py

MINUTES ?= 1
FUZZED ?= png npy picture spec form

fuzz: .venv/dev ## Fuzz the readers of files, specs and forms, MINUTES=1 each; FUZZED=png runs only one
	[ -d build/atheris ] || $(BIN)/pip install --quiet --target build/atheris --requirement tests/fuzz/requirements.txt \
	    || echo 'atheris cannot be had: hypothesis draws instead'
	@for target in $(FUZZED); do \
	    PYTHONPATH=build/atheris $(BIN)/python -m tests.fuzz $$target --minutes $(MINUTES) || exit 1; \
	done

bench: .venv/dev ## Time whole requests and single algorithms
	$(BIN)/python -m tests.benchmarks

calibrate: .venv/dev ## Measure the planner's rates on this machine and save them
	$(BIN)/python -m tests.benchmarks.calibrate

docs: .venv/dev ## Make the pictures and pages of docs/ from the running code, and the site in site/
	$(BIN)/python -m docs.make

dist: .venv/dev ## Make everything in a release except the images, in dist/: wheel, sdist, chart, site, notes
	rm -rf dist
	@command -v helm >/dev/null || [ -x $(BIN)/helm ] || $(BIN)/python deploy/helm/get-helm $(BIN)/helm
	$(BIN)/python -m release all dist

build/audit:
	$(PYTHON) -m venv build/audit
	build/audit/bin/pip install --quiet pip-audit

# Strict: a package that cannot be looked up would pass otherwise, and so would all of them without the index.
audit: build/audit ## Check whether a locked version is known to be vulnerable
	build/audit/bin/pip-audit --strict --disable-pip --require-hashes --requirement requirements-extras.lock

UV := build/uv/bin/uv
PYTHONS := 3.11 3.12 3.13 3.14
PLATFORMS := x86_64-manylinux_2_28 aarch64-manylinux_2_28 aarch64-apple-darwin
COMPILE = $(UV) --no-config pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate

$(UV):
	$(PYTHON) -m venv build/uv
	build/uv/bin/pip install --quiet uv

# The largest of the three is resolved, with setuptools, which builds the package; the others take their versions from it.
lock: $(UV) ## Lock versions and hashes for every Python and platform; UPGRADE=--upgrade takes the newest versions
	sed -n 's/^requires = \["\(.*\)"\]$$/\1/p' pyproject.toml > build/setuptools.in
	$(COMPILE) $(UPGRADE) --extra dev --output-file requirements-dev.lock pyproject.toml build/setuptools.in
	$(COMPILE) --upgrade --constraint requirements-dev.lock --extra tracing --extra dask \
	    --output-file requirements-extras.lock pyproject.toml build/setuptools.in
	$(COMPILE) --upgrade --constraint requirements-dev.lock --output-file requirements.lock pyproject.toml build/setuptools.in
	$(MAKE) resolve

resolve: $(UV) ## Check that each lock is complete, from wheels only, for every Python and platform
	@for lock in $(LOCKS); do for python in $(PYTHONS); do for platform in $(PLATFORMS); do \
	    echo $$lock $$python $$platform; \
	    $(UV) --no-config pip install --dry-run --quiet --require-hashes --only-binary :all: --target build/nothing \
	        --python-version $$python --python-platform $$platform --requirement $$lock || exit 1; \
	done; done; done

LOWEST := tests/test_cli.py tests/test_settings.py tests/test_client.py tests/test_server.py tests/routes \
    tests/hostile/test_protocol.py tests/engine/test_contract.py tests/engine/codecs tests/dispatch/test_cluster.py

lowest: $(UV) ## Run the tests that involve other packages with the lowest versions that pyproject.toml allows
	$(UV) --no-config venv --quiet --clear --python $(PYTHON) build/lowest
	$(UV) --no-config pip install --quiet --python build/lowest --resolution lowest-direct --editable '.[dev]'
	build/lowest/bin/convserve warm
	build/lowest/bin/pytest $(LOWEST)

clean: ## Remove what was built
	rm -rf .venv build dist *.egg-info
