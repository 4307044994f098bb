# Everything a fresh machine needs is set up by the targets themselves; a second run starts at once.
# `make` alone lists them.

VENV := .venv
PYTHON := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
TOOLS := .tools
RUNTIME := $(TOOLS)/runtime
UV := $(or $(shell command -v uv 2>/dev/null),$(TOOLS)/bin/uv)
UV_VERSION := 0.13.9
# What uv looks for: a version, a range of versions or a path. Another one than last time makes the environment anew.
PYTHON_VERSION ?= >=3.11
HAVE_PROGRAMS = $(PYTHON) -m controlplane prepare
CRASH_REPORT ?= build/crash-matrix.md

PYTEST_ARGS ?=
WORKERS ?= auto
PARALLEL = --numprocesses=$(WORKERS) --dist=worksteal
COMPILE := --universal --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make lock" --quiet $(UPGRADE)

export PYTHONPATH := tests
export PYTEST_ARGS
# Tests start the operator hundreds of times: it is compiled once, whatever the caller's environment says.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "make %-14s %s\n", $$1, $$2 }'

.PHONY: demo
demo: $(INSTALLED) ## Show the whole life of workloads on a real API server (KEEP=1 leaves it running)
	@$(HAVE_PROGRAMS) etcd kube-apiserver >/dev/null
	@KEEP=$(KEEP) $(PYTHON) -m demo

.PHONY: test
test: $(INSTALLED) binaries ## Run the tests (PYTEST_ARGS="-k name" to choose)
	@echo "==> Tests: about a quarter of an hour on two cores"
	@$(VENV)/bin/pytest -m "not slow and not installation and not node" $(PARALLEL) $(PYTEST_ARGS)

.PHONY: test-repeat
test-repeat: $(INSTALLED) binaries ## Run the tests N=10 times, half of them beside a busy core; shows what ever failed
	@echo "==> Tests, $(or $(N),10) times: about an hour for ten"
	@$(PYTHON) -m repeat $(or $(N),10)

.PHONY: test-coverage
test-coverage: $(INSTALLED) ## Show which branches of the domain and the engine their unit tests reach
	@echo "==> Coverage: about five minutes"
	@$(VENV)/bin/pytest tests/unit/domain tests/unit/engine -q --cov --cov-report=term-missing:skip-covered $(PARALLEL) $(PYTEST_ARGS)

.PHONY: test-install
test-install: $(INSTALLED) binaries ## Install by Helm and kustomize, and run GitOps tools beside the operator
	@echo "==> Installation and GitOps: at most 10 minutes on two cores"
	@$(VENV)/bin/pytest -m "installation and not slow" $(PARALLEL) $(PYTEST_ARGS)

.PHONY: image
image: $(INSTALLED) ## Build the images with Docker or buildah, and show what they consist of
	@echo "==> Images: a minute or two; a few minutes more where base images cannot be pulled"
	@$(PYTHON) -m image build

.PHONY: image-check
image-check: $(INSTALLED) ## Build the images, and fail if anything is in them that should not be
	@echo "==> Images: a minute or two; a few minutes more where base images cannot be pulled"
	@$(PYTHON) -m image check

.PHONY: test-node
test-node: $(INSTALLED) ## Run the image on a real Kubernetes node (Linux, root), installed as admins do
	@echo "==> Node: minutes; the first time a quarter of an hour of preparation on two cores"
	@$(PYTHON) -m node tests/node -m node $(PYTEST_ARGS)

.PHONY: test-model
test-model: $(INSTALLED) ## Explore the protocol at random, and show that planted defects are caught
	@echo "==> Model: about twenty minutes"
	@MODEL_RUNS=2500 $(VENV)/bin/pytest tests/model -p no:logging $(PYTEST_ARGS)

.PHONY: test-simulation
test-simulation: $(INSTALLED) ## Explore random histories of the whole operator in virtual time (MINUTES=20)
	@echo "==> Simulation: $(or $(MINUTES),20) minutes"
	@$(PYTHON) -m simulation --weeks 10 --first $(or $(FIRST),0)
	@$(PYTHON) -m simulation --minutes $(or $(MINUTES),20) --first $(or $(FIRST),0) --keep-going

.PHONY: test-defects
test-defects: $(INSTALLED) ## Plant one defect after the other in the simulation, and show how each is caught (ONLY=words)
	@echo "==> Planted defects: about 20 minutes on two idle cores"
	@$(PYTHON) -m simulation --defects --jobs $(or $(JOBS),2) --only "$(ONLY)"

