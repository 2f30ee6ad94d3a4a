"""The metrics' line is what CloudWatch takes for one."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from app.core.runs import Merged, RunState, RunSummary
from app.core.schema import TABLES
from app.telemetry.metrics import print_metrics

NOW = datetime(2025, 1, 11, tzinfo=UTC)
GOOD = RunSummary(
    "one-run",
    "spacex",
    NOW,
    state=RunState.PUBLISHED,
    merged={"launches": Merged(3, 2, 1), "launch_crew": Merged(1, 0, 0)},
    rejected=4,
    stores_equal=True,
    newest_launch_utc=datetime(2025, 1, 1, 12, tzinfo=UTC),
    stage_seconds={"extract": 1.23456, "merge": 2.0},
)


ROWS = {f"Rows.{table}.{action}" for table in TABLES for action in ("inserted", "updated", "deleted")}


def printed(capsys: pytest.CaptureFixture[str], report: RunSummary, command: str | None = "run") -> dict[str, Any]:
    """The one line, checked against the format's rules, as the values of its metrics and its other fields."""
    print_metrics(report, "spacex-pipeline-dev", NOW, command)
    (text,) = capsys.readouterr().out.splitlines()
    line = json.loads(text)
    about = line["_aws"]
    (directive,) = about["CloudWatchMetrics"]
    assert about["Timestamp"] == 1_736_553_600_000
    assert (directive["Namespace"], directive["Dimensions"]) == ("SpacexPipeline", [["stack"]])
    assert (line["stack"], line["run_id"]) == ("spacex-pipeline-dev", "one-run")
    units = {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]}
    assert len(units) == len(directive["Metrics"]) <= 100  # more, and CloudWatch drops the line
    assert set(units.values()) <= {"Count", "Seconds", "None"}
    assert units.keys() == line.keys() - {"_aws", "stack", "run_id"} - ROWS
    values = {name: line[name] for name in units.keys() | ROWS}
    assert all(type(value) in (int, float) for value in values.values())
    return values


def test_a_good_run_has_every_metric(capsys: pytest.CaptureFixture[str]) -> None:
    values = printed(capsys, GOOD)
    rows = dict.fromkeys(ROWS, 0)
    rows |= {"Rows.launches.inserted": 3, "Rows.launches.updated": 2, "Rows.launches.deleted": 1, "Rows.launch_crew.inserted": 1}
    assert values == {
        **rows,
        "RowsWritten": 7,
        "Success": 1,
        "StoresEqual": 1,
        "Rejected": 4,
        "DataAgeDays": 9.5,
        "StageSeconds.extract": 1.235,
        "StageSeconds.merge": 2,
    }


def test_a_failed_run_is_no_success_and_does_not_guess(capsys: pytest.CaptureFixture[str]) -> None:
    values = printed(capsys, RunSummary("one-run", "spacex", NOW, state=RunState.FAILED))
    assert (values["Success"], values["RowsWritten"]) == (0, 0)
    assert not {"StoresEqual", "DataAgeDays"} & values.keys()
    values = printed(capsys, RunSummary("one-run", "spacex", NOW, state=RunState.FAILED, stores_equal=False))
    assert (values["Success"], values["StoresEqual"]) == (0, 0)


def test_only_a_run_can_be_a_success(capsys: pytest.CaptureFixture[str]) -> None:
    """A good `verify` must not quiet the alarm that waits for a good run."""
    verified = RunSummary("one-run", "spacex", NOW, state=RunState.VERIFIED, stores_equal=True)
    values = printed(capsys, verified, "verify")
    assert "Success" not in values
    assert values["StoresEqual"] == 1
    assert "Success" not in printed(capsys, GOOD, "replay")


@pytest.mark.parametrize(("state", "verified"), [(RunState.VERIFIED, 1), (RunState.HEALED, 1), (RunState.FAILED, 0)])
def test_only_a_verification_can_be_verified(state: RunState, verified: int, capsys: pytest.CaptureFixture[str]) -> None:
    """A good `run` must not quiet the alarm that waits for a good verification."""
    values = printed(capsys, RunSummary("one-run", "spacex", NOW, state=state), "verify")
    assert (values["Verified"], "Success" in values) == (verified, False)
    assert "Verified" not in printed(capsys, GOOD)


def test_who_found_the_lock_held_has_neither_succeeded_nor_failed(capsys: pytest.CaptureFixture[str]) -> None:
    values = printed(capsys, RunSummary("one-run", "spacex", NOW, state=RunState.FAILED), None)
    assert not {"Success", "Verified"} & values.keys()
