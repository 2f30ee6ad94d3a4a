"""The lines in which a command ends, on a terminal of 80 columns."""

import io
from collections.abc import Iterable
from datetime import UTC, datetime

import pytest

from app.commands.terminal import Terminal
from app.commands.verdict import Line, of_differences, of_run
from app.core.runs import Merged, RunState, RunSummary
from app.core.schema import TABLES

NOW = datetime(2026, 11, 25, 10, 12, 9, tzinfo=UTC)


def plain(lines: Iterable[Line]) -> list[str]:
    """The lines without their styles."""
    return ["".join(part if isinstance(part, str) else part[0] for part in line) for line in lines]


@pytest.mark.parametrize("state", RunState)
def test_every_line_of_a_verdict_fits_80_columns_and_all_of_them_24_lines(state: RunState) -> None:
    summary = RunSummary("20261125T101209Z-c7f52c84", "launch_library-121", NOW, state=state, stores_equal=True)
    summary.rows = dict.fromkeys(TABLES, 1_234_567)
    summary.merged = {name: Merged(1_234_567, 1_234_567, 1_234_567) for name in TABLES}
    summary.files_written, summary.files_deleted, summary.rejected, summary.retained = 999, 99, 1, 1
    summary.stage_seconds = {"extract": 1234.5}
    lines = plain(of_run(summary, NOW))
    assert max(map(len, lines)) <= 80
    assert len(lines) < 24
    assert "1 launch kept with the last good rows" in lines


def test_values_that_differ_far_behind_their_beginning_are_shown_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    view = Terminal(io.StringIO(), secrets=("whole secret",))
    old, new = view.cells(["long " * 100 + "before", "long " * 100 + "after"], 40)
    assert (old[:1], new[:1]) == ("…", "…")
    assert (old[-6:], new[-5:]) == ("before", "after")
    assert max(map(len, (old, new))) <= 20
    assert view.cells([None, "short"], 40) == ["null", "short"]
    assert "whole" not in "".join(view.cells(["x" * 30 + "whole secret", "y"], 40))


def test_a_difference_names_table_key_column_both_values_and_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    cells = Terminal(io.StringIO()).cells
    value = {"table": "launch_cores", "year": 2020, "key": ["l1", 0], "column": "core_block", "published": "5", "in_s3": None}
    row = {"table": "launches", "year": 2020, "key": ["l1"], "difference": "only in MySQL"}
    whole = {"table": "launches", "year": 2020, "key": [], "difference": "the object in S3 can't be read"}
    assert plain(of_differences([value, row, whole], cells)) == [
        "launch_cores l1 0 core_block: 5 → null in S3",
        "launches l1: only in MySQL",
        "launches 2020: the object in S3 can't be read",
    ]
    many = plain(of_differences([row] * 25, cells))
    assert (len(many), many[-1]) == (11, "15 more: verify --json")
