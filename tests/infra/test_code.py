"""The code as it stands: form, validity, branches, refusals, and what checkov thinks of it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from environment import INFRA, REPOSITORY, VARIABLES, Background, Terraform
from servers import Account

MOST_LINES = 200
CODE = sorted((INFRA / "terraform").glob("*.tf"))


def checkov(*arguments: str) -> None:
    """Every finding is mended, or suppressed beside the resource with a reason."""
    command = [str(Path(sys.executable).with_name("checkov")), "--compact", "--quiet", "--skip-download", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_is_formatted(terraform: Terraform) -> None:
    done = subprocess.run(
        ["terraform", "fmt", "-check", "-recursive", "-diff", INFRA], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_is_long() -> None:
    assert {p.name: n for p in CODE if (n := len(p.read_text().splitlines())) > MOST_LINES} == {}


def test_no_lock_file_is_committed() -> None:
    """One platform's hashes would lock everybody else out."""
    done = subprocess.run(
        ["git", "ls-files", "*.terraform.lock.hcl", "*.tfstate"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert not done.stdout


def test_it_is_valid(terraform: Terraform, bootstrap: Terraform) -> None:
    terraform("validate")
    bootstrap("validate")


def test_every_validation_has_a_refusal() -> None:
    text = "\n".join(p.read_text() for p in CODE)
    blocks = re.findall(r'^variable "(\w+)" \{$(.*?)^\}$', text, re.MULTILINE | re.DOTALL)
    validated = {name for name, body in blocks if "validation {" in body}
    refused = re.findall(r"expect_failures = \[var\.(\w+)\]", (INFRA / "terraform/tests/refusals.tftest.hcl").read_text())
    assert validated == set(refused)


def test_every_suppression_has_a_reason() -> None:
    for path in INFRA.rglob("*.tf"):
        for line in path.read_text().splitlines():
            if "checkov:skip" in line:
                assert re.search(r"# checkov:skip=CKV2?_AWS_\d+: \S+ \S+", line), f"{path.name}: {line}"


def test_checkov_on_the_code() -> None:
    checkov("--framework", "terraform", "-d", str(INFRA))


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_checkov_on_the_plan(environment: str, in_account: Terraform, tmp_path: Path) -> None:
    """As each environment's file has it; production's own values, not those that make it fit to be destroyed."""
    in_account("plan", "-input=false", f"-var-file=env/{environment}.tfvars", f"-out={environment}.plan", "-state=none.tfstate")
    plan = tmp_path / "plan.json"
    plan.write_text(in_account("show", "-json", f"{environment}.plan").stdout)
    checkov("--framework", "terraform_plan", "-f", str(plan), "--repo-root-for-plan-enrichment", str(in_account.folder))


def test_production_is_tested_as_it_is() -> None:
    """What the apply changes of production's values is what makes it fit to be destroyed, and what a person adds."""
    changed = {v.removeprefix("-var=").split("=")[0] for v in VARIABLES if v.startswith("-var=")}
    assert changed == {
        "destroyable",
        "db_deletion_protection",
        "db_final_snapshot",
        "image_tag",
        "schedule_enabled",
        "alert_emails",
    }


def test_the_deployment_s_page_names_outputs_that_exist() -> None:
    page = (REPOSITORY / "docs/deploy.md").read_text()
    named = set(re.findall(r"-chdir=infra/terraform output -raw (\w+)", page))
    made = set(re.findall(r'^output "(\w+)"', (INFRA / "terraform/outputs.tf").read_text(), re.MULTILINE))
    assert named
    assert named <= made


def test_the_state_s_bucket(bootstrapping: tuple[Account, Terraform, Background]) -> None:
    """The bootstrap applies, and Terraform keeps and locks a state in the bucket it makes."""
    account, boot, background = bootstrapping
    background.output()
    bucket = boot("output", "-raw", "bucket").stdout
    account.client("s3").delete_bucket_policy(Bucket=bucket)  # it demands TLS, and the emulator has none
    user = boot.folder.parent / "uses-backend"
    user.mkdir()
    shutil.copy(INFRA / "terraform/backend.tf.example", user / "backend.tf")
    (user / "main.tf").write_text('resource "terraform_data" "one" {}\n')
    uses = Terraform(user, boot.environment)
    uses(
        "init",
        "-input=false",
        f"-backend-config=bucket={bucket}",
        "-backend-config=key=dev.tfstate",
        "-backend-config=use_path_style=true",
    )
    uses("apply", "-auto-approve", "-input=false")
    assert "terraform_data.one" in uses("state", "list").stdout
    assert not (user / "terraform.tfstate").exists()


def test_branches_and_refusals(testing: Background) -> None:
    """Terraform's own tests, all of them."""
    runs = [
        line for path in (INFRA / "terraform/tests").glob("*.hcl") for line in path.read_text().splitlines() if line[:4] == "run "
    ]
    assert f"{len(runs)} passed, 0 failed" in testing.output()
