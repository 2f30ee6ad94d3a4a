PYTHON ?= python3
VENV   := .venv/bin/python
READY  := .venv/up-to-date
TOOLS  := build/tools
PYTEST := $(VENV) -m pytest --numprocesses auto --dist worksteal
INFRA  := build/infra
BENCH  := build/bench
PREFECT := build/prefect
AIRFLOW := build/airflow
FASTER := $(wildcard tests/unit tests/property)
.PHONY: help setup run-local down test lint format test-unit test-integration test-fault test-e2e test-compose test-infra image image-push lock
.PHONY: soak bench audit clean test-integrations
.SUFFIXES:

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' Makefile

setup: $(READY) ## Make .venv with the package and its tools; costs nothing when up to date
$(READY): requirements-dev.txt pyproject.toml tests/local/make-venv
	@PYTHON="$(PYTHON)" tests/local/make-venv

run-local: $(READY) ## Run the pipeline on this machine (LIVE=1: on the public API; LAUNCHES=n; ENGINE=docker|native; ARGS=…)
	@$(VENV) -m tests.local run $(ARGS)

down: $(READY) ## Stop what run-local started, and remove its data
	@$(VENV) -m tests.local down

test: lint ## Everything: lint, then all tests; starts or installs the services they need (ARGS=…)
	@$(PYTEST) $(ARGS)

lint: $(READY) ## ruff and mypy
	@$(VENV) -m ruff check --quiet
	@$(VENV) -m ruff format --check --quiet
	@$(VENV) -m mypy

format: $(READY) ## Format, and repair what ruff can
	@$(VENV) -m ruff format --quiet
	@$(VENV) -m ruff check --quiet --fix

test-unit: $(READY) ## Tests that need no service (ARGS=… goes to pytest, as for every test target: ARGS="-k name")
	@$(PYTEST) $(FASTER) $(ARGS)

test-integration: $(READY) ## Tests against MySQL and an S3 emulator (TEST_MYSQL_HOST, …: a server that is there)
	@$(PYTEST) tests/integration $(ARGS)

test-fault: $(READY) ## Faults of every kind at every place (EXAMPLES=20000: a longer run with more hostile data)
	@$(PYTEST) tests/fault $(ARGS)

soak: $(READY) ## Random runs, disturbed in every way, held to a second statement (ARGS="--seed 7 --runs 200 --minutes 20")
	@$(VENV) -m tests.soak $(ARGS)

test-e2e: $(READY) ## Tests of the built image in the compose stack (PYTHON_IMAGE, MYSQL_IMAGE, LOCALSTACK_IMAGE: other images)
	@tests/e2e/with-stack $(VENV) -m pytest tests/e2e $(ARGS)

test-compose: $(READY) ## Integration and end-to-end tests against the compose stack: MySQL and LocalStack
	@tests/e2e/with-stack sh -c '$(PYTEST) tests/integration "$$@" && $(VENV) -m pytest tests/e2e "$$@"' sh $(ARGS)

image: ## Build the image spacex-pipeline, with the certificate authorities of RDS or without
	@REVISION=$$(git rev-parse --short=12 HEAD) docker compose --file docker-compose.test.yml build app

test-infra: $(READY) $(INFRA)/up-to-date ## Terraform: forms, refusals, an apply on an emulator (PYTHON_IMAGE, LOCALSTACK_IMAGE, LOCALSTACK_URL)
	@command -v terraform >/dev/null || { echo "NOT TESTED: there is no terraform on PATH" >&2; case "$$CI" in ""|0|false) ;; *) false; esac; }
	@cd tests/infra && ../../$(INFRA)/bin/python -m pytest $(ARGS)

test-integrations: $(READY) $(PREFECT)/up-to-date $(AIRFLOW)/up-to-date ## The program under Prefect and under Airflow, where loopback is the only network
	@$(VENV) -c "from tests.services.install import find_or_install_server as find; find()"
	@tests/integrations/on-loopback $(VENV) -m pytest --numprocesses 2 --dist loadgroup tests/integrations $(ARGS)

bench: $(READY) $(BENCH)/up-to-date ## Measure this pipeline beside others into benchmarks/RESULTS.md (TEST_MYSQL_HOST, …; ARGS=--help)
	@$(VENV) -m benchmarks $(ARGS)

$(INFRA)/up-to-date: requirements-infra.txt
$(BENCH)/up-to-date: benchmarks/requirements.txt
$(PREFECT)/up-to-date: integrations/prefect/requirements.txt
$(AIRFLOW)/up-to-date: integrations/airflow/requirements.txt
$(INFRA)/up-to-date $(BENCH)/up-to-date $(PREFECT)/up-to-date $(AIRFLOW)/up-to-date:
	@$(PYTHON) -m venv --clear $(@D)
	@$(@D)/bin/python -m pip --disable-pip-version-check install -qq --require-hashes -r $<
	@touch $@

image-push: ## Build the image for both processors and push it into the account's registry (REPOSITORY: another)
	@infra/image-push

lock: $(TOOLS) ## Compile the pinned requirements (ARGS=--upgrade: with the newest releases)
	@$(TOOLS)/bin/python -m pip -qq --disable-pip-version-check install uv
	@for part in "" -dev; do $(TOOLS)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-annotate --extra iceberg --custom-compile-command "make lock" $(ARGS) $${part:+--group dev} pyproject.toml -o requirements$$part.txt || exit 1; done
	@for part in requirements-infra benchmarks/requirements integrations/prefect/requirements integrations/airflow/requirements; do \
	  $(TOOLS)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --custom-compile-command "make lock" $(ARGS) $$part.in -o $$part.txt || exit 1; done

audit: $(TOOLS) ## Look for known vulnerabilities in the pinned packages, the image's and the tools
	@$(TOOLS)/bin/python -m pip -qq --disable-pip-version-check install pip-audit
	@$(TOOLS)/bin/pip-audit --strict --disable-pip --require-hashes -r requirements.txt -r requirements-dev.txt

$(TOOLS): | $(READY)
	@$(VENV) -m venv $@

clean: ## Remove everything that was made here, .venv too
	@if [ -d .local ]; then $(MAKE) --no-print-directory down; fi
	@rm -rf .venv build *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find app benchmarks integrations tests -name __pycache__ -prune -exec rm -rf {} +
