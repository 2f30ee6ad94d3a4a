"""Green means equal, whatever the clock says and whatever was done to the stores between two runs."""

import json
from typing import Any

import pytest

from tests.program import Program
from tests.sample_api import SampleApi
from tests.services.clock import shifted


def records(api: SampleApi) -> list[dict[str, Any]]:
    return list(json.loads(api.body("v5/launches")))


def rename(api: SampleApi, place: int, name: str) -> str:
    """Give one launch another name; its id."""
    changed = records(api)
    changed[place]["name"] = name
    api.set("launches", changed)
    return str(changed[place]["id"])


def names_in_history(program: Program, launch_id: str) -> list[str]:
    rows = program.in_mysql("launch_changes")
    return [row["new_value"] for row in rows if (row["launch_id"], row["column_name"]) == (launch_id, "name")]


# --- clocks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offs", [("+3d", None), (None, "-3d"), ("+3d", "-3d")])
def test_the_order_of_runs_rests_on_no_clock(program: Program, api: SampleApi, offs: tuple[str | None, ...]) -> None:
    """One host's clock is off; runs still follow one another, and the history has every change once."""
    program.run()
    launch_id = ""
    for number, off in enumerate((*offs, None)):
        launch_id = rename(api, 5, f"Name {number}")
        result = program.run(**(shifted(off) if off else {}))
        assert (result["state"], any("clock" in warning for warning in result["warnings"])) == ("published", off is not None)
        program.assert_equal(40)
    assert sorted(names_in_history(program, launch_id)) == ["Name 0", "Name 1", "Name 2"]
    assert program.run()["state"] == "unchanged"
    numbers = [run["number"] for run in json.loads(program("runs", "--json").stdout)]
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(numbers)) == len(numbers)


def test_databases_without_numbers_are_migrated(program: Program, api: SampleApi) -> None:
    program.run()
    program.login.query("ALTER TABLE pipeline_runs DROP COLUMN `number`, DROP COLUMN `command`")
    before = json.loads(program.object("manifests/latest.json"))["manifest"]
    launch_id = rename(api, 5, "Renamed")
    assert program.run()["state"] == "published"
    program.assert_equal(40)
    assert names_in_history(program, launch_id) == ["Renamed"]
    numbers = dict(program.login.query("SELECT run_id, number FROM pipeline_runs"))
    assert sorted(numbers.values()) == list(range(1, len(numbers) + 1))
    assert numbers[before.removeprefix("manifests/run=").removesuffix(".json")] == 1


def test_a_database_from_a_backup_gets_numbers_above_the_manifest_s(program: Program, api: SampleApi) -> None:
    for number in range(3):
        rename(api, 5, f"Name {number}")
        program.run()
    program.login.query("DELETE FROM pipeline_runs WHERE number > 1")
    launch_id = rename(api, 5, "Name 3")
    assert program.run()["number"] > 3
    program.assert_equal(40)
    assert len(names_in_history(program, launch_id)) == 3  # all but the first publication's


# --- values that were altered between runs ----------------------------------------------------------------------------

ALTERED = {
    "a value": "UPDATE launches SET name = 'altered' WHERE flight_number = 10",
    "a value and its hash": "UPDATE launches SET name = 'altered', row_hash = REPEAT('0', 32) WHERE flight_number = 10",
    "a hash alone": "UPDATE launches SET row_hash = REPEAT('0', 32) WHERE flight_number = 10",
    "a value to null": "UPDATE launch_payloads SET mass_kg = NULL WHERE launch_year = 2016",
    "a row gone, a row doubled elsewhere": "UPDATE launch_cores SET launch_id = 'other' WHERE launch_year = 2013 LIMIT 1",
    "history": "UPDATE launch_changes SET new_value = 'altered'",
    "a year": "UPDATE launches SET launch_year = 1999 WHERE flight_number = 10",
}


@pytest.mark.parametrize("statement", ALTERED.values(), ids=ALTERED)
def test_what_was_altered_in_mysql_is_found_and_repaired_by_an_unchanged_run(
    program: Program, api: SampleApi, statement: str
) -> None:
    program.run()
    rename(api, 5, "Renamed")
    program.run()
    good = {table: program.in_mysql(table) for table in ("launches", "launch_cores", "launch_payloads", "launch_changes")}
    program.login.query(statement)
    result = program.run()
    assert result["repaired"]
    assert all(place.startswith("MySQL ") for place in result["repaired"])
    assert {table: program.in_mysql(table) for table in good} == good
    program.assert_equal(40)
    assert program.run()["state"] == "unchanged"


