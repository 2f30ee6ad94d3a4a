"""The history of what changed: written once, by the run that saw it, the same in both stores."""

import json
from pathlib import Path
from typing import Any

from tests.program import Program
from tests.sample_api import SampleApi

NO_FACTS = {"row_hash", "launch_year", "launch_id"}


def entries(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """What should be found: launch and column, by plain comparison of the rows."""
    old, new = ({row["launch_id"]: row for row in rows} for rows in (before, after))
    found = {(i, "launch_id") for i in old.keys() ^ new.keys()}
    return found | {(i, c) for i in old.keys() & new.keys() for c in old[i] if c not in NO_FACTS and old[i][c] != new[i][c]}


def history(program: Program) -> dict[tuple[str, str], dict[str, Any]]:
    rows = program.in_mysql("launch_changes")
    assert len(rows) == len({(row["launch_id"], row["column_name"]) for row in rows})
    return {(row["launch_id"], row["column_name"]): row for row in rows}


def test_slips_outcomes_additions_and_removals_are_written_down(program: Program, api: SampleApi) -> None:
    first = program.run()
    assert first["rows"]["launch_changes"] == 0  # a beginning is no news
    before = program.in_mysql("launches")
    records = json.loads(api.body("v5/launches"))
    slipped, decided, gone = records[38], records[20], records.pop(10)
    slipped["date_utc"] = "2031-01-02T03:04:05.000Z"
    decided.update(success=None, details="It is being looked into.")
    api.set("launches", [*records, {"id": "new-one", "name": "New", "date_utc": "2032-01-01T00:00:00Z", "upcoming": True}])
    second = program.run()
    found = history(program)
    assert set(found) == entries(before, program.in_mysql("launches"))
    slip = found[slipped["id"], "date_utc"]
    assert (slip["new_value"], slip["run_id"]) == ("2031-01-02 03:04:05.000000", second["run_id"])
    assert {column for launch, column in found if launch == slipped["id"]} == {"date_utc"}
    assert (found[decided["id"], "success"]["old_value"], found[decided["id"], "success"]["new_value"]) == ("1", None)
    assert (found[gone["id"], "launch_id"]["new_value"], found["new-one", "launch_id"]["old_value"]) == (None, None)
    assert program.run()["state"] == "unchanged"
    program.assert_equal(40)
    # Back again: more entries, none altered.
    api.set("launches", [r for r in records if r is not slipped])
    program.run()
    now = program.in_mysql("launch_changes")
    of_second = [row for row in now if row["run_id"] == second["run_id"]]
    assert of_second == sorted(found.values(), key=lambda row: (row["launch_id"], row["column_name"]))
    assert {(row["launch_id"], row["column_name"]) for row in now if row["run_id"] != second["run_id"]} == {
        (slipped["id"], "launch_id"),
        ("new-one", "launch_id"),
    }
    program.assert_equal(38)


def test_a_run_cut_between_commit_and_manifest_writes_its_news_once(program: Program, api: SampleApi) -> None:
    program.run()
    before = program.in_mysql("launches")
    records = json.loads(api.body("v5/launches"))
    records[10]["name"] = "Renamed"
    api.set("launches", records)
    published = program.object("manifests/latest.json")
    cut = program.run()
    # As if it had been killed before it wrote the pointer, and before it noted that in pipeline_runs.
    program.aws.client("s3").put_object(Bucket=program.bucket, Key="manifests/latest.json", Body=published)
    program.login.query("UPDATE pipeline_runs SET state = 'merged' WHERE run_id = %s", cut["run_id"])
    records[11]["name"] = "Renamed too"
    api.set("launches", records)
    program.run()
    found = history(program)
    assert set(found) == entries(before, program.in_mysql("launches")) == {(r["id"], "name") for r in records[10:12]}
    program.assert_equal(40)


def test_history_outlives_a_lost_database_and_a_lost_manifest(program: Program, api: SampleApi) -> None:
    program.run()
    records = json.loads(api.body("v5/launches"))
    records[10]["name"] = "Renamed"
    api.set("launches", records)
    program.run()
    kept = program.in_mysql("launch_changes")
    assert len(kept) == 1
    for table in program.tables():
        program.login.query(f"DROP TABLE `{table}`")
    program.run()
    assert program.in_mysql("launch_changes") == kept
    program.aws.client("s3").delete_object(Bucket=program.bucket, Key="manifests/latest.json")
    program.run()
    assert program.in_mysql("launch_changes") == kept
    for table in program.tables():  # and both at once
        program.login.query(f"DROP TABLE `{table}`")
    program.aws.client("s3").delete_object(Bucket=program.bucket, Key="manifests/latest.json")
    program.run()
    assert program.in_mysql("launch_changes") == kept
    program.assert_equal(40)


def test_history_holds_any_text(program: Program, api: SampleApi) -> None:
    texts = ["a\tb\\N\n\r\0", "", "\\N", "\U0001f680" * 500, "'; DROP TABLE launches; --", "x" * 1_000_000, None]
    records = json.loads(api.body("v5/launches"))
    for record in records:
        record["details"] = "before"
    api.set("launches", records)
    program.run()
    for record, text in zip(records, texts, strict=False):
        record["details"] = text
    api.set("launches", records)
    program.run()
    found = history(program)
    assert [found[record["id"], "details"]["new_value"] for record in records[: len(texts)]] == texts
    for record in records:
        record["details"] = "after"
    api.set("launches", records)
    run_id = program.run()["run_id"]
    second = {row["launch_id"]: row["old_value"] for row in program.in_mysql("launch_changes") if row["run_id"] == run_id}
    assert [second[record["id"]] for record in records[: len(texts)]] == texts
    program.assert_equal(40)


def test_recorded_before_and_after_are_followed(program: Program, recorded_data: Path) -> None:
    with SampleApi(recorded=recorded_data, snapshot="2022-09") as earlier:
        program.run(SOURCE_URL=earlier.url, SPACEX_API_VERSION="v4")
    before = program.in_mysql("launches")
    with SampleApi(recorded=recorded_data) as later:
        program.run(SOURCE_URL=later.url, SPACEX_API_VERSION="v4")
    found = history(program)
    assert set(found) == entries(before, program.in_mysql("launches"))
    assert sum(column == "launch_id" for _, column in found) == 12
    assert sum(column == "date_utc" for _, column in found) == 4
    program.assert_equal(205)
