# Everything that is done with this project, from one place. `make help` lists it.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
PROCESSES ?= 3
ROUNDS ?= 5
# Test processes at once: tests wait a third of their time, so three keep two processors busy. A file stays together.
WORKERS ?= 3
# Bytecode is kept, also where the environment says otherwise: tests start hundreds of processes, and each would compile.
PYTHONDONTWRITEBYTECODE =

BIN := .venv/bin
LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	--no-emit-index-url --custom-compile-command "make lock"
SOCKETIO := bench/peers/socketio
PYTEST := $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
# Tests that start no program, and wait for no real time. Every other test has one of these marks.
FAST := not slow and not cluster and not browser and not soak
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes
# Takes 15 s where pip takes 40. uv reads no pip.conf: where it finds no index, pip installs.
UV_INSTALL := $(BIN)/uv pip install --quiet --compile-bytecode --require-hashes --python $(BIN)/python

.DEFAULT_GOAL := help
.PHONY: help run demo test soak check coverage package npm-package release-package matrix docs bench lock icons screenshots messages
.PHONY: test-slow test-fast check-ruff check-format check-mypy check-imports check-biome check-tsc check-migrations

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/.installed ## Run everything on this machine (HOST, PORT, PROCESSES)
	@$(BIN)/python -m scripts.bundled_redis
	@exec $(BIN)/python manage.py up --host $(HOST) --port $(PORT) --processes $(PROCESSES)

demo: .venv/.installed ## Run a site of made-up people and rooms, where robots talk (HOST, PORT, PROCESSES)
	@$(BIN)/python -m scripts.bundled_redis
	@exec $(BIN)/python -m project.demo --host $(HOST) --port $(PORT) --processes $(PROCESSES)

