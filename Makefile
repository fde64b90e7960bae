# Verbs of the project. Each sets itself up in .venv: slow once, fast afterwards.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

SOURCES := $(shell find src proto web cmake -type f \
	-not -path '*/node_modules/*' -not -path '*/__pycache__/*' -not -name '*.so' -not -name '*_pb2*' -not -path 'web/dist/*' 2>/dev/null) \
	CMakeLists.txt pyproject.toml README.md LICENSE

.PHONY: help
help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# ---- set-up -----------------------------------------------------------------

$(VENV)/.created:
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) was not found; install Python 3.11 or later, or run make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $$($(PYTHON) --version) is too old; OpenSQT needs Python 3.11 or later (make PYTHON=/path/to/python3.11)" >&2; exit 1; }
	@echo "Creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --upgrade 'pip>=25.1'
	@touch $@

# The build tools stay in the environment, so that a second build reuses CMake's tree and takes seconds.
$(VENV)/.build-tools: $(VENV)/.created pyproject.toml
	@echo "Installing build tools"
	@command -v cc >/dev/null || { echo "error: no C compiler was found; install one (for example apt-get install build-essential)" >&2; exit 1; }
	@$(BIN)/python -c 'import tomllib; print("\n".join(tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"]))' > $(VENV)/build-requires.txt
	@$(PIP) install --requirement $(VENV)/build-requires.txt --group build ninja $(if $(shell command -v cmake),,cmake)
	@touch $@

$(VENV)/.wheel: $(VENV)/.build-tools $(SOURCES)
	@echo "Building the wheel (kernels, messages, page)"
	@rm -rf build/wheel && mkdir -p build/wheel
	@PATH="$(abspath $(BIN)):$$PATH" $(PIP) wheel --no-build-isolation --no-deps --wheel-dir build/wheel .
	@touch $@

$(VENV)/.installed: $(VENV)/.wheel
	@echo "Installing the wheel"
	@wheel=$$(ls build/wheel/opensqt-*.whl) && $(PIP) install "$$wheel[all]" && $(PIP) install --force-reinstall --no-deps "$$wheel"
	@touch $@

$(VENV)/.test-tools: $(VENV)/.created pyproject.toml
	@echo "Installing test tools"
	@$(PIP) install --group test
	@touch $@

$(VENV)/.lint-tools: $(VENV)/.created pyproject.toml
	@echo "Installing lint tools"
	@$(PIP) install --group lint
	@touch $@

# ---- verbs ------------------------------------------------------------------

.PHONY: run
run: $(VENV)/.installed ## Build everything and run the demo: three services, paper venue, a grid on a page
# On a terminal the demo is a job of its own, so that Ctrl-C reaches it and not make, which would report an interrupt as a failure.
	@if [ -t 0 ]; then set -m; fi; $(BIN)/opensqt demo $(ARGS); exit $$?

# Most slow tests start processes and wait for them, so more lanes than cores; a file's tests share its lane and its stack.
LANES ?= 3
.PHONY: test
test: $(VENV)/.installed $(VENV)/.test-tools ## Run every test against the installed wheel, and the page's own; ARGS="tests/unit" some
	cd web && npm test --silent
ifeq ($(strip $(ARGS)),)
	$(BIN)/python -m pytest -n $(LANES) --dist loadscope --no-loadscope-reorder -m 'not alone'
	$(BIN)/python -m pytest -m alone
else
	$(BIN)/python -m pytest $(ARGS)
endif

.PHONY: test-unit
test-unit: $(VENV)/.installed $(VENV)/.test-tools ## Run only the tests that take seconds
	$(BIN)/python -m pytest tests/unit -m 'not slow' $(ARGS)

.PHONY: lint
lint: $(VENV)/.installed $(VENV)/.test-tools $(VENV)/.lint-tools ## Style, types and import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/cython-lint src
	cd build && $(abspath $(BIN))/mypy --config-file ../pyproject.toml
	cd build && $(abspath $(BIN))/lint-imports --config ../pyproject.toml

