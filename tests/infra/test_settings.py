"""What the program would refuse at its start, Terraform refuses in its plan: both are held to the same cases."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from environment import INFRA, REPOSITORY, Terraform

CASES = yaml.safe_load((REPOSITORY / "tests/fixtures/settings.yaml").read_text())
VARIABLES = {
    "SOURCE": "pipeline_source",
    "S3_PREFIX": "s3_prefix",
    "MYSQL_DATABASE": "db_name",
    "STALE_AFTER_DAYS": "stale_after_days",
}
BLOCKS = dict(
    re.findall(
        r'^(?=variable "(\w+)" )(variable .*?^\}\n)',
        "".join(file.read_text() for file in (INFRA / "terraform").glob("variables*.tf")),
        re.MULTILINE | re.DOTALL,
    )
)
NAMES = re.findall(r'"([A-Z0-9_]+)"', BLOCKS["settings"].split("validation {")[1])
KNOWN = [case for case in CASES if case["setting"] in {*VARIABLES, *NAMES}]
ONE_BY_ONE = [case for case in KNOWN if "says" in case or "terraform" in case or case["setting"] in VARIABLES]


@pytest.fixture(scope="module")
def variables(terraform: Terraform, tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """The variables that become settings, alone: without a resource a plan takes no time."""
    folder = tmp_path_factory.mktemp("variables")
    (folder / "variables.tf").write_text("".join(BLOCKS[name] for name in ("settings", *VARIABLES.values())))
    return Terraform(folder, terraform.environment)


def verdict(variables: Terraform, **values: Any) -> "tuple[bool, str]":
    """Whether a plan with these values is refused, and what it says."""
    file: Path = variables.folder / "case.tfvars.json"
    file.write_text(json.dumps(values))
    done = variables("plan", "-input=false", f"-var-file={file}", codes=(0, 1))
    assert done.returncode == 0 or "Invalid value for variable" in done.stderr, done.stderr
    return done.returncode == 1, done.stderr


def test_all_that_is_taken_is_taken_at_once(variables: Terraform) -> None:
    """One plan a setting's turn: the first values of all of them, the second ones, and so on."""
    taken = [case for case in KNOWN if case not in ONE_BY_ONE]
    turns: list[dict[str, str]] = []
    for case in taken:
        turn = next((turn for turn in turns if case["setting"] not in turn), None)
        if turn is None:
            turns.append(turn := {})
        turn[case["setting"]] = case["value"]
    for turn in turns:
        refused, said = verdict(variables, settings=turn)
        assert not refused, said


@pytest.mark.parametrize("case", ONE_BY_ONE, ids=lambda case: f"{case['setting']}={case['value']!r}")
def test_the_program_s_verdict_is_terraform_s(variables: Terraform, case: dict[str, str]) -> None:
    setting, value = case["setting"], case["value"]
    given = {VARIABLES[setting]: value} if setting in VARIABLES else {"settings": {setting: value}}
    refused, said = verdict(variables, **given)
    assert refused == ("says" in case or case.get("terraform") == "refuses"), said


def test_every_setting_that_terraform_hands_on_has_cases() -> None:
    ours = {name for name in NAMES if not name.endswith(("_PROXY", "_ENDPOINT"))}
    assert len(ours) == 8
    assert ours | set(VARIABLES) <= {case["setting"] for case in KNOWN}
