# Everything a fresh machine needs is set up by the targets themselves; a second run starts at once.
# `make` alone lists them.

VENV := .venv
PYTHON := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
TOOLS := .tools
UV := $(or $(shell command -v uv 2>/dev/null),$(TOOLS)/bin/uv)
UV_VERSION := 0.13.9
HAVE_PROGRAMS = $(PYTHON) -m controlplane prepare

PYTEST_ARGS ?=
WORKERS ?= auto
PARALLEL = --numprocesses=$(WORKERS) --dist=worksteal
COMPILE := --universal --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make lock" --quiet $(UPGRADE)

export PYTHONPATH := tests
export PYTEST_ARGS

.PHONY: help
help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "make %-14s %s\n", $$1, $$2 }'

.PHONY: demo
demo: $(INSTALLED) ## Show the whole life of workloads on a real API server (KEEP=1 leaves it running)
	@$(HAVE_PROGRAMS) etcd kube-apiserver >/dev/null
	@KEEP=$(KEEP) $(PYTHON) -m demo

.PHONY: test
test: $(INSTALLED) binaries ## Run the tests (PYTEST_ARGS="-k name" to choose)
	@echo "==> Tests: at most 7 minutes on two cores"
	@$(VENV)/bin/pytest -m "not slow and not installation" $(PARALLEL) $(PYTEST_ARGS)

.PHONY: test-repeat
test-repeat: $(INSTALLED) binaries ## Run the tests N=10 times, half of them beside a busy core; tells what ever failed
	@echo "==> Tests, $(or $(N),10) times: about an hour for ten"
	@$(PYTHON) -m repeat $(or $(N),10)

.PHONY: test-coverage
test-coverage: $(INSTALLED) ## Tell which branches of the domain and the engine their unit tests reach
	@echo "==> Coverage: about a minute"
	@$(VENV)/bin/pytest tests/unit/domain tests/unit/engine -q --cov --cov-report=term-missing:skip-covered $(PYTEST_ARGS)

.PHONY: test-install
test-install: $(INSTALLED) binaries ## Install by Helm and kustomize, and run GitOps tools beside the operator
	@echo "==> Installation and GitOps: at most 10 minutes on two cores"
	@$(VENV)/bin/pytest -m "installation and not slow" $(PARALLEL) $(PYTEST_ARGS)

.PHONY: test-model
test-model: $(INSTALLED) ## Explore the protocol at random, and show that planted defects are caught
	@echo "==> Model: about twenty minutes"
	@MODEL_RUNS=2500 $(VENV)/bin/pytest tests/model $(PYTEST_ARGS)

.PHONY: test-crash
test-crash: $(INSTALLED) binaries ## Kill the operator at every await and strike every call; prints the table of cases
	@echo "==> Crash matrix, faults and bursts, in two worlds: about an hour"
	@CRASH_REPORT=$(CRASH_REPORT) $(VENV)/bin/pytest tests/crash -m slow -s $(PYTEST_ARGS)

.PHONY: bench
bench: $(INSTALLED) ## Measure start, bursts, steady state and memory beside a raw script (WORKLOADS=500)
	@$(HAVE_PROGRAMS) etcd kube-apiserver >/dev/null
	@echo "==> Bench: about two minutes"
	@$(PYTHON) -m bench --workloads $(or $(WORKLOADS),500)

.PHONY: lint
lint: $(INSTALLED) ## Check style, types, layers and the Dockerfile
	@echo "==> Lint: about a minute"
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(if $(wildcard Dockerfile),$(VENV)/bin/hadolint Dockerfile)

.PHONY: binaries
binaries: $(INSTALLED) ## Fetch or build etcd and the Kubernetes programs that the tests use
	@echo "==> Control-plane programs: at once if cached; else a download, or a Go build of about 10 minutes"
	@$(HAVE_PROGRAMS) etcd kube-apiserver kubectl kube-controller-manager helm

.PHONY: lock
lock: $(UV) ## Lock the dependencies of pyproject.toml (UPGRADE=--upgrade for the newest versions)
	@echo "==> Locking: under a minute"
	@$(UV) pip compile $(COMPILE) pyproject.toml -o requirements.txt
	@$(UV) pip compile $(COMPILE) pyproject.toml --extra simulator --group dev -c requirements.txt -o requirements-dev.txt

.PHONY: clean
clean: ## Remove what the targets made here; downloads and builds in the user's cache stay
	rm -rf $(VENV) $(TOOLS) .coverage .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): requirements-dev.txt pyproject.toml | $(UV)
	@echo "==> Python environment in $(VENV): about a minute, only when dependencies change"
	@test -x $(PYTHON) || $(UV) venv --quiet --python '>=3.11' $(VENV)
	@$(UV) pip install --quiet --python $(PYTHON) --require-hashes -r requirements-dev.txt
	@$(UV) pip install --quiet --python $(PYTHON) --no-deps --no-build-isolation -e .
	@touch $@

$(TOOLS)/bin/uv:
	@echo "==> uv, the package installer, into $(TOOLS): seconds"
	@command -v python3 >/dev/null || { echo "There is no python3 here: install Python 3.11 or newer, or uv." >&2; exit 1; }
	@python3 -m pip --version >/dev/null 2>&1 || { echo "python3 has no pip: install python3-pip, or uv." >&2; exit 1; }
	@python3 -m pip install --quiet --root-user-action=ignore --disable-pip-version-check --target $(TOOLS) uv==$(UV_VERSION)
