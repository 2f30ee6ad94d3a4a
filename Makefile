PYTHON ?= python3
VENV   := .venv/bin/python
READY  := .venv/up-to-date
RUNS   := .venv/can-run
TOOLS  := build/tools
PYTEST := $(VENV) -m pytest --numprocesses auto --dist worksteal
INFRA  := build/infra
BENCH  := build/bench
PREFECT := build/prefect
AIRFLOW := build/airflow
PACKAGE := build/package
BARE := build/bare
SPARK := build/spark
DOCS := build/docs
FASTER := $(wildcard tests/unit tests/property)
.PHONY: help setup run-local down test lint format test-unit test-integration test-fault test-e2e test-compose test-infra image image-push lock
.PHONY: soak bench audit clean test-integrations package docs spark spark-package test-spark
.SUFFIXES:

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2} /^#=/ {print substr($$0, 4)}' Makefile

setup: $(READY) ## Make .venv with the package and its tools
$(READY): requirements-dev.txt pyproject.toml tests/local/make-venv
	@PYTHON="$(PYTHON)" tests/local/make-venv dev

$(RUNS): requirements-local.txt pyproject.toml tests/local/make-venv
	@PYTHON="$(PYTHON)" tests/local/make-venv local

run-local: $(RUNS) ## A run on this machine (SOURCE=launch_library, LIVE=1)
	@$(VENV) -m tests.local run $(ARGS)

down: $(RUNS) ## Stop what run-local started, and remove its data
	@$(VENV) -m tests.local down

test: lint ## Lint and all tests that need this machine alone
	@$(PYTEST) $(ARGS)

lint: $(READY) ## ruff and mypy
	@$(VENV) -m ruff check --quiet
	@$(VENV) -m ruff format --check --quiet
	@$(VENV) -m mypy

format: $(READY) ## Format, and repair what ruff can
	@$(VENV) -m ruff format --quiet
	@$(VENV) -m ruff check --quiet --fix

test-unit: $(READY) ## Tests that need no service (ARGS="-k name")
	@$(PYTEST) $(FASTER) $(ARGS)

test-integration: $(READY) ## Tests against MySQL and an S3 emulator
	@$(PYTEST) tests/integration $(ARGS)

test-fault: $(READY) ## Faults of every kind at every place
	@$(PYTEST) tests/fault $(ARGS)

soak: $(READY) ## Random runs, disturbed (ARGS="--seed 7 --runs 200")
	@$(VENV) -m tests.soak $(ARGS)

test-e2e: $(READY) ## Tests of the built image in the compose stack
	@tests/e2e/with-stack $(VENV) -m pytest tests/e2e $(ARGS)

test-compose: $(READY) ## Integration and end-to-end tests in the stack
	@tests/e2e/with-stack sh -c '$(PYTEST) tests/integration "$$@" && $(VENV) -m pytest tests/e2e "$$@"' sh $(ARGS)

image: ## Build the image spacex-pipeline
	@REVISION=$$(git rev-parse --short=12 HEAD) docker compose --file docker-compose.test.yml build app

test-infra: $(READY) $(INFRA)/up-to-date ## Terraform: forms, refusals, an apply on emulators
	@command -v terraform >/dev/null || { echo "NOT TESTED: there is no terraform on PATH" >&2; case "$$CI" in ""|0|false) ;; *) false; esac; }
	@cd tests/infra && ../../$(INFRA)/bin/python -m pytest $(ARGS)

test-integrations: package $(PREFECT)/up-to-date $(AIRFLOW)/up-to-date $(BARE)/up-to-date ## Prefect, Airflow, the wheel, the tutorial
	@$(VENV) -c "from tests.services.install import find_or_install_server as find; find()"
	@tests/integrations/on-loopback $(VENV) -m pytest --numprocesses 2 --dist loadgroup tests/integrations $(ARGS)