SEEDS ?= 200
FIRST ?= 1
SEED ?=
.PHONY: simulate
simulate: $(VENV)/.installed $(VENV)/.test-tools ## Run SEEDS seeds of the whole system from FIRST on, or replay one: SEED=n
	PYTHONPATH=tests $(BIN)/python -m simulation.simulate $(if $(SEED),--seed $(SEED),--seeds $(SEEDS) --first $(FIRST)) $(ARGS)

.PHONY: crash
crash: $(VENV)/.installed $(VENV)/.test-tools ## Kill the processes of a trading bot KILLS=200 times (SEED=1) and prove that nothing is lost or doubled
	PYTHONPATH=tests $(BIN)/python -m crash --kills $(or $(KILLS),200) --seed $(or $(SEED),1) $(ARGS)

.PHONY: soak
soak: $(VENV)/.installed $(VENV)/.test-tools ## Replay CAPTURE="files" for DAYS=7 simulated days; resident memory, handles and threads must stay flat
	PYTHONPATH=tests $(BIN)/python -m soak --days $(or $(DAYS),7) $(or $(CAPTURE),$(sort $(wildcard ../shared/data/binance_spot/raw_ws_NEXOUSDT_*))) $(ARGS)

.PHONY: fuzz
fuzz: $(VENV)/.installed $(VENV)/.test-tools ## Fuzz one TARGET for SECONDS=60; TARGET=list names them
	$(BIN)/python -m fuzz $(if $(filter list,$(TARGET)),--list,$(TARGET) --seconds $(or $(SECONDS),60)) $(ARGS)

.PHONY: bench
bench: $(VENV)/.installed $(VENV)/.test-tools ## Every benchmark, about ten minutes: one table, and bench/results/latest.json
	$(BIN)/python -m pytest bench -o testpaths= -o timeout=600 --benchmark-quiet --full $(ARGS)

.PHONY: bench-gates
bench-gates: $(VENV)/.installed $(VENV)/.test-tools ## The benchmarks that may fail a change: ratios, instruction counts, the 5 ms budget
	$(BIN)/python -m pytest bench -o testpaths= -o timeout=600 --benchmark-quiet $(ARGS)

.PHONY: bench-budget
bench-budget: $(VENV)/.installed ## Store the kernels' instruction counts of now as their budget
	$(BIN)/python bench/instructions.py --record

.PHONY: screenshots
screenshots: $(VENV)/.installed $(VENV)/.test-tools ## Pictures of the page over a running demo into docs/images (needs Chromium)
	$(BIN)/python tests/e2e/screenshots.py docs/images $(ARGS)

.PHONY: loadtest
loadtest: $(VENV)/.installed $(VENV)/.test-tools ## A hundred browsers on the page's server, one of which does not read
	$(BIN)/python tests/load/page_loadtest.py $(ARGS)

.PHONY: wheel
wheel: $(VENV)/.build-tools ## Build the wheel and the sdist into dist/
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m build --no-isolation --outdir dist .

.PHONY: format
format: $(VENV)/.lint-tools ## Rewrite sources in the project's style
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Kernels and messages beside their sources, for an editor and a quick turn: PYTHONPATH=src. Never benchmark this.
.PHONY: dev
dev: $(VENV)/.build-tools ## Build kernels and messages in place for editing
	@modules=$$($(BIN)/python -c 'import cython_cmake, pathlib; print(pathlib.Path(cython_cmake.__file__).parent / "cmake")') && \
	PATH="$(abspath $(BIN)):$$PATH" cmake -S . -B build/dev -G Ninja -DOPENSQT_WEB=OFF -DCMAKE_MODULE_PATH="$$modules" \
		-DPython_EXECUTABLE="$(abspath $(BIN))/python" -DCMAKE_INSTALL_PREFIX=src >/dev/null && \
	PATH="$(abspath $(BIN)):$$PATH" cmake --build build/dev && cmake --install build/dev >/dev/null

.PHONY: clean
clean: ## Remove everything that was built
	rm -rf build dist $(VENV) web/node_modules web/dist
