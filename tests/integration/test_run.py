"""The main job, end to end, on real services: what both stores hold after a run, as others read them."""

import gzip
import json
import subprocess
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from app.core.schema import TABLES
from app.core.transform import frame
from tests.program import KEYS, Program
from tests.sample_api import Fault, SampleApi
from tests.sample_api.records import FEW, few


def test_first_run_publishes_every_launch_to_both_stores(program: Program) -> None:
    with SampleApi() as whole:
        result = program.run(SOURCE_URL=whole.url)
    assert result["state"] == "published"
    assert result["stores_equal"] is True
    assert result["rows"] == {
        "launches": 205,
        "launch_cores": 215,
        "launch_payloads": 222,
        "launch_failures": 5,
        "launch_crew": 30,
        "launch_changes": 0,
    }
    launches = program.in_mysql("launches")
    years = {row["launch_year"] for row in launches}
    assert years == set(range(2006, 2023)) - {2011}
    assert sum(row["payload_mass_kg"] or 0 for row in launches) == pytest.approx(1_312_988.55)
    program.assert_equal(205)


def test_unchanged_source_writes_no_partition_and_no_row(program: Program, api: SampleApi) -> None:
    first = program.run()
    before = program.versions()
    rows = {table: program.login.query(f"SELECT * FROM `{table}`") for table in KEYS}
    api.requests.clear()
    second = program.run()
    assert second["state"] == "unchanged"
    assert second["rows"] == first["rows"]
    assert program.versions() == before
    assert {table: program.login.query(f"SELECT * FROM `{table}`") for table in KEYS} == rows
    assert all("if-none-match" in request.headers for request in api.requests)
    states = [row[0] for row in program.login.query("SELECT state FROM pipeline_runs ORDER BY started_at")]
    assert states == ["published", "unchanged"]


def test_the_same_answer_gives_the_same_bytes_in_whatever_order_python_hashes(program: Program) -> None:
    found = []
    for seed in ("1", "2"):
        program.run(PYTHONHASHSEED=seed)
        found.append({key: program.object(key) for key in program.keys("launch")})
        for key in list(program.keys()):  # the bucket's
            program.aws.client("s3").delete_object(Bucket=program.bucket, Key=key)
        for table in (*KEYS, "pipeline_runs"):
            program.login.query(f"DROP TABLE `{table}`")
    assert len(found[0]) == 22
    assert found[0] == found[1]


def test_each_lookup_is_fetched_once_a_run(program: Program, api: SampleApi) -> None:
    program.run()
    paths = [request.path for request in api.requests]
    assert sorted(paths) == sorted(
        ["/v5/launches", *(f"/v4/{kind}" for kind in ("rockets", "launchpads", "landpads", "payloads", "cores", "crew"))]
    )


def test_what_the_api_sent_is_archived_byte_for_byte(program: Program, api: SampleApi) -> None:
    program.run()
    keys = program.keys("raw/source=spacex/")
    assert len(keys) == 7
    launches = next(key for key in keys if key.endswith("/launches-1.json.gz"))
    assert gzip.decompress(program.object(launches)) == api.body("v5/launches")


def test_large_lists_are_read_in_pages_to_the_same_rows(program: Program, api: SampleApi) -> None:
    """Grown past the size limit of one list: read by /query, and again unchanged."""
    with SampleApi(n=14_000) as large:
        result = program.run(SOURCE_URL=large.url)
        assert result["rows"]["launches"] == 14_000
        assert any(request.path == "/v5/launches/query" for request in large.requests)
        ids = {json.loads(line)["id"] for line in _records(bytes(large.body("v5/launches")))}
        assert {row["launch_id"] for row in program.in_mysql("launches")} == ids
        assert program.run(SOURCE_URL=large.url)["state"] == "unchanged"


def _records(body: bytes) -> list[str]:
    return [json.dumps(record) for record in json.loads(body)]