GARBAGE = {
    "an unknown state": "UPDATE pipeline_runs SET state = 'nonsense'",
    "no state": "UPDATE pipeline_runs SET state = NULL",
    "no times": "UPDATE pipeline_runs SET started_at = NULL, finished_at = NULL",
    "texts that are no JSON": "UPDATE pipeline_runs SET rows_by_table = '[[[', stage_seconds = '7', error = NULL",
    "numbers that are no order": "UPDATE pipeline_runs SET number = -5",
    "no rows": "DELETE FROM pipeline_runs",
}


@pytest.mark.parametrize("statement", GARBAGE.values(), ids=GARBAGE)
def test_whatever_stands_in_pipeline_runs_ends_no_command(program: Program, api: SampleApi, statement: str) -> None:
    program.run()
    program.login.query(statement)
    program("runs", "--json")
    program("report", "--json", "--out", "/dev/null")
    launch_id = rename(api, 5, "Renamed")
    assert program.run()["state"] == "published"
    program.assert_equal(40)
    assert names_in_history(program, launch_id) == ["Renamed"]
    assert program.run()["state"] == "unchanged"


# --- a bucket that is not what it was ---------------------------------------------------------------------------------


def copy_bucket(program: Program) -> None:
    """The same bytes under new versions, as after a copy of the bucket to another one and back; the old versions are gone."""
    s3 = program.aws.client("s3")
    old = program.versions()
    for key in list(program.keys()):  # the bucket's
        body = s3.get_object(Bucket=program.bucket, Key=key)
        s3.put_object(Bucket=program.bucket, Key=key, Body=body["Body"].read(), Metadata=body["Metadata"])
    for key, version in old:
        s3.delete_object(Bucket=program.bucket, Key=key, VersionId=version)


def test_a_bucket_restored_by_copying_is_repaired_by_the_next_run(program: Program, api: SampleApi) -> None:
    program.run()
    launch_id = rename(api, 5, "Renamed")
    program.run()
    copy_bucket(program)
    result = program.run()
    assert (result["state"], bool(result["repaired"])) == ("published", True)
    program.assert_equal(40)
    assert names_in_history(program, launch_id) == ["Renamed"]
    assert program.run()["state"] == "unchanged"


def test_a_bucket_restored_by_copying_is_healed_without_the_source(program: Program, api: SampleApi) -> None:
    program.run()
    launch_id = rename(api, 5, "Renamed")
    program.run()
    copy_bucket(program)
    assert "another version" in str(program("verify", "--json", code=8).result["error"])
    api.set("launches", [])
    healed = program("verify", "--heal", "--json", code=None).result
    assert names_in_history(program, launch_id) == ["Renamed"]
    assert all("raw/" in place for place in [healed["error"] or "raw/"])  # what the archive named is gone, and named; no more
    program.run(code=4)  # nothing was published from the empty answer


def spoil(program: Program, key: str, body: bytes) -> None:
    program.aws.client("s3").put_object(Bucket=program.bucket, Key=key, Body=body)


def pointer(program: Program) -> dict[str, Any]:
    return dict(json.loads(program.object("manifests/latest.json")))


SPOILED = {
    "a pointer of brackets": lambda p: spoil(p, "manifests/latest.json", b"[" * 100_000),
    "an empty pointer": lambda p: spoil(p, "manifests/latest.json", b""),
    "a pointer to nothing": lambda p: spoil(
        p, "manifests/latest.json", json.dumps({**pointer(p), "manifest": "manifests/run=x.json"}).encode()
    ),
    "a pointer that is gone": lambda p: p.aws.client("s3").delete_object(Bucket=p.bucket, Key="manifests/latest.json"),
    "a manifest of other bytes": lambda p: spoil(p, pointer(p)["manifest"], p.object(pointer(p)["manifest"]) + b" "),
    "a manifest of brackets": lambda p: spoil(p, pointer(p)["manifest"], b"[" * 100_000),
    "a partition that is no Parquet": lambda p: spoil(p, "launches/year=2016/launches.parquet", b"PAR1 not at all PAR1"),
    "a partition of another table": lambda p: spoil(
        p, "launches/year=2016/launches.parquet", p.object("launch_payloads/year=2016/launch_payloads.parquet")
    ),
    "history that is no Parquet": lambda p: [spoil(p, key, b"PAR1") for key in p.keys("launch_changes/")],
}


