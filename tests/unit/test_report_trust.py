"""What the report says of the trust that its data deserve, and of what changed last."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from app.core.model import LookupUse, Manifest
from app.core.runs import PastRun, RunState
from app.core.schema import TABLES
from app.core.transform import frame
from app.report import changes, trust
from app.report.page import report
from app.report.trust import Evidence
from tests.page import Page
from tests.unit.test_report_figures import CORES, LAUNCHES, NOW, PAYLOADS, change, launch, rows

HOSTILE = """<script>alert(1)</script><img src="x" onerror='x'>&amp;\u202e"""
WORD = "W" * 500


def run(number: int, state: RunState = RunState.UNCHANGED, command: str = "run", **facts: Any) -> PastRun:
    at = NOW - timedelta(hours=20 - number)
    row: dict[str, Any] = {"run_id": f"id{number}", "state": state, "number": number, "command": command, "started_at": at}
    return PastRun.of({"finished_at": at, "rows_by_table": {}, "rejected": 0, "error": None, **row, **facts})


PUBLISHED = run(3, RunState.PUBLISHED, rows_by_table={"launches": {"total": 7, "inserted": 3, "updated": None}})
MANIFEST = Manifest.model_construct(
    run_id="id3",
    number=3,
    published_at=PUBLISHED.started_at,
    as_of=PUBLISHED.started_at,
    source="spacex",
    rejected=0,
    retained_ids=[],
    lookups={},
    newest_launch_utc=NOW,
    files=[],
)


def evidence(*runs: PastRun, departures: Sequence[str] = (), lost: Sequence[str] = (), now: datetime = NOW) -> Evidence:
    return Evidence(now, [*runs, PUBLISHED, run(2, RunState.PUBLISHED)], departures, lost, 30)


def manifest(**facts: Any) -> Manifest:
    return MANIFEST.model_copy(update=facts)


LATE = NOW + timedelta(days=31)
DOCUMENTED = set(re.findall(r"^\| ([^|]+) \| ", (Path(__file__).parents[2] / "docs/report.md").read_text(), re.MULTILINE))
GAP = {"cores": LookupUse(references=5, resolved=3)}


@pytest.mark.parametrize(
    ("found", "of", "kind", "words"),
    [
        (evidence(), MANIFEST, "good", "Proven: S3 and MySQL hold the same"),
        (evidence(run(4)), MANIFEST, "good", "Proven: S3 and MySQL hold the same"),
        (evidence(run(4, command="verify")), MANIFEST, "good", "Proven: S3 and MySQL hold the same"),
        (evidence(run(4, RunState.FAILED, "verify")), MANIFEST, "bad", "the last verify failed"),
        (evidence(run(5), run(4, RunState.FAILED, "verify")), MANIFEST, "good", "Proven: S3 and MySQL hold the same"),
        (evidence(run(4, RunState.FAILED)), MANIFEST, "bad", "the last run failed"),
        (evidence(run(4, RunState.RUNNING)), MANIFEST, "warn", "a run has not ended"),
        (evidence(run(4, RunState.MERGED)), MANIFEST, "warn", "a run has not published"),
        (evidence(departures=["MySQL launches 2018: 1 rows"]), MANIFEST, "bad", "Proven when published, but: the stores have"),
        (evidence(run(4, RunState.RUNNING), departures=["x"]), MANIFEST, "warn", "the stores have changed since; a run has"),
        (evidence(lost=["launches 2018"]), MANIFEST, "bad", "rows are lost"),
        (evidence(now=LATE), MANIFEST, "bad", "stale; the source was not read lately"),
        (evidence(run(4, started_at=LATE), now=LATE), MANIFEST, "bad", "but: stale"),
        (evidence(), manifest(newest_launch_utc=None), "bad", "stale"),
        (evidence(), manifest(rejected=1), "warn", "launches were rejected"),
        (evidence(), manifest(lookups=GAP), "warn", "gaps in lookups"),
    ],
)
def test_a_glance_tells_whether_to_trust_the_data(found: Evidence, of: Manifest, kind: str, words: str) -> None:
    verdicts = trust.verdicts(of, found)
    line = trust.headline(of, found, verdicts)
    assert line.kind == kind
    assert words in line.name
    order = [one.kind for one in verdicts]
    assert order == sorted(order, key=["bad", "warn", "", "good"].index)  # the worst first
    assert "Run 3 (id3) compared the contents" in verdicts[-1].sentence  # and at last always what proved the data first
    assert any("still as published" in one.sentence for one in verdicts) == (not found.departures)
    names = {one.name for one in verdicts if one.kind in ("bad", "warn")}
    assert names <= DOCUMENTED
    assert bool(names) == (kind != "good")


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        ([], "Run 3 (id3) proved it last, 2026-02-28 07:00 UTC (17 h before this page)."),
        ([run(4)], "Run 4 (id4) proved it last, 2026-02-28 08:00 UTC (16 h before this page)."),
        ([run(5, command="verify"), run(4)], "Run 5 (verify, id5) proved it last, 2026-02-28 09:00 UTC (15 h before this page)."),
        ([run(5, RunState.FAILED), run(4)], "Run 4 (id4) proved it last, 2026-02-28 08:00 UTC (16 h before this page)."),
    ],
)
def test_it_tells_by_what_and_when_the_stores_were_proven(runs: list[PastRun], words: str) -> None:
    assert trust.headline(MANIFEST, evidence(*runs), trust.verdicts(MANIFEST, evidence(*runs))).sentence == words


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        ([run(4, command="verify")], "Run 4 (verify, id4) read everything back, the raw archive too, "),
        ([run(5), run(4, RunState.FAILED, "verify")], "Run 4 (verify, id4) failed, "),
        ([run(4)], "No verify, which reads everything back, is among the last 3 runs."),
    ],
)
def test_the_last_verify_is_named_or_missed(runs: list[PastRun], words: str) -> None:
    assert any(one.sentence.startswith(words) for one in trust.verdicts(MANIFEST, evidence(*runs)))


def test_a_verify_of_the_snapshot_before_is_no_proof_of_this_one() -> None:
    found = Evidence(NOW, [PUBLISHED, run(1, command="verify")], [], [], 30)
    kinds = [one.kind for one in trust.verdicts(MANIFEST, found) if "this snapshot is newer" in one.sentence]
    assert kinds == [""]


def test_a_past_run_counts_the_rows_it_wrote() -> None:
    assert (PUBLISHED.seconds, PUBLISHED.launches, PUBLISHED.rows_written) == (0, 7, 3)


@pytest.mark.parametrize("counts", [{"launches": 5}, {"launches": {"total": "7", "inserted": [1]}}, {HOSTILE: None}])
def test_counts_that_somebody_else_wrote_are_left_out(counts: Mapping[str, Any]) -> None:
    one = run(4, rows_by_table=counts)
    assert (one.launches, one.rows_written) == (None, 0)


def of_run(run_id: str, number: int, column: str, old: str | None, new: str | None) -> dict[str, Any]:
    return change(1, number, column, old, new) | {"run_id": run_id}


CHANGES = rows(
    "launch_changes",
    of_run("id1", 1, "status", "upcoming", "failure"),  # an earlier run's
    of_run("id3", 1, "status", "upcoming", "success"),
    of_run("id3", 1, "success", None, "1"),
    of_run("id3", 2, "details", "a", "b"),
    of_run("id3", 4, "launch_id", None, "l4"),
    of_run("id3", 6, "date_utc", "2026-03-20 00:00:00", "2026-04-01 00:00:00"),
    of_run("id3", 6, "date_local", "x", "y"),
    of_run("id3", 3, "date_utc", "no time at all", "2026-04-01 00:00:00"),
)
REMOVED = rows("launch_changes", of_run("id3", 9, "launch_id", "l9", None))


def test_deltas_are_those_to_the_launches_before_the_changes_of_the_run() -> None:
    found = changes.since_last(frame(LAUNCHES), frame(CHANGES), MANIFEST, evidence().runs)
    shown = [(one["launch_id"], one["change"], one["before"], one["after"], one["by"]) for one in found["rows"]]
    assert shown == [
        ("l4", "added", None, None, None),
        ("l1", "status", "upcoming", "success", None),
        ("l6", "date", "2026-03-20", "2026-04-01", "+12 d"),
        ("l2", "details", "a", "b", None),
    ]
    before = "(SELECT if(launch_id = 'l1', 'upcoming', status) AS status FROM LAUNCHES WHERE launch_id <> 'l4')"
    count = "SELECT count(*) FILTER (status <> 'upcoming'), count(*) FILTER (status = 'success') FROM "
    (was,), (is_,) = duckdb.sql(count + before).fetchall(), duckdb.sql(f"{count} LAUNCHES").fetchall()
    assert (found["deltas"]["launched"], found["deltas"]["success"]) == (is_[0] - was[0], is_[1] - was[1]) == (2, 2)
    assert found["is_followed"]


def test_of_a_launch_that_is_gone_nobody_knows_what_it_was() -> None:
    found = changes.since_last(frame(LAUNCHES), frame(REMOVED), MANIFEST, evidence().runs)
    assert (found["deltas"], found["counts"]) == (None, {"added": 0, "removed": 1})


def test_rows_that_are_no_news_are_no_differences() -> None:
    nothing = frame(TABLES["launch_changes"].arrow.empty_table())
    assert not changes.since_last(frame(LAUNCHES), nothing, MANIFEST, evidence().runs)["is_followed"]
    same = run(3, RunState.PUBLISHED, rows_by_table={"launches": {"total": 7, "inserted": 0}, "launch_cores": {"updated": 1}})
    assert changes.since_last(frame(LAUNCHES), nothing, MANIFEST, [same])["is_followed"]


def test_what_a_run_committed_and_could_not_publish_is_new_in_the_next_snapshot() -> None:
    runs = [run(4), PUBLISHED, run(2, RunState.MERGED), run(1, RunState.PUBLISHED), run(0, RunState.MERGED)]
    assert changes.run_ids(MANIFEST, runs) == {"id3", "id2"}


def page_of(tables: Mapping[str, pa.Table], found: Evidence, of: Manifest = MANIFEST) -> tuple[str, Page]:
    empty = {name: table.arrow.empty_table() for name, table in TABLES.items()}
    text = report(of, {**empty, **tables}, found, {})
    return text, Page(text)


def test_a_page_of_nothing_is_whole() -> None:
    text, page = page_of({}, Evidence(NOW, [], [], [], 30), manifest(newest_launch_utc=None))
    assert not {"next-launches", "launches-per-year", "runs"} & page.tables.keys()
    assert "The source lists no launch that is still to come." in text
    assert "Proven, but: stale" in text
    assert text.rstrip().endswith("</html>")


def test_hostile_and_endless_texts_are_shown_and_nothing_else_becomes_of_them() -> None:
    hostile = {"name": HOSTILE, "rocket_name": WORD, "launchpad_name": WORD, "date_precision": WORD}
    tables = {
        "launches": rows("launches", launch(1, "upcoming", "2026-04-01", **hostile), launch(2, HOSTILE, "0001-01-01", **hostile)),
        "launch_failures": rows("launch_failures", {"launch_id": "l2", "position": 0, "reason": HOSTILE + WORD}),
        "launch_changes": rows(
            "launch_changes", of_run("id3", 1, HOSTILE, WORD, HOSTILE), of_run("id3", 2, "date_utc", "1", "x")
        ),
    }
    bad = run(4, RunState.FAILED, HOSTILE, error=HOSTILE, rows_by_table={HOSTILE: {"total": 1}})
    text, page = page_of(tables, evidence(bad, departures=[HOSTILE] * 5, lost=[WORD]), manifest(source=HOSTILE))
    assert not {"script", "img"} & {tag for tag, _ in page.tags}
    assert text.count("\u202e") > 5
    assert page.rows("next-launches")[0]["launch"] == HOSTILE
    assert page.rows("changes")[0]["change"] == HOSTILE
    assert page.rows("changes")[0]["before"] == "W" * 159 + "…"
    assert page.rows("failures")[0]["reason"] == HOSTILE + WORD  # only what changed is cut
    broken = [attributes for tag, attributes in page.tags if tag in ("td", "th") and "long" in (attributes.get("class") or "")]
    assert len(broken) > 5  # a word that is wider than a column may be broken


def test_every_order_has_its_table_and_its_button() -> None:
    tables = {"launches": LAUNCHES, "launch_cores": CORES, "launch_payloads": PAYLOADS, "launch_changes": CHANGES}
    text, page = page_of(tables, evidence(run(4)))
    buttons = [attributes for tag, attributes in page.tags if tag == "input"]
    ids = {attributes["id"] for attributes in buttons}
    assert len(ids) == len(buttons) > 20
    assert all(attributes["type"] == "radio" for attributes in buttons)
    checked = [attributes["name"] for attributes in buttons if "checked" in attributes]
    assert sorted(checked) == sorted({str(attributes["name"]) for attributes in buttons})  # one of each table
    for attributes in buttons:
        name, _, place = str(attributes["id"]).rpartition("-by-")
        assert (name if place == "1" else f"{name}-{place}") in page.tables
        assert f".ordered:has(.o{place}:checked) > .scroll.o{place}" in text  # the style sheet shows it
    assert {attributes["for"] for tag, attributes in page.tags if tag == "label" and "for" in attributes} <= ids
    hidden = [attributes for tag, attributes in page.tags if "hidden" in attributes]
    assert len(hidden) == len(buttons) - len(checked)  # without a style sheet, each table is there once


def test_each_order_takes_the_first_of_all_boosters_not_of_those_that_flew_most() -> None:
    flights = [(f"B{n:02}", f"2020-01-{day:02}") for n in range(30) for day in range(1, 30, 29 if n > 25 else 7 - n // 5)]
    listed = [launch(at, "success", day) for at, (_, day) in enumerate(flights)]
    cores = [
        {"launch_id": f"l{at}", "position": 0, "core_id": core, "core_serial": core, "launch_year": 2020, "landing_success": True}
        for at, (core, _) in enumerate(flights)
    ]
    launches, launch_cores = rows("launches", *listed), rows("launch_cores", *cores)
    _, page = page_of({"launches": launches, "launch_cores": launch_cores}, evidence())
    by_flights = duckdb.sql("SELECT count(*) FROM launch_cores GROUP BY core_id ORDER BY 1 DESC LIMIT 20").fetchall()
    assert [row["flights"] for row in page.rows("boosters")] == [str(count) for (count,) in by_flights]
    by_name = duckdb.sql("SELECT DISTINCT core_id FROM launch_cores ORDER BY 1 LIMIT 20").fetchall()
    names = next(table for name, table in page.tables.items() if name.startswith("boosters-") and table[1][0] == "B00")
    assert [row[0] for row in names[1:]] == [name for (name,) in by_name]
    before = "lag(date_utc) OVER (PARTITION BY core_id ORDER BY date_utc)"
    gaps = f"SELECT core_id, date_diff('day', {before}, date_utc) AS gap FROM launch_cores JOIN launches USING (launch_id)"
    shortest = duckdb.sql(f"SELECT min(gap) FROM ({gaps}) GROUP BY core_id HAVING min(gap) > 0 ORDER BY 1 LIMIT 20").fetchall()
    assert [row["shortest turn-around"] for row in page.rows("boosters-4")] == [
        f"{days:.1f} d" if days < 10 else f"{days} d" for (days,) in shortest
    ]


def test_beside_each_chart_stands_what_it_shows() -> None:
    tables = {"launches": LAUNCHES, "launch_cores": CORES, "launch_payloads": PAYLOADS, "launch_changes": CHANGES}
    text, page = page_of(tables, evidence())
    charts = [attributes for tag, attributes in page.tags if tag == "svg"]
    figures = text.count("<figcaption>")
    assert len(charts) == 2 * figures == 8  # wide and narrow
    assert all(attributes["role"] == "img" and attributes["aria-label"] for attributes in charts)
    assert text.count("<summary>The numbers as a table</summary>") == figures
    (count,) = duckdb.sql("SELECT count(*) FROM LAUNCHES GROUP BY launch_year ORDER BY 1 DESC LIMIT 1").fetchall()
    assert f"{LAUNCHES.num_rows} in all; most in 2018: {count[0]}." in text


def test_ages_are_of_the_time_when_the_page_was_made() -> None:
    text, _ = page_of({}, evidence(now=datetime(2026, 3, 2, tzinfo=UTC)))
    assert "This page was made 2026-03-02 00:00 UTC" in text
    assert "(41 h before this page)" not in text
    assert "(1.7 d before this page)" in text
