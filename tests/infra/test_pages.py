"""What the pages tell people to type, and what they say that it costs."""

import re
import subprocess

import pytest
from environment import INFRA, REPOSITORY, Applied, missing
from test_task_role import PROGRAM_S_PYTHON

DEPLOY, RUNBOOK = (REPOSITORY / "docs" / name for name in ("deploy.md", "runbook.md"))
CODE = "\n".join(path.read_text() for path in (INFRA / "terraform").glob("*.tf"))
VARIABLES = set(re.findall(r'^variable "(\w+)"', CODE, re.MULTILINE))


def typed(program: str) -> list[list[str]]:
    """The words of every command of a program, in blocks and in lines of text."""
    text = DEPLOY.read_text() + RUNBOOK.read_text()
    code = re.findall(r"^    (.*)$", text, re.MULTILINE) + re.findall(r"`([^`]+)`", text)
    return [words for line in code for words in (m.split() for m in re.findall(rf"{program} ([^#|;)\"]*)", line)) if words]


def test_tasks_are_commands_of_the_program() -> None:
    if not PROGRAM_S_PYTHON.exists():
        missing("the program's own environment (make setup)")
    done = subprocess.run([PROGRAM_S_PYTHON, "-m", "app", "--help"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    commands = set(re.findall(r"^  ([\w-]+) ", done.stdout.split("Commands:")[1], re.MULTILINE))
    found = [words for words in typed("infra/task") if words[0] in ("dev", "prod")]
    assert len(found) > 15
    assert {words[1] for words in found} <= commands
    assert {"init-db", "run", "doctor", "runs", "verify"} <= {words[1] for words in found}


def test_replays_on_spark_go_where_a_job_may_write() -> None:
    found = [words for words in typed("infra/spark") if words[0] in ("dev", "prod")]
    assert found
    assert {words[words.index("--to-prefix") + 1].split("/")[0] for words in found} == {"replays"}


def test_outputs_that_are_asked_for_exist() -> None:
    outputs = set(re.findall(r'^output "(\w+)"', CODE, re.MULTILINE))
    found = {words[-1] for words in typed("infra/tf") if "output" in words}
    assert found
    assert found <= outputs
    boot = "\n".join(path.read_text() for path in (INFRA / "bootstrap").glob("*.tf"))
    asked = {words[-1] for words in typed("terraform -chdir=infra/bootstrap") if "output" in words}
    assert asked == {"backend", "github_variables"}
    assert asked <= set(re.findall(r'^output "(\w+)"', boot, re.MULTILINE))


def test_variables_that_are_set_exist() -> None:
    text = DEPLOY.read_text() + RUNBOOK.read_text()
    lines = re.findall(r"^    (\w+) += ", text, re.MULTILINE) + re.findall(r"`(\w+) = [^`]*`", text)
    assert {"db_restore", "alert_emails", "destroyable", "schedule_enabled"} <= set(lines)
    assert set(lines) - {"image"} <= VARIABLES


def test_every_variable_of_the_organisation_s_table_exists() -> None:
    table = DEPLOY.read_text().split("## An organisation")[1].split("**Settled")[0]
    named = {
        n for row in re.findall(r"^\| .* \| (.*) \|$", table, re.MULTILINE) for n in re.findall(r"`(\w+_\w+|image|tags)`", row)
    }
    assert len(named) > 10
    assert named - {"reader_account_ids"} <= VARIABLES


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    assert {words[0] for words in typed("make") if re.fullmatch("[a-z-]+", words[0])} & targets


def test_the_cost_table_adds_up(applied: Applied) -> None:
    table = DEPLOY.read_text().split("## What it costs a month")[1]
    rows = re.findall(r"^\| (.+?) \| ([^|]+) \| ([^|]+) \|$", table, re.MULTILINE)
    together = re.findall(r"^\| \*\*together, about\*\* \| \*\*(\d+)\*\* \| \*\*(\d+)\*\* \|$", table, re.MULTILINE)
    (total,) = together
    for column, said in zip((1, 2), total, strict=True):
        assert round(sum(float(row[column]) for row in rows if re.fullmatch(r"[\d.]+", row[column]))) == int(said)
    ((cloudwatch, dev, prod),) = [row for row in rows if row[0].startswith("CloudWatch")]
    parts = re.findall(r"(\d+) (?:metrics|alarms) at ([\d.]+)", cloudwatch)
    rest = sum(float(n) for n in re.findall(r"(?:dashboard|logs) ([\d.]+)", cloudwatch))
    assert sum(int(n) * float(price) for n, price in parts) + rest == pytest.approx(float(dev)) == pytest.approx(float(prod))
    alarms = applied.account.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert int(parts[1][0]) == len(alarms)