test: ## Install the tests' programs, and run all tests, also in a browser and on PostgreSQL (WORKERS)
	@PYTHON=$(PYTHON) scripts/setup.sh
	@$(MAKE) --no-print-directory .venv/bin/python
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target .venv/.installed-dev node_modules/.installed docs
	@node --import ./tests/js/served.js --test tests/js/*.test.js
	@$(MAKE) --no-print-directory --jobs 2 --keep-going test-slow test-fast

test-slow:
	@$(PYTEST) -m "not soak and not ($(FAST))"

# Beside the slow ones, which wait a third of their time; with less right to the processor, so that they are not slowed.
test-fast:
	@report=$$(nice -n 5 $(BIN)/python -m pytest -q -m "$(FAST)" 2>&1); status=$$?; echo "$$report"; exit $$status

soak: .venv/.installed-dev ## Run the long tests of faults, of pages in Firefox and of the benchmarks, which make test leaves out
	@$(BIN)/python -m pytest -m soak

check: .venv/.installed-dev node_modules/.installed ## Lint, format, types, migrations, and the fast tests
	@$(BIN)/python -m scripts.bundled_redis
	@$(MAKE) --no-print-directory --jobs 2 --keep-going --output-sync=target \
		check-mypy check-tsc check-migrations check-biome check-imports check-ruff check-format
	@$(PYTEST) -q -m "$(FAST)"

# The longest first. They run at the same time; the output of each stays together.
check-mypy:
	@$(BIN)/mypy
check-tsc:
	@npm run --silent types
check-migrations:
	@$(BIN)/python manage.py makemigrations --check --dry-run
check-biome:
	@npm run --silent lint
check-imports:
	@$(BIN)/lint-imports --no-logo >/dev/null || $(BIN)/lint-imports --no-logo
check-ruff:
	@$(BIN)/ruff check
check-format:
	@$(BIN)/ruff format --check

coverage: .venv/.installed-dev ## Show how much of each file the unit tests run, the slow ones too
	@$(BIN)/python -m scripts.bundled_redis
	@$(PYTEST) -q -m "not cluster and not browser and not soak" --cov --cov-report=term:skip-covered

package: .venv/.installed-dev ## Build the package into dist/, install it into a fresh environment, and try it there
	@rm -rf dist var/package
	@$(BIN)/uv build --quiet --no-build-isolation --python $(BIN)/python --out-dir dist
	@$(BIN)/python -m scripts.package_check dist
	@$(BIN)/python -m venv var/package
	@var/package/bin/python -m pip install --quiet --disable-pip-version-check "$$(echo dist/*.whl)[server]"
	@$(BIN)/python -m scripts.bundled_redis
	@SMOKE_PYTHON=var/package/bin/python $(BIN)/python -m pytest -q tests/test_package.py
	@ls dist/*

npm-package: node_modules/.installed | .venv/bin/python ## Build the browser client for npm into dist/
	@$(BIN)/python -m scripts.npm_package dist

release-package: .venv/.installed-dev ## Check that the tree is ready for a release, and build the package (VERSION)
	@$(BIN)/python -m scripts.release_package ready $(VERSION)
	@$(MAKE) --no-print-directory package
	@$(BIN)/python -m scripts.release_package next $(VERSION)

matrix: .venv/.installed-dev ## Try the package on each Python and Django, and on old libraries; var/matrix.md (ONLY)
	@$(BIN)/python -m scripts.bundled_redis
	@$(BIN)/python -m scripts.matrix --workers $(WORKERS) $(if $(ONLY),--only $(ONLY))

docs: .venv-docs/.installed ## Build the documents as a site into var/site; a link that leads nowhere stops it
	@.venv-docs/bin/mkdocs build --quiet --strict
	@echo "Built var/site/index.html"

bench: .venv/.installed .venv-bench/.installed ## Measure this server, its peers and the room's page, in under an hour (ROUNDS)
	@command -v npm >/dev/null && npm ci --silent --no-audit --no-fund --prefix $(SOCKETIO) || true
	@$(BIN)/python -m bench --rounds $(ROUNDS)

lock: .venv/.installed-dev ## Pin the newest allowed versions of all requirements
	@$(LOCK) --upgrade requirements.in -o requirements.txt
	@$(LOCK) --upgrade requirements-dev.in -o requirements-dev.txt
	@$(LOCK) --upgrade requirements-bench.in -o requirements-bench.txt
	@$(LOCK) --upgrade requirements-docs.in -o requirements-docs.txt

messages: .venv/.installed-dev ## Collect the texts for translation, and compile the catalogues; names what is not translated
	@$(BIN)/python -m scripts.messages

icons: .venv/.installed-dev ## Make the icons of the installed site anew from the glyph
	@$(BIN)/python -m scripts.icons

screenshots: .venv/.installed-dev ## Make pictures of the pages into var/screenshots, and the README's anew
	@$(BIN)/python -m scripts.bundled_redis
	@$(BIN)/python -m scripts.screenshots

# The stamps record the installation: a second run installs nothing.
.venv/.installed: requirements.txt | .venv/bin/python
	@echo "Installing its packages into .venv …"
	@$(INSTALL) -r requirements.txt
	@touch $@

.venv/.installed-dev: requirements-dev.txt | .venv/bin/python
	@echo "Installing the packages of its tests into .venv …"
	@awk '/^uv==/,!/\\$$/' $< >.venv/uv.txt
	@$(INSTALL) -r .venv/uv.txt
	@$(UV_INSTALL) -r $< || $(INSTALL) -r $<
	@touch $@ .venv/.installed

# Without install scripts: biome and TypeScript are binaries, and need none.
node_modules/.installed: package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: sudo apt-get install npm" >&2; exit 1; }
	@echo "Installing the JavaScript tools into node_modules …"
	@if [ -L node_modules ]; then rm node_modules; fi # npm ci would empty the folder of another checkout.
	@npm ci --ignore-scripts --silent --no-audit --no-fund
	@touch $@

# The peers of the benchmark have a place of their own: nothing of ours needs them.
.venv-bench/.installed: requirements-bench.txt | .venv/bin/python
	@echo "Installing the benchmark's peers into .venv-bench …"
	@$(BIN)/python -m venv .venv-bench
	@.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.txt
	@touch $@

.venv-docs/.installed: requirements-docs.txt | .venv/bin/python
	@echo "Installing MkDocs into .venv-docs …"
	@$(BIN)/python -m venv .venv-docs
	@.venv-docs/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-docs.txt
	@touch $@

.venv/bin/python:
	@command -v $(PYTHON) >/dev/null || \
		{ echo "$(PYTHON) is missing: sudo apt-get install python3 python3-venv, or name another: make PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed, $(PYTHON) is older; name another: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "Python's venv module is missing: sudo apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }
