# Terraform and its tests. Included by the Makefile; needs terraform, and where its registry can't be reached a mirror of the
# AWS provider (TF_CLI_CONFIG_FILE).
INFRA_READY := build/infra/up-to-date
DEPLOYED     = terraform -chdir=infra/terraform output -raw
.PHONY: test-infra image-push lock-infra

test-infra: $(INFRA_READY) ## Test Terraform: forms, refusals, an apply on an emulator (LOCALSTACK_IMAGE or LOCALSTACK_URL)
	@command -v terraform >/dev/null || { echo "NOT TESTED: there is no terraform on PATH" >&2; [ -z "$$CI" ]; }
	@cd tests/infra && ../../build/infra/bin/python -m pytest $(ARGS)

$(INFRA_READY): requirements-infra.txt
	@$(PYTHON) -m venv --clear build/infra
	@build/infra/bin/python -m pip --disable-pip-version-check install -qq --require-hashes -r requirements-infra.txt
	@touch $@

image-push: ## Build the image for the deployed environment and push it, tagged with the git revision
	@[ -z "$$(git status --porcelain)" ] || { echo "Commit first: the tag must say what is in the image" >&2; exit 1; }
	@infra/image-push "$$($(DEPLOYED) repository_url)" "$$($(DEPLOYED) region)" "$$($(DEPLOYED) architecture)" "$$(git rev-parse --short=12 HEAD)"

lock-infra: $(TOOLS) ## Compile the pinned requirements of the Terraform tests (ARGS=--upgrade: with the newest releases)
	@$(TOOLS)/bin/python -m pip -qq --disable-pip-version-check install uv
	@$(TOOLS)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --custom-compile-command "make lock-infra" $(ARGS) requirements-infra.in -o requirements-infra.txt