spark: package $(SPARK)/up-to-date ## Spark with the program, in build/spark
	@$(SPARK)/bin/python -m pip --disable-pip-version-check install -qq --no-index --no-deps --force-reinstall $(PACKAGE)/*.whl

test-spark: spark ## replay on a Spark cluster here (FULL=1: 500 runs)
	@command -v java >/dev/null || { echo "NOT TESTED: there is no Java on PATH" >&2; case "$$CI" in ""|0|false) exit 0 ;; *) exit 1 ;; esac; }
	@$(VENV) -m pytest tests/spark --override-ini faulthandler_timeout=3600 $(ARGS)

spark-package: package $(TOOLS) ## Pack the program for EMR Serverless (TO=FILE)
	@$(TOOLS)/bin/python -m pip -qq --disable-pip-version-check install uv
	@integrations/spark/package

bench: $(READY) $(BENCH)/up-to-date ## Measure it beside others into benchmarks/RESULTS.md
	@$(VENV) -m benchmarks $(ARGS)

$(INFRA)/up-to-date: requirements-infra.txt
$(BENCH)/up-to-date: benchmarks/requirements.txt
$(PREFECT)/up-to-date: integrations/prefect/requirements.txt
$(AIRFLOW)/up-to-date: integrations/airflow/requirements.txt
$(BARE)/up-to-date: requirements.txt
$(SPARK)/up-to-date: integrations/spark/requirements.txt
$(DOCS)/up-to-date: docs/site/requirements.txt
$(INFRA)/up-to-date $(BENCH)/up-to-date $(PREFECT)/up-to-date $(AIRFLOW)/up-to-date $(BARE)/up-to-date $(DOCS)/up-to-date $(SPARK)/up-to-date:
	@$(PYTHON) -m venv --clear $(@D)
	@$(@D)/bin/python -m pip --disable-pip-version-check install -qq --require-hashes -r $<
	@touch $@

docs: $(DOCS)/up-to-date ## Build the documents as a site: site/index.html
	@rm -rf site
	@$(DOCS)/bin/sphinx-build --quiet --fail-on-warning --keep-going --fresh-env --doctree-dir build/doctrees --conf-dir docs/site . site
	@$(DOCS)/bin/python docs/site/check.py site
	@echo site/index.html

package: $(READY) ## Build the wheel and the sdist into build/package
	@rm -rf $(PACKAGE)
	@$(VENV) -m build --quiet --no-isolation --outdir $(PACKAGE) >/dev/null
	@ls $(PACKAGE)/*

image-push: ## Build and push the image for both processors
	@infra/image-push

lock: $(TOOLS) ## Compile the pinned requirements (ARGS=--upgrade)
	@$(TOOLS)/bin/python -m pip -qq --disable-pip-version-check install uv
	@for part in "" -dev -local; do case $$part in -local) more="--constraint requirements-dev.txt" ;; *) more="--extra iceberg" ;; esac; \
	  $(TOOLS)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate $$more \
	  --custom-compile-command "make lock" $(ARGS) $${part:+--group $${part#-}} pyproject.toml -o requirements$$part.txt || exit 1; done
	@for part in requirements-infra docs/site/requirements benchmarks/requirements integrations/prefect/requirements integrations/airflow/requirements; do \
	  $(TOOLS)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --custom-compile-command "make lock" $(ARGS) $$part.in -o $$part.txt || exit 1; done
	@$(TOOLS)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --custom-compile-command "make lock" $(ARGS) --constraint requirements.txt --extra spark pyproject.toml -o integrations/spark/requirements.txt

audit: $(TOOLS) ## Look for known vulnerabilities in pinned packages
	@$(TOOLS)/bin/python -m pip -qq --disable-pip-version-check install pip-audit
	@$(TOOLS)/bin/pip-audit --strict --disable-pip --require-hashes -r requirements.txt -r requirements-dev.txt

$(TOOLS): | $(READY)
	@$(VENV) -m venv $@

clean: ## Remove everything that was made here, .venv too
	@if [ -d .local ]; then $(MAKE) --no-print-directory down; fi
	@rm -rf .venv build site *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find app benchmarks infra integrations tests -name __pycache__ -prune -exec rm -rf {} +

#=
#=       SOURCE=…          run-local: spacex, or launch_library, the living one
#=       LIVE=1            run-local: the public API, not a sample of it
#=       LAUNCHES=20       run-local: so many launches of the sample
#=       ENGINE=native     run-local: processes of this machine; docker: containers
#=       ARGS=…            more arguments for what is started: run, pytest, soak
#=       TEST_MYSQL_HOST=… tests, bench: a server that is there (_PORT, _USER, …)
#=       FULL=1            test-spark: 500 runs, and chunks of all sizes
#=       TO=FILE           spark-package: the archive (ARCHITECTURE=X86_64)
#=       EXAMPLES=20000    test-fault: more hostile data
#=       PYTHON_IMAGE=…    image, test-e2e, test-infra: another base image; also
#=                         MYSQL_IMAGE, LOCALSTACK_IMAGE, LOCALSTACK_URL
#=       REPOSITORY=…      image-push: another registry than the account's
#=       PYTHON=…          another interpreter than python3