def test_v4_and_v5_end_in_the_same_rows_but_for_roles(program: Program) -> None:
    program.run()
    v5 = program.in_mysql("launches"), program.in_mysql("launch_payloads"), program.in_mysql("launch_cores")
    program.run(SPACEX_API_VERSION="v4")
    v4 = program.in_mysql("launches"), program.in_mysql("launch_payloads"), program.in_mysql("launch_cores")
    assert v4 == v5
    assert {row["role"] for row in program.in_mysql("launch_crew")} == {None}  # v4 sends no roles
    program.assert_equal(40)


def test_a_run_that_nobody_watches_loads_neither_pandas_nor_numpy(program: Program) -> None:
    ended = program("run", PYTHONPROFILEIMPORTTIME="1")
    # The attempt is told as well; what a package consists of is told only when it is loaded.
    inside = {name.partition(".")[0] for line in ended.stderr.splitlines() if "." in (name := line.rpartition("|")[2].strip())}
    assert "pyarrow" in inside
    assert not inside & {"pandas", "numpy"}


def test_every_reader_sees_the_same_rows_with_its_defaults(program: Program, api: SampleApi, tmp_path: Path) -> None:
    program.run()
    records = json.loads(api.body("v5/launches"))
    records[3]["name"] = "Renamed"  # so that every table has rows
    api.set("launches", records)
    program.run()
    for table in KEYS:
        by_arrow = ds.dataset(f"{program.bucket}/{table}", filesystem=program.filesystem(), partitioning="hive").to_table()
        by_pandas = pd.read_parquet(f"{program.bucket}/{table}", filesystem=program.filesystem())
        assert len(by_pandas) == by_arrow.num_rows == len(program.in_mysql(table))
        for key in program.keys(f"{table}/"):
            target = tmp_path / key
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(program.object(key))
        found = duckdb.sql(f"SELECT launch_id, row_hash, year, launch_year FROM '{tmp_path}/{table}/*/*.parquet'").fetchall()
        expected = {(r["launch_id"], r["row_hash"], r["launch_year"]) for r in program.in_mysql(table)}
        assert {(launch, row_hash, int(year)) for launch, row_hash, year, _ in found} == expected
        schemas = {str(pq.read_schema(file)) for file in (tmp_path / table).rglob("*.parquet")}
        assert len(schemas) == 1


def test_a_lost_or_altered_object_is_healed(program: Program) -> None:
    program.run()
    s3 = program.aws.client("s3")
    good = program.object("launches/year=2018/launches.parquet")
    s3.delete_object(Bucket=program.bucket, Key="launch_cores/year=2016/launch_cores.parquet")
    s3.put_object(Bucket=program.bucket, Key="launches/year=2018/launches.parquet", Body=b"something else")
    assert program("verify", "--json", code=8).result["stores_equal"] is False
    result = program.run()
    assert (result["state"], result["files_written"]) == ("published", 2)
    assert program.object("launches/year=2018/launches.parquet") == good
    program.assert_equal(40)


def test_rows_altered_in_mysql_are_found_by_verify_and_repaired_by_the_next_run(program: Program) -> None:
    program.run()
    program.login.query("UPDATE launches SET name = 'altered' WHERE launch_year = 2012 LIMIT 1")
    program.login.query("DELETE FROM launch_payloads WHERE launch_year = 2013 LIMIT 1")
    verified = program("verify", "--json", code=8)
    assert "launches 2012" in verified.result["error"]
    assert "launch_payloads 2013" in verified.result["error"]
    result = program.run()
    assert result["state"] == "published"
    assert result["merged"]["launches"] == {"inserted": 0, "updated": 1, "deleted": 0}
    assert result["merged"]["launch_payloads"] == {"inserted": 1, "updated": 0, "deleted": 0}
    assert result["files_written"] == 0
    program.assert_equal(40)


def test_a_lost_manifest_and_a_lost_database_are_rebuilt(program: Program) -> None:
    program.run()
    s3 = program.aws.client("s3")
    s3.delete_object(Bucket=program.bucket, Key="manifests/latest.json")
    assert program.run()["state"] == "published"
    program.assert_equal(40)
    for table in KEYS:
        program.login.query(f"DROP TABLE `{table}`")
    program.run()
    program.assert_equal(40)