.PHONY: test-mutation
test-mutation: $(VENV)/.mutation-installed ## Change the rules in small ways, and show what no test notices (ONLY=domain.decide)
	@echo "==> Mutants: three quarters of an hour on one core, or ONLY=domain.decide: minutes"
	@$(PYTHON) -m mutation --jobs $(or $(JOBS),2) --only $(ONLY)

.PHONY: test-crash
test-crash: $(INSTALLED) binaries ## Kill the operator at every await and strike every call; totals are printed
	@echo "==> Crash matrix, faults and bursts, in two worlds: about half an hour; every case in $(CRASH_REPORT)"
	@CRASH_REPORT=$(CRASH_REPORT) $(VENV)/bin/pytest tests/crash -m slow $(PARALLEL) $(PYTEST_ARGS)

.PHONY: bench
bench: $(INSTALLED) ## Measure bursts, rest, freshness, start and deletion beside a raw script and a naive operator (WORKLOADS=200)
	@$(HAVE_PROGRAMS) etcd kube-apiserver >/dev/null
	@echo "==> Bench: about three minutes on two idle cores"
	@$(PYTHON) -m bench --workloads $(or $(WORKLOADS),200)

.PHONY: bench-all
bench-all: $(INSTALLED) $(VENV)/.bench-installed ## Measure everything that docs/performance.md shows
	@$(HAVE_PROGRAMS) etcd kube-apiserver >/dev/null
	@echo "==> Bench: about four hours on two idle cores; nothing waits for ever"
	@$(PYTHON) -m bench.calls
	@$(PYTHON) -m bench.life --rounds 3
	@$(PYTHON) -m bench --workloads 100 1000 --sizes 4 64 --yaml --rounds 3 --save build/bench.json
	@$(PYTHON) -m bench --workloads 1000 --phase-time 30 --without-naive
	@$(PYTHON) -m bench --workloads 10000 --changes 100 1000 --without-naive --save build/bench-10000.json
	@$(PYTHON) -m bench.rest --save build/bench-rest.json
	@$(PYTHON) -m bench.foreign --save build/bench-foreign.json
	@$(PYTHON) -m bench.shards
	@$(PYTHON) -m bench.storms
	@$(PYTHON) -m bench.plots build/bench.json build/bench-10000.json build/bench-rest.json

.PHONY: test-soak
test-soak: $(INSTALLED) ## Run for an hour under churn and faults, and judge what grows (MINUTES=60, WORKLOADS=2000)
	@$(HAVE_PROGRAMS) etcd kube-apiserver >/dev/null
	@echo "==> Soak: $(or $(MINUTES),60) minutes"
	@$(PYTHON) -m bench.soak --minutes $(or $(MINUTES),60) --workloads $(or $(WORKLOADS),2000)

.PHONY: bench-memory
bench-memory: $(INSTALLED) $(RUNTIME)/.installed ## Measure what starting costs, and what the operator holds in memory
	@$(HAVE_PROGRAMS) etcd kube-apiserver >/dev/null
	@echo "==> Memory: about a minute"
	@$(PYTHON) -m bench.memory --python $(RUNTIME)/bin/python
	@$(PYTHON) -m bench.sizes

.PHONY: bench-calls
bench-calls: $(INSTALLED) $(VENV)/.bench-installed ## Measure what one call to Run:ai costs, over several transports
	@echo "==> Calls: about three minutes"
	@$(PYTHON) -m bench.calls

.PHONY: lint
lint: $(INSTALLED) ## Check style, types, layers, the Dockerfile and the workflows
	@echo "==> Lint: about a minute"
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(if $(wildcard Dockerfile),$(VENV)/bin/hadolint Dockerfile)
	$(if $(wildcard .github),$(VENV)/bin/zizmor --quiet --offline .github)

.PHONY: generate
generate: $(INSTALLED) ## Write every generated file anew
	@echo "==> Generated files: seconds"
	$(PYTHON) crds/generate.py
	$(PYTHON) docs/generate_status.py
	$(PYTHON) docs/generate_reference.py
	$(PYTHON) docs/generate_cli.py
	$(PYTHON) deploy/examples/generate_large_job.py
	$(PYTHON) deploy/argocd/generate.py
	$(PYTHON) -m readers.write_testdata
	$(PYTHON) deploy/helm/generate.py

