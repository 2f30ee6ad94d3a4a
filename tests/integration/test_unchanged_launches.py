"""A change costs what changed, and comes to what validating everything comes to: rows, digests and counts."""

import json
import secrets
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from tests.program import Ended, Program
from tests.sample_api import SampleApi
from tests.sample_api.records import FEW, few
from tests.services import Login, create_database, drop_database
from tests.services.proxy import Proxy

Records = list[dict[str, Any]]
COUNTS = ("rejected", "rejected_ids", "lookups", "unknown_fields", "notes", "newest_launch_utc")


class Fresh:
    """A place that holds nothing, where a first run validates everything that the API has now."""

    def __init__(self, program: Program, mysql: Login) -> None:
        self._program, self._mysql = program, mysql

    def state(self, *arguments: str) -> dict[str, Any]:
        name = f"fresh{secrets.token_hex(6)}"
        login = create_database(self._mysql, name, name, secrets.token_hex(8))
        prefix = {"S3_PREFIX": f"{name}/"}
        fresh = Program({**self._program.environment, **login.environment(), **prefix}, self._program.aws, login)
        fresh.run(*arguments)
        pointer = json.loads(fresh.object(f"{name}/manifests/latest.json"))
        drop_database(self._mysql, login)
        return state_of(json.loads(fresh.object(f"{name}/{pointer['manifest']}")))


@pytest.fixture(autouse=True)
def shrinks(program: Program) -> None:
    """Few launches have few rows: what goes is soon a tenth of them."""
    program.environment["MAX_SHRINK_RATIO"] = "1"


@pytest.fixture
def fresh(program: Program, mysql: Login) -> Fresh:
    return Fresh(program, mysql)


def state_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """What a snapshot comes to, wherever and by whatever run: the history is of the runs."""
    of_launches = [file for file in manifest["files"] if file["table"] != "launch_changes"]
    files = {(file["table"], file["year"]): (file["rows"], file["digest"], file["etag"]) for file in of_launches}
    return {"files": files} | {name: manifest[name] for name in COUNTS}


def validated(ended: Ended) -> list[str]:
    """Which launches were validated; both, where not all could be taken over."""
    return [line["validated"] for line in ended.lines if "validated" in line]


def launches(api: SampleApi) -> Records:
    return list(json.loads(api.body("v5/launches")))


def lookups(api: SampleApi, kind: str) -> Records:
    return list(json.loads(api.body(f"v4/{kind}")))


def rename(api: SampleApi, place: int = 20) -> None:
    records = launches(api)
    records[place]["name"] = f"Renamed {secrets.token_hex(4)}"
    api.set("launches", records)


def changed_only(program: Program, fresh: Fresh, *arguments: str) -> None:
    """The next run validates what changed alone, and comes to what a first run comes to."""
    ended = program("run", *arguments)
    assert validated(ended) == ["changed"]
    assert state_of(program.manifest()) == fresh.state(*arguments)


def everything(program: Program, fresh: Fresh, *arguments: str) -> None:
    ended = program("run", *arguments)
    assert validated(ended)[-1] == "all"
    warnings = [line["message"] for line in ended.lines if line["level"] == "WARNING"]
    assert len(set(warnings)) == len(warnings)
    assert state_of(program.manifest()) == fresh.state(*arguments)
    program.assert_equal()


def moved(records: Records) -> None:
    records[20]["date_utc"] = "2031-01-02T03:04:05.000Z"


def gone(records: Records) -> None:
    del records[10]


def newest_gone(records: Records) -> None:
    past = [record for record in records if not record["upcoming"]]
    records.remove(max(past, key=lambda record: record["date_utc"]))


def first_of_its_year(records: Records) -> None:
    records.append({"id": "new-one", "name": "New", "date_utc": "1999-01-01T00:00:00Z", "upcoming": True})


def fewer_parts(records: Records) -> None:
    for record in records[15:20]:
        record["cores"], record["payloads"] = record["cores"][:-1], []


def unknown(records: Records) -> None:
    records[3]["surprise"], records[4]["date_precision"] = 1, "fortnight"


def rejected(records: Records) -> None:
    records.append({"id": "bad-one", "name": 7, "date_utc": "2020-01-01T00:00:00Z"})


CHANGES = (moved, gone, newest_gone, first_of_its_year, fewer_parts, unknown, rejected)