def test_years_that_athena_does_not_look_for_are_warned_of_each_time(program: Program, api: SampleApi) -> None:
    api.set("launches", [{"id": f"in-{year}", "date_utc": f"{year}-06-01T00:00:00Z"} for year in (1949, 1950, 2100, 2101)])
    for state in ("published", "unchanged"):
        result = program.run()
        assert result["state"] == state
        (said,) = [warning for warning in result["warnings"] if "outside 1950 to 2100" in warning]
        assert said.endswith("1949, 2101")


def test_plan_writes_nothing_anywhere(program: Program) -> None:
    result = program("plan", "--json").result
    assert result["rows"]["launches"] == 40
    assert (len(result["plan"]["load"]), len(result["plan"]["put"])) == (21, 22)  # a table without rows has a file all the same
    assert program.versions() == set()
    assert program.login.query("SHOW TABLES") == ()
    lines = program("plan").lines
    frames = {line["table"]: line for line in lines if line["message"].startswith("frame ")}
    assert frames["launches"]["shape"][0] == 40
    for name, table in TABLES.items():
        assert frames[name]["types"] == {column: str(kind) for column, kind in frame(table.arrow.empty_table()).dtypes.items()}


def test_plan_and_run_keep_a_rejected_launch_while_a_column_is_missing(program: Program, api: SampleApi) -> None:
    program.run()
    before = program.in_mysql("launches")
    records = json.loads(api.body("v5/launches"))
    records[3]["date_utc"] = "not a date"
    api.set("launches", records)
    program.login.query("ALTER TABLE launches DROP COLUMN details")
    planned = program("plan", "--json").result
    assert (planned["rows"]["launches"], planned["rejected"], planned["retained"]) == (40, 1, 1)
    assert any("details" in statement for statement in planned["ddl"])
    result = program.run()
    assert (result["rejected"], result["retained"]) == (1, 1)
    assert program.in_mysql("launches") == before
    program.assert_equal(40)
    assert program.run()["rejected"] == 1  # unchanged, and still said


def test_masses_whose_sum_is_no_number_are_a_reject(program: Program, api: SampleApi) -> None:
    payloads = [{"id": f"p{i}", "name": "heavy", "mass_kg": 1.7e308} for i in range(2)]
    api.set("payloads", payloads)
    launches = [{"id": f"l{i}", "date_utc": "2020-01-01T00:00:00Z", "payloads": []} for i in range(30)]
    launches[0]["payloads"] = ["p0", "p1"]
    api.set("launches", launches)
    result = program.run()
    assert (result["rows"]["launches"], result["rejected"]) == (29, 1)


def test_second_run_at_the_same_time_leaves_with_7_and_a_killed_one_frees_the_lock(program: Program, api: SampleApi) -> None:
    api.fault("launches", Fault(hang_s=8))
    slow = program.start("run")
    try:
        while not api.requests:
            assert slow.poll() is None
        second = program("run", code=7)
        assert "another run holds the lock" in second.lines[-1]["message"]
        assert '"Success"' not in second.stdout  # neither a success nor a failure
    finally:
        slow.kill()
        slow.communicate()
    api.fault("launches", None)
    program.run()
    states = [row[0] for row in program.login.query("SELECT state FROM pipeline_runs ORDER BY started_at")]
    assert states == ["failed", "published"]
    program.assert_equal(40)


@pytest.mark.parametrize("there_before", [True, False])
@pytest.mark.parametrize("key", ["launches/year=2006/launches.parquet", "manifests/latest.json"])
def test_what_another_writer_put_meanwhile_is_not_overwritten(
    program: Program, api: SampleApi, key: str, there_before: bool
) -> None:
    """A run is stale once somebody has replaced what it saw, or has made what it saw was not there."""
    if there_before:
        program.run()
        before = program.in_mysql("launches")
    stale = run_that_has_looked(program, api)
    program.aws.client("s3").put_object(Bucket=program.bucket, Key=key, Body=b"another's")
    out, _ = stale.communicate(timeout=60)
    assert stale.returncode == 5, out
    assert f"was {'replaced' if there_before else 'created'} by another writer" in json.loads(out)["error"]
    assert program.object(key) == b"another's"
    if key.endswith(".parquet"):  # the pointer comes after the commit
        assert program.in_mysql("launches") == (before if there_before else [])
    assert program.run()["state"] == "published"
    program.assert_equal(40)