.PHONY: generate-types
generate-types: $(INSTALLED) ## Take the Kubernetes types of the chart's values from a real API server
	@$(HAVE_PROGRAMS) etcd kube-apiserver >/dev/null
	@echo "==> Kubernetes types: seconds"
	$(PYTHON) -m installation.kubernetes_types
	$(PYTHON) deploy/helm/generate.py

.PHONY: generate-transcripts
generate-transcripts: $(INSTALLED) ## Write anew what the commands print in docs/transcripts.md, on a real API server
	@$(HAVE_PROGRAMS) etcd kube-apiserver kubectl >/dev/null
	@echo "==> Transcripts: half a minute"
	@UPDATE_TRANSCRIPTS=1 $(VENV)/bin/pytest --quiet -n 0 tests/integration/test_transcripts.py

.PHONY: verify
verify: $(INSTALLED) ## Fail if a generated file is not what its generator writes
	@.ci/verify

.PHONY: binaries
binaries: $(INSTALLED) ## Fetch or build etcd and the Kubernetes programs that the tests use
	@echo "==> Control-plane programs: at once if cached; else a download, or a Go build of about 10 minutes"
	@$(HAVE_PROGRAMS) etcd kube-apiserver kubectl kube-controller-manager helm

.PHONY: lock
lock: $(UV) ## Lock the dependencies of pyproject.toml (UPGRADE=--upgrade for the newest versions)
	@echo "==> Locking: under a minute"
	@$(UV) pip compile $(COMPILE) pyproject.toml -o requirements.txt
	@$(UV) pip compile $(COMPILE) pyproject.toml --extra simulator --extra cli --extra cel --group dev -c requirements.txt -o requirements-dev.txt
	@printf '%s\n' pyyaml starlette uvicorn | $(UV) pip compile $(COMPILE) - -c requirements-dev.txt -o requirements-simulator.txt
	@$(UV) pip compile $(COMPILE) tests/mutation/requirements.in -c requirements-dev.txt -o tests/mutation/requirements.txt
	@$(UV) pip compile $(COMPILE) --group pyproject.toml:bench -c requirements-dev.txt -o tests/bench/requirements.txt

.PHONY: clean
clean: ## Remove what the targets made here; downloads and builds in the user's cache stay
	rm -rf $(VENV) $(TOOLS) .coverage .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

ifneq ($(shell cat $(INSTALLED) 2>/dev/null),$(PYTHON_VERSION))
.PHONY: $(INSTALLED)
endif
$(INSTALLED): requirements-dev.txt pyproject.toml | $(UV)
	@echo "==> Python environment in $(VENV): about a minute, only when dependencies or PYTHON_VERSION change"
	@test "$$(cat $@ 2>/dev/null)" = '$(PYTHON_VERSION)' || $(UV) venv --quiet --clear --python '$(PYTHON_VERSION)' $(VENV)
	@$(UV) pip install --quiet --python $(PYTHON) --require-hashes -r requirements-dev.txt
	@$(UV) pip install --quiet --python $(PYTHON) --no-deps --no-build-isolation -e .
	@echo '$(PYTHON_VERSION)' >$@

$(VENV)/.mutation-installed: tests/mutation/requirements.txt $(INSTALLED)
	@$(UV) pip install --quiet --python $(PYTHON) --require-hashes -r $<
	@touch $@

$(VENV)/.bench-installed: tests/bench/requirements.txt $(INSTALLED)
	@$(UV) pip install --quiet --python $(PYTHON) --require-hashes -r $<
	@touch $@

# What the image has, and nothing of ours or of the tests.
$(RUNTIME)/.installed: requirements.txt $(INSTALLED) | $(UV)
	@$(UV) venv --quiet --clear --python $(PYTHON) $(RUNTIME)
	@$(UV) pip install --quiet --python $(RUNTIME)/bin/python --require-hashes -r requirements.txt
	@touch $@

$(TOOLS)/bin/uv:
	@echo "==> uv, the package installer, into $(TOOLS): seconds"
	@command -v python3 >/dev/null || { echo "There is no python3 here: install Python 3.11 or newer, or uv." >&2; exit 1; }
	@python3 -m pip --version >/dev/null 2>&1 || { echo "python3 has no pip: install python3-pip, or uv." >&2; exit 1; }
	@python3 -m pip install --quiet --root-user-action=ignore --disable-pip-version-check --target $(TOOLS) uv==$(UV_VERSION)