def test_what_changed_is_validated_alone(program: Program, api: SampleApi, fresh: Fresh) -> None:
    """One change after another, with all that was odd before still there; and then everything as it was."""
    program.run()
    before = launches(api)
    for change in (*CHANGES, lambda records: records.__setitem__(slice(None), before)):
        records = launches(api)
        change(records)
        api.set("launches", records)
        changed_only(program, fresh)
    program.assert_equal()
    plan = program("plan", "--json").result["plan"]  # which looks at everything
    assert (plan["load"], plan["put"], plan["delete"], plan["changes"]) == ([], [], [], [])


def test_lookups_that_changed_make_their_launches_changed(program: Program, api: SampleApi, fresh: Fresh) -> None:
    program.run()
    named = json.dumps(launches(api))
    for kind in ("rockets", "launchpads", "cores", "landpads", "payloads", "crew"):
        records = lookups(api, kind)
        few_name = [record for record in records if 0 < named.count(record["id"]) < FEW // 4]
        one, another = (few_name * 2)[:2]
        one[next(field for field in ("serial", "name") if field in one)] = "Renamed"
        records.remove(another)
        api.set(kind, records)
        changed_only(program, fresh)
    program.assert_equal()


def test_an_id_in_another_spelling_is_found(program: Program, api: SampleApi, fresh: Fresh) -> None:
    records, pads = launches(api), lookups(api, "launchpads")
    pad = records[5]["launchpad"]
    text = json.dumps(records).replace(f'"{pad}"', f'"\\u00{ord(pad[0]):02x}{pad[1:]}"', 1)
    api.set("launches", text.encode())
    program.run()
    next(one for one in pads if one["id"] == pad)["name"] = "Renamed"
    api.set("launchpads", pads)
    program.run()
    assert state_of(program.manifest()) == fresh.state()


def other_code(program: Program, api: SampleApi) -> None:
    rename(api)
    program.put_manifest(program.manifest() | {"code": "another"})


def twice(program: Program, api: SampleApi) -> None:
    records = launches(api)
    api.set("launches", [*records, records[7] | {"name": "Again"}])


def without_an_id(program: Program, api: SampleApi) -> None:
    records = launches(api)
    api.set("launches", [*records, {"name": "Nobody", "date_utc": "2020-01-01T00:00:00Z"}])


def very_many(program: Program, api: SampleApi) -> None:
    api.set("launches", [record | {"name": "All"} for record in launches(api)])


def raw_body_gone(program: Program, api: SampleApi) -> None:
    rename(api)
    s3 = program.aws.client("s3")
    for raw in program.manifest()["endpoints"]["launches"]["objects"]:
        s3.delete_object(Bucket=program.bucket, Key=raw["key"], VersionId=raw["version_id"])


def partition_gone(program: Program, api: SampleApi) -> None:
    """From both stores: what the unchanged launches of that year were is known no more."""
    rename(api)
    name = launches(api)[20]["name"]
    (year,) = {record["date_utc"][:4] for record in launches(api) if record["name"] == name}
    (file,) = (f for f in program.manifest()["files"] if (f["table"], f["year"]) == ("launches", int(year)))
    program.aws.client("s3").delete_object(Bucket=program.bucket, Key=file["key"], VersionId=file["version_id"])
    program.login.query(f"UPDATE launches SET details = 'altered' WHERE launch_year = {year}")


def very_odd(program: Program, api: SampleApi) -> None:
    """Of so many unknown fields not all are counted; where some go, others would have to be."""
    records = launches(api)
    records[3] |= {f"odd_{number}": 1 for number in range(1010)}
    api.set("launches", records)
    program.run()
    rename(api)


def very_many_lookups(program: Program, api: SampleApi) -> None:
    api.set("payloads", [record | {"name": "Renamed"} for record in lookups(api, "payloads")])


DOUBTS: dict[str, Callable[[Program, SampleApi], None]] = {
    "made by other code": other_code,
    "an id twice": twice,
    "a record without a readable id": without_an_id,
    "more than a tenth changed": very_many,
    "more than a hundred lookups changed": very_many_lookups,
    "a raw body is gone": raw_body_gone,
    "more unknown fields than are counted": very_odd,
    "a partition is gone from both stores": partition_gone,
}


@pytest.mark.parametrize("doubt", DOUBTS.values(), ids=list(DOUBTS))
def test_where_it_is_in_doubt_everything_is_validated_in_the_same_run(
    program: Program, api: SampleApi, fresh: Fresh, doubt: Callable[[Program, SampleApi], None]
) -> None:
    records = launches(api)
    unknown(records)  # so that there is something to warn of
    api.set("launches", records)
    program.run()
    doubt(program, api)
    everything(program, fresh)


def test_a_replay_validates_everything(program: Program, api: SampleApi) -> None:
    run_id = program.run()["run_id"]
    rename(api)
    program.run()
    assert validated(program("replay", run_id)) == ["all"]
    program.assert_equal(FEW)


def test_rows_that_are_kept_of_a_rejected_launch_are_what_they_were(program: Program, api: SampleApi, fresh: Fresh) -> None:
    program.run()
    before = program.in_mysql("launches")
    records = launches(api)
    api.set("launches", [record if place != 20 else record | {"name": 7} for place, record in enumerate(records)])
    ended = program("run")
    assert (validated(ended), program.manifest()["retained_ids"]) == (["changed"], [records[20]["id"]])
    assert program.in_mysql("launches") == before
    rename(api, 3)
    assert validated(program("run")) == ["all"]  # what is kept is in no record
    program.assert_equal(FEW)
    api.set("launches", records)
    everything(program, fresh)


def test_a_launch_that_can_not_be_read_is_not_taken_for_one_that_is_gone(program: Program, api: SampleApi) -> None:
    """A number of so many digits hides the id from validation, but not from the comparison."""
    program.run()
    before = program.in_mysql("launches")
    api.set("launches", json.dumps(launches(api)).replace('"flight_number": 21,', f'"flight_number": {"1" * 5000},', 1).encode())
    assert validated(program("run")) == ["all"]
    assert program.in_mysql("launches") == before


def test_files_of_manifests_that_know_no_digests_are_taken_over_too(program: Program, api: SampleApi, fresh: Fresh) -> None:
    program.run()
    rename(api)
    manifest = program.manifest()
    program.put_manifest(manifest | {"files": [{**file, "sha256": ""} for file in manifest["files"]]})
    changed_only(program, fresh)
    program.assert_equal()


@pytest.mark.parametrize("store", ["MySQL", "S3"])
def test_what_was_altered_is_repaired_beside(program: Program, api: SampleApi, fresh: Fresh, store: str) -> None:
    """In the year that the run writes, and in all others."""
    program.run()
    if store == "MySQL":
        program.login.query("UPDATE launches SET details = 'altered'")
        program.login.query("DELETE FROM launch_cores")
    else:
        for key in program.keys("launch"):  # of all tables
            program.aws.client("s3").put_object(Bucket=program.bucket, Key=key, Body=b"altered")
    rename(api)
    changed_only(program, fresh)
    program.assert_equal()


def test_only_what_changed_is_loaded_and_only_its_tables_are_read(program: Program, api: SampleApi) -> None:
    program.run()
    rename(api)
    gone = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with Proxy("127.0.0.1", int(program.aws.url.rpartition(":")[2])) as proxy:
        proxy.answer(b"^GET /[^/]+/launch_(cores|payloads|crew|failures)/", gone, times=1000)
        ended = program("run", AWS_ENDPOINT_URL=proxy.url)
    assert (validated(ended), proxy.answered) == (["changed"], 0)
    merged = next(line for line in ended.lines if line.get("stage") == "merge")
    assert merged["launches"] == {"inserted": 0, "updated": 1, "deleted": 0}
    # Of the other tables nothing is loaded, but the history.
    assert set(merged) & {"launch_cores", "launch_payloads", "launch_crew", "launch_failures"} == set()


@pytest.mark.parametrize("seed", range(2))
def test_any_changes_come_to_what_a_first_run_comes_to(program: Program, api: SampleApi, fresh: Fresh, seed: int) -> None:
    random = Random(seed)
    program.run()
    for _ in range(4):
        records = launches(api)
        for _ in range(random.randint(1, 6)):
            place = random.randrange(len(records))
            change = random.choice(("name", "date", "cores", "drop", "back"))
            if change == "name":
                records[place]["name"] = f"Name {random.random()}"
            elif change == "date":
                records[place]["date_utc"] = f"{random.randint(2006, 2024)}-03-01T00:00:00.000Z"
            elif change == "cores":
                records[place]["cores"] = few(random.randrange(FEW))["cores"]
            elif change == "drop" and len(records) > FEW - 3:
                del records[place]
            elif change == "back":
                records.append(few(random.randrange(FEW)) | {"id": f"back-{random.randrange(10**6)}"})
        random.shuffle(records)
        api.set("launches", records)
        changed_only(program, fresh)
    program.assert_equal()
