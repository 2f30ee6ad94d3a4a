"""The report's figures, each beside what DuckDB or a person counts from the same rows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from app.core.schema import TABLES
from app.core.transform import frame
from app.report import quality, sections, stats
from app.report.charts import axis
from app.sources import never_filled

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def rows(table: str, *some: dict[str, Any]) -> pa.Table:
    """Rows of a canonical table; what is not given is null."""
    schema = pa.schema([field.with_nullable(nullable=True) for field in TABLES[table].arrow])
    return pa.Table.from_pylist([{name: one.get(name) for name in schema.names} for one in some], schema=schema)


def launch(number: int, status: str, at: str, **facts: Any) -> dict[str, Any]:
    date = datetime.fromisoformat(at).replace(tzinfo=UTC)
    return {
        "launch_id": f"l{number}",
        "name": f"L{number}",
        "status": status,
        "date_utc": date,
        "launch_year": date.year,
        **facts,
    }


LAUNCHES = rows(
    "launches",
    launch(1, "success", "2018-01-01", date_precision="hour"),
    launch(2, "success", "2018-01-11", date_precision="hour"),
    launch(3, "failure", "2018-01-31", date_precision="hour"),
    launch(4, "success", "2020-05-01", date_precision="hour"),
    launch(5, "upcoming", "2026-06-01", date_precision="quarter"),
    launch(6, "upcoming", "2026-04-01", date_precision="day"),
    launch(7, "a status of tomorrow", "2020-06-01"),
)


def core(number: int, year: int, serial: str | None, *, tried: bool | None, landed: bool | None) -> dict[str, Any]:
    of = {"core_id": serial, "core_serial": serial, "launch_year": year}
    return {"launch_id": f"l{number}", "position": 0, "landing_attempt": tried, "landing_success": landed, **of}


CORES = rows(
    "launch_cores",
    core(1, 2018, "B1", tried=True, landed=True),
    core(2, 2018, "B1", tried=True, landed=True),
    core(3, 2018, "B1", tried=True, landed=False),
    core(4, 2020, "B2", tried=True, landed=None),
    core(5, 2026, "B2", tried=True, landed=None),
    core(6, 2026, None, tried=None, landed=None),
    core(7, 2020, "B3", tried=False, landed=None),
)


def payload(number: int, year: int, orbit: str | None, kg: float | None, customers: str | None) -> dict[str, Any]:
    return {"launch_id": f"l{number}", "launch_year": year, "orbit": orbit, "mass_kg": kg, "customers": customers}


PAYLOADS = rows(
    "launch_payloads",
    payload(1, 2018, "LEO", 1000.0, '["NASA", "ESA"]'),
    payload(1, 2018, "LEO", None, '["NASA"]'),
    payload(2, 2018, "GTO", 5000.0, '["SES"]'),
    payload(3, 2018, "LEO", 7000.0, '["NASA"]'),
    payload(4, 2020, None, 30.0, None),
    payload(4, 2020, "LEO", 2000.0, "[]"),
    payload(5, 2026, "LEO", 9.0, '["Later"]'),
)


def test_years_without_a_launch_are_counted_as_none() -> None:
    found = stats.launches_by_year(frame(LAUNCHES))
    assert list(found.index) == list(range(2018, 2027))
    expected = duckdb.sql(
        "SELECT launch_year, CASE WHEN status LIKE 'a %' THEN 'unknown' ELSE status END, count(*) FROM LAUNCHES GROUP BY ALL"
    ).fetchall()
    shown = [(year, status, count) for year, row in found.iterrows() for status, count in row.items() if count]
    assert sorted(shown) == sorted(expected)


def test_only_tried_landings_of_launches_that_took_place_count() -> None:
    found = stats.landings_by_year(frame(LAUNCHES), frame(CORES))
    assert stats.records(found.reset_index()) == [
        {"launch_year": 2018, "landed": 2, "lost": 1, "unknown": 0},
        {"launch_year": 2020, "landed": 0, "lost": 0, "unknown": 1},
    ]


def test_masses_are_those_of_successful_launches_by_orbit() -> None:
    kg, counts = stats.masses_by_year(frame(LAUNCHES), frame(PAYLOADS))
    assert list(kg) == ["GTO", "LEO", stats.OTHER_ORBITS]  # by mass, what has no orbit last
    assert kg.to_numpy().tolist() == [[5000, 1000, 0], [0, 0, 0], [0, 2000, 30]]
    assert counts.to_numpy().tolist() == [[2, 1], [0, 0], [2, 0]]


def test_boosters_come_by_flights_with_the_time_between_them() -> None:
    found = stats.records(stats.boosters(frame(LAUNCHES), frame(CORES)))
    assert [(one["serial"], one["flights"], one["landed"]) for one in found] == [("B1", 3, 2), ("B3", 1, 0), ("B2", 1, 0)]
    assert (found[0]["shortest"], found[0]["typical"]) == (timedelta(days=10), timedelta(days=15))
    assert found[1]["shortest"] is None


def test_a_launch_of_two_customers_counts_for_each() -> None:
    found = stats.records(stats.customers(frame(LAUNCHES), frame(PAYLOADS)))
    assert [tuple(one.values()) for one in found] == [("NASA", 2, 3, 8000.0), ("ESA", 1, 1, 1000.0), ("SES", 1, 1, 5000.0)]


def test_a_launch_that_failed_without_a_reason_is_among_the_failures() -> None:
    listed = rows(
        "launches", *LAUNCHES.to_pylist(), launch(8, "partial_failure", "2021-01-01"), launch(9, "failure", "2022-01-01")
    )
    failed = rows(
        "launch_failures",
        {"launch_id": "l3", "position": 1, "reason": "second"},
        {"launch_id": "l3", "position": 0, "reason": "first"},
        {"launch_id": "l9", "position": 0, "reason": None},
    )
    found = stats.records(stats.failures(frame(listed), frame(failed)))
    assert [(one["launch_id"], one["reason"]) for one in found] == [
        ("l9", None),
        ("l8", None),
        ("l3", "first"),
        ("l3", "second"),
    ]


def test_next_launches_begin_with_the_nearest_and_last_ones_with_the_newest() -> None:
    launches = frame(LAUNCHES)
    assert list(stats.next_launches(launches, 9)["launch_id"]) == ["l6", "l5"]
    assert list(stats.last_launches(launches, 2)["launch_id"]) == ["l7", "l4"]


@pytest.mark.parametrize(
    ("at", "precision", "is_overdue"),
    [
        ("2026-02-01", "month", False),
        ("2026-01-01", "month", True),
        ("2026-02-28", "hour", True),
        ("2026-01-01", "quarter", False),
        ("9999-12-31", "year", False),
        ("1000-01-01", None, True),
    ],
)
def test_a_date_is_overdue_when_all_that_its_precision_names_has_passed(at: str, precision: str, is_overdue: bool) -> None:
    coming = sections.coming(frame(rows("launches", launch(1, "upcoming", at, date_precision=precision))), NOW)
    assert [one["is_overdue"] for one in coming[0].rows] == [is_overdue]


def change(day: int, number: int, column: str, old: str | None, new: str | None) -> dict[str, Any]:
    at = datetime(2026, 1, day, tzinfo=UTC)
    return {"launch_id": f"l{number}", "changed_at": at, "column_name": column, "old_value": old, "new_value": new}


def test_a_move_has_the_precisions_that_held_before_and_after_it() -> None:
    changes = rows(
        "launch_changes",
        change(1, 5, "date_utc", "2026-03-01 00:00:00", "2026-04-01 00:00:00"),
        change(2, 5, "date_utc", "2026-04-01 00:00:00", "2026-06-01 00:00:00"),
        change(2, 5, "date_precision", "month", "quarter"),
        change(3, 6, "date_utc", "2026-04-03 00:00:00", "2026-04-01 00:00:00"),
        change(3, 6, "launch_id", None, "l6"),
        change(4, 8, "date_utc", "2026-04-03 00:00:00", "2026-04-04 12:00:00.500000"),  # of a launch that is no longer listed
    )
    found = stats.moves(frame(LAUNCHES), frame(changes))
    shown = [(m["name"], m["kind"], m["by"].days, m["old_precision"], m["new_precision"]) for m in stats.records(found)]
    assert shown == [
        (None, "later", 1, None, None),
        ("L6", "earlier", -2, "day", "day"),
        ("L5", "precision", 61, "month", "quarter"),
        ("L5", "later", 31, "month", "month"),
    ]
    by_month = stats.moves_by_month(found, NOW)
    assert (str(by_month.index[0]), str(by_month.index[-1]), len(by_month)) == ("2025-04", "2026-03", 12)
    assert by_month.loc["2026-01"].to_dict() == {"later": 2, "earlier": 1, "precision": 1}
    assert by_month.to_numpy().sum() == 4


@pytest.mark.parametrize("table", TABLES)
def test_a_report_of_nothing_has_figures_too(table: str) -> None:
    empty = {name: frame(each.arrow.empty_table()) for name, each in TABLES.items()}
    launches = empty["launches"]
    for found in (
        stats.launches_by_year(launches),
        stats.landings_by_year(launches, empty["launch_cores"]),
        *stats.masses_by_year(launches, empty["launch_payloads"]),
        stats.moves(launches, empty["launch_changes"]),
        stats.boosters(launches, empty["launch_cores"]),
        stats.customers(launches, empty["launch_payloads"]),
        stats.failures(launches, empty["launch_failures"]),
        stats.nulls(empty[table], ()),
    ):
        assert isinstance(found, pd.DataFrame)
        assert found.empty


@pytest.mark.parametrize("source", ["launch_library", "launch_library-88"])
def test_columns_that_a_source_never_fills_are_no_gaps_whatever_the_provider(source: str) -> None:
    found = quality.nulls(frame(LAUNCHES), never_filled(source)["launches"])
    untold = {one["column"] for one in found if one["never_filled"]}
    assert untold == set(never_filled("launch_library")["launches"]) != set()
    assert [one["never_filled"] for one in found] == sorted(one["never_filled"] for one in found)  # gaps first


@pytest.mark.parametrize("highest", [0, 0.4, 1, 5, 9, 10, 61, 100, 204, 1234.5, 1e6])
def test_an_axis_ends_above_the_highest_bar(highest: float) -> None:
    ticks = axis(highest)
    assert ticks[0] == 0
    assert ticks[-1] > highest
    assert ticks[-2] <= highest
    assert 2 <= len(ticks) <= 7