def test_rows_that_go_meanwhile_are_missed_where_nothing_was_to_be_written(program: Program, api: SampleApi) -> None:
    program.run()
    running = run_that_has_looked(program, api)
    program.login.query("DELETE FROM launches WHERE launch_year = 2012")
    out, _ = running.communicate(timeout=60)
    assert running.returncode == 8, out
    assert "MySQL launches 2012: 0 rows, not 2" in json.loads(out)["error"]
    program.run()
    program.assert_equal(40)


def run_that_has_looked(program: Program, api: SampleApi) -> "subprocess.Popen[str]":
    """A run that knows what both stores hold, and waits for a source that has changed in 2006."""
    changed = [few(index) for index in range(FEW)]
    changed[0] = changed[0] | {"name": "Another name"}  # the record itself is shared
    api.set("launches", changed)
    seen = len(api.requests)
    api.fault("launches", Fault(hang_s=2, first=1))
    running = program.start("run", "--json")
    while len(api.requests) == seen:
        assert running.poll() is None
    return running


def test_output_of_a_run_elsewhere_than_on_a_terminal_is_json_lines(program: Program) -> None:
    ended = program("run")
    assert ended.stderr == ""
    assert ended.lines[-1]["message"] == "run published"
    assert len({line["run_id"] for line in ended.lines}) == 1


def test_recorded_answers_come_out_whole(program: Program, recorded_data: Path) -> None:
    with SampleApi(recorded=recorded_data) as recorded:
        result = program.run(SOURCE_URL=recorded.url)
    assert result["rows"] == {
        "launches": 205,
        "launch_cores": 215,
        "launch_payloads": 222,
        "launch_failures": 5,
        "launch_crew": 30,
        "launch_changes": 0,
    }
    launches = program.in_mysql("launches")
    assert sum(row["payload_mass_kg"] or 0 for row in launches) == pytest.approx(1_312_988.55)
    payloads = program.in_mysql("launch_payloads")
    assert all(row["rocket_name"] and row["launchpad_name"] for row in launches)
    assert all(row["name"] for row in payloads)
    cores = program.in_mysql("launch_cores")
    assert all(row["landpad_name"] for row in cores if row["landpad_id"])
    assert "cores: 142 of 196 references are known; facts of the others are null" in result["warnings"]
    assert "crew: 0 of 30 references are known; facts of the others are null" in result["warnings"]
    sent = {r["id"]: r for r in json.loads((recorded_data / "spacex_v5/launches.json").read_bytes())}
    for row in launches:
        assert row["details"] == sent[row["launch_id"]]["details"]
        assert row["date_utc"].isoformat(timespec="milliseconds").replace("+00:00", "Z") == sent[row["launch_id"]]["date_utc"]
    program.assert_equal(205)


def test_recorded_before_and_after(program: Program, recorded_data: Path) -> None:
    """193 launches, then 205: 12 added, 4 moved in time, others changed."""
    with SampleApi(recorded=recorded_data, snapshot="2022-09") as before:
        assert program.run(SOURCE_URL=before.url, SPACEX_API_VERSION="v4")["rows"]["launches"] == 193
    old = {row["launch_id"]: row for row in program.in_mysql("launches")}
    with SampleApi(recorded=recorded_data) as after:
        result = program.run(SOURCE_URL=after.url, SPACEX_API_VERSION="v4")
    new = {row["launch_id"]: row for row in program.in_mysql("launches")}
    assert result["merged"]["launches"]["inserted"] == len(new.keys() - old.keys()) == 12
    assert sum(new[i]["date_utc"] != row["date_utc"] for i, row in old.items()) == 4
    assert result["merged"]["launches"]["updated"] == sum(new[i]["row_hash"] != row["row_hash"] for i, row in old.items())
    program.assert_equal(205)
