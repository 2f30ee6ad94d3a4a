PYTHON ?= python3
VENV   := .venv/bin/python
READY  := .venv/up-to-date
TOOLS  := build/tools
PYTEST := $(VENV) -m pytest --numprocesses auto --dist worksteal
FASTER := $(wildcard tests/unit tests/property)
SLOWER := $(wildcard tests/integration tests/fault)
.PHONY: help setup run-local down test lint format test-unit test-integration lock audit clean
.SUFFIXES:

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' Makefile

setup: $(READY) ## Make .venv with the package and its tools; costs nothing when up to date
$(READY): requirements-dev.txt pyproject.toml tests/local/make-venv
	@PYTHON="$(PYTHON)" tests/local/make-venv

run-local: $(READY) ## Run the pipeline on this machine (LIVE=1: on the public API; LAUNCHES=n; ENGINE=docker|native; ARGS=…)
	@$(VENV) -m tests.local run $(ARGS)

down: $(READY) ## Stop what run-local started, and remove its data
	@$(VENV) -m tests.local down

test: lint ## Everything: lint, then all tests; starts or installs the services they need
	@$(PYTEST)

lint: $(READY) ## ruff and mypy
	@$(VENV) -m ruff check --quiet
	@$(VENV) -m ruff format --check --quiet
	@$(VENV) -m mypy

format: $(READY) ## Format, and repair what ruff can
	@$(VENV) -m ruff format --quiet
	@$(VENV) -m ruff check --quiet --fix

test-unit: $(READY) ## Tests that need no service
	@$(PYTEST) $(FASTER)

test-integration: $(READY) ## Tests against MySQL and an S3 emulator (TEST_MYSQL_HOST, …: a server that is there)
	@$(PYTEST) $(SLOWER)

lock: $(TOOLS) ## Compile the pinned requirements (ARGS=--upgrade: with the newest releases)
	@$(TOOLS)/bin/python -m pip -qq --disable-pip-version-check install uv
	@for part in "" -dev; do $(TOOLS)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-annotate --custom-compile-command "make lock" $(ARGS) $${part:+--group dev} pyproject.toml -o requirements$$part.txt || exit 1; done

audit: $(TOOLS) ## Look for known vulnerabilities in the pinned packages
	@$(TOOLS)/bin/python -m pip -qq --disable-pip-version-check install pip-audit
	@$(TOOLS)/bin/pip-audit --strict --disable-pip --require-hashes -r requirements-dev.txt

$(TOOLS): | $(READY)
	@$(VENV) -m venv $@

clean: ## Remove everything that was made here, .venv too
	@if [ -d .local ]; then $(MAKE) --no-print-directory down; fi
	@rm -rf .venv build *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find app tests -name __pycache__ -prune -exec rm -rf {} +