@pytest.mark.parametrize("how", SPOILED.values(), ids=SPOILED)
def test_what_can_not_be_read_in_s3_is_repaired_by_the_next_run(program: Program, api: SampleApi, how: Any) -> None:
    program.run()
    launch_id = rename(api, 5, "Renamed")
    program.run()
    how(program)
    for command in ("plan", "report"):
        program(command, "--json", *(["--out", "/dev/null"] if command == "report" else []))
    result = program.run()
    assert (result["state"], bool(result["repaired"]) or bool(result["warnings"])) == ("published", True)
    program.assert_equal(40)
    assert names_in_history(program, launch_id) == ["Renamed"]
    assert program.run()["state"] == "unchanged"


@pytest.mark.parametrize("how", SPOILED.values(), ids=SPOILED)
def test_what_can_not_be_read_in_s3_is_healed_from_what_is_left(program: Program, api: SampleApi, how: Any) -> None:
    program.run()
    launch_id = rename(api, 5, "Renamed")
    program.run()
    how(program)
    api.set("launches", [])  # the source is no help
    assert program("verify", "--json", code=8).result["error"]
    assert program("verify", "--heal", "--json").result["state"] == "healed"
    program.assert_equal(40)
    assert names_in_history(program, launch_id) == ["Renamed"]


def test_a_lost_version_of_a_partition_and_an_altered_table_beside_it_are_healed_from_the_archive(
    program: Program, api: SampleApi
) -> None:
    program.run()
    s3 = program.aws.client("s3")
    key = "launches/year=2016/launches.parquet"
    for name, version in program.versions(key):
        s3.delete_object(Bucket=program.bucket, Key=name, VersionId=version)
    program.login.query("UPDATE launches SET name = 'altered' WHERE launch_year = 2016")
    api.set("launches", [])
    program("verify", "--heal", "--json")
    program.assert_equal(40)


def test_a_spoiled_archive_is_fetched_again_and_spoils_nothing(program: Program, api: SampleApi) -> None:
    """Another endpoint changed, so the run needs what the first archived of this one."""
    program.run()
    raw = next(key for key in program.keys("raw/") if "/launches-1" in key)
    s3 = program.aws.client("s3")
    for key, version in program.versions(raw):
        s3.delete_object(Bucket=program.bucket, Key=key, VersionId=version)
    rockets = json.loads(api.body("v4/rockets"))
    rockets[0]["name"] = "Renamed"
    api.set("rockets", rockets)
    result = program.run()
    assert any("fetched again" in warning for warning in result["warnings"])
    program.assert_equal(40)


def test_what_neither_store_nor_archive_holds_is_named_and_the_rest_goes_on(program: Program, api: SampleApi) -> None:
    program.run()
    s3 = program.aws.client("s3")
    for key, version in [*program.versions("launches/year=2016/"), *program.versions("raw/")]:
        s3.delete_object(Bucket=program.bucket, Key=key, VersionId=version)
    program.login.query("UPDATE launches SET name = 'altered' WHERE launch_year = 2016")
    program.login.query("UPDATE launch_payloads SET name = 'altered' WHERE launch_year = 2018")
    healed = program("verify", "--heal", "--json", code=8).result
    assert "launches 2016" in str(healed["warnings"]) + str(healed["error"])
    assert not [row for row in program.in_mysql("launch_payloads") if row["name"] == "altered"]
    assert program.run()["state"] == "published"
    program.assert_equal(40)


# --- what a failed run reports ----------------------------------------------------------------------------------------


def test_a_run_that_is_rolled_back_says_that_nothing_was_merged_and_how_many_objects_were_put(
    program: Program, api: SampleApi
) -> None:
    program.run()
    program.login.query(
        "CREATE TRIGGER altered BEFORE UPDATE ON launches FOR EACH ROW SET NEW.name = CONCAT(NEW.name, ' altered')"
    )
    rename(api, 5, "Renamed")
    before = program.versions("launch")
    result = program.run(code=8)
    put = len(program.versions("launch") - before)
    assert (result["merged"], result["files_written"]) == ({}, put)
    assert result["rows"]["launches"] == 40
    recorded = json.loads(program("runs", "show", result["run_id"], "--json").stdout)[0]
    assert recorded["rows_by_table"]["launches"] == {"total": 40}
    assert "readers by path" in " ".join(result["warnings"])
    program.login.query("DROP TRIGGER altered")
    program.run()
    program.assert_equal(40)
