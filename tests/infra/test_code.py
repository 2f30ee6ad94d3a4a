"""The code as it stands: form, validity, branches, refusals, and what checkov thinks of it."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from environment import INFRA, REPOSITORY, VARIABLES, Background, Terraform
from servers import Account

MOST_LINES = 200
USES_BACKEND = """
variable "environment" { type = string }
variable "image" { type = string }
output "what" { value = "${var.environment} ${var.image}" }
"""
CODE = sorted((INFRA / "terraform").glob("*.tf"))


def checkov(*arguments: str) -> dict[str, Any]:
    """What checkov found; what it could not read is no finding of its own, and counted apart."""
    command = [str(Path(sys.executable).with_name("checkov")), "--compact", "--skip-download", "--output=json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def assert_clean(found: dict[str, Any]) -> None:
    """Every finding is mended, or suppressed beside the resource with a reason; and every file was read."""
    assert found["summary"]["passed"] > 0
    assert found["summary"]["parsing_errors"] == 0, found["results"]["parsing_errors"]
    assert [(f["check_id"], f["resource"]) for f in found["results"]["failed_checks"]] == []


def test_it_is_formatted(terraform: Terraform) -> None:
    done = subprocess.run(
        ["terraform", "fmt", "-check", "-recursive", "-diff", INFRA], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_is_long() -> None:
    assert {p.name: n for p in CODE if (n := len(p.read_text().splitlines())) > MOST_LINES} == {}


def test_the_provider_is_locked_for_every_platform(terraform: Terraform) -> None:
    """By the registry's hashes of its packages, and by this platform's of what is in one; no state is committed."""
    done = subprocess.run(
        ["git", "ls-files", "*.terraform.lock.hcl", "*.tfstate", "*.plan"],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["infra/bootstrap/.terraform.lock.hcl", "infra/terraform/.terraform.lock.hcl"]
    (text,) = {(REPOSITORY / name).read_text() for name in done.stdout.split()}
    assert len(re.findall(r'"zh:[0-9a-f]{64}"', text)) == 15
    assert len(re.findall(r'"h1:[A-Za-z0-9+/]{43}="', text)) >= 1
    constraint = re.search(r' version = "(.*)"', (INFRA / "terraform/versions.tf").read_text())
    assert constraint
    assert f'constraints = "{constraint[1]}"' in text
    assert (terraform.folder / ".terraform.lock.hcl").read_text() == text  # what `init` took as it is


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
    assert_clean(checkov("--framework", "terraform", "-d", str(INFRA)))


def test_checkov_reads_every_file(tmp_path: Path) -> None:
    """A security group open to the world, put into each file in turn, is found in each."""
    opened = """
resource "aws_security_group" "seeded_{name}" {{
  description = "x"
  vpc_id      = local.vpc_id

  ingress {{
    from_port   = 22
    to_port     = 22
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }}
}}
"""
    for path in CODE:
        (tmp_path / path.name).write_text(path.read_text() + opened.format(name=path.stem))
    found = checkov("--framework", "terraform", "-d", str(tmp_path), "--check", "CKV_AWS_24")
    seen = {f["resource"] for f in found["results"]["failed_checks"]}
    assert seen == {f"aws_security_group.seeded_{path.stem}" for path in CODE}


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_checkov_on_the_plan(environment: str, in_account: Terraform, tmp_path: Path) -> None:
    """As each environment's file has it; production's own values, not those that make it fit to be destroyed."""
    in_account("plan", "-input=false", f"-var-file=env/{environment}.tfvars", f"-out={environment}.plan", "-state=none.tfstate")
    plan = tmp_path / "plan.json"
    plan.write_text(in_account("show", "-json", f"{environment}.plan").stdout)
    enriched = ("--repo-root-for-plan-enrichment", str(in_account.folder))
    assert_clean(checkov("--framework", "terraform_plan", "-f", str(plan), *enriched))


def test_production_is_tested_as_it_is() -> None:
    """What the apply changes of production's values is what makes it fit to be destroyed, and what a person adds or turns on."""
    changed = {v.removeprefix("-var=").split("=")[0] for v in VARIABLES if v.startswith("-var=")}
    assert changed == {
        "destroyable",
        "db_deletion_protection",
        "db_final_snapshot",
        "image_tag",
        "schedule_enabled",
        "alert_emails",
        "enable_iceberg",
        "enable_spark",
    }


def test_the_state_s_bucket(bootstrapping: tuple[Account, Terraform, Background]) -> None:
    """The bootstrap applies, and `infra/tf` keeps each environment's state, with its variables, in the bucket it makes."""
    account, boot, background = bootstrapping
    background.output()
    (bucket,) = re.findall(r'^bucket = "(.*)"$', boot("output", "-raw", "backend").stdout, re.MULTILINE)
    account.client("s3").delete_bucket_policy(Bucket=bucket)  # it demands TLS, and the emulator has none
    tree = boot.folder.parent / "checkout/infra"
    root = tree / "terraform"
    (root / "env").mkdir(parents=True)
    shutil.copy(INFRA / "tf", tree)
    shutil.copy(INFRA / "terraform/backend.tf.example", root / "backend.tf")
    (root / "main.tf").write_text(USES_BACKEND)
    backend = boot("output", "-raw", "backend").stdout + "use_path_style = true\n"
    for name in ("dev", "prod"):
        (root / f"env/{name}.tfvars").write_text(f'environment = "{name}"\n')
        (root / f"env/{name}.s3.tfbackend").write_text(f'{backend}key = "spacex-pipeline/{name}.tfstate"\n')

    def tf(*arguments: str, **settings: str) -> str:
        command, environment = [str(tree / "tf"), *arguments], boot.environment | settings
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    for name in ("dev", "prod"):
        tf(name, "init", "-input=false")
        tf(name, "apply", "-auto-approve", "-input=false", IMAGE=f"image-of-{name}")
    tf("dev", "plan", "-out=later.plan", "-input=false", IMAGE="newer")
    tf("dev", "apply", "-input=false", "later.plan")
    assert (tf("dev", "output", "-raw", "what"), tf("prod", "output", "-raw", "what")) == ("dev newer", "prod image-of-prod")
    assert not list(root.rglob("terraform.tfstate.backup"))
    states = account.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
    assert [state["Key"] for state in states] == ["spacex-pipeline/dev.tfstate", "spacex-pipeline/prod.tfstate"]


def test_branches_and_refusals(testing: Background) -> None:
    """Terraform's own tests, all of them."""
    runs = [
        line for path in (INFRA / "terraform/tests").glob("*.hcl") for line in path.read_text().splitlines() if line[:4] == "run "
    ]
    assert f"{len(runs)} passed, 0 failed" in testing.output()
