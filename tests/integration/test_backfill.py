"""`replay` of many runs into another place: in turn, or at once in processes; the tables are those of the runs themselves."""

import copy
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.program import Ended, Program
from tests.sample_api import SampleApi
from tests.sample_api.records import FEW, few
from tests.services import AwsEndpoint, Login, create_database, drop_database

Records = list[dict[str, Any]]
Files = dict[tuple[str, int], tuple[str, str, int]]
RUNS = 9


def steps(records: Records) -> Iterator[Records]:
    """What the API sends from hour to hour."""
    yield records
    records = copy.deepcopy(records)
    records[3]["name"] = "Renamed"
    yield records
    yield [*records[:5], {**records[5], "flight_number": "many"}, *records[6:]]  # a reject, which keeps its last good row
    records[5]["details"] = "changed while it was rejected"
    records[7]["date_utc"] = "2031-01-01T00:00:00.000Z"  # to another year
    yield records
    gone = records.pop(9)
    yield records
    yield [*records[:2], {**records[2], "id": "no / id"}, *records[3:]]  # nothing is absent now
    yield [*records, gone, {**records[4], "details": "the last counts"}]  # back again, and an id twice
    records.append(gone)
    records[1]["cores"] = []  # a child alone changes
    yield records
    yield [*records[:1], {**records[1], "flight_number": "many"}, *records[2:]]  # the last good row is that of the run before


@dataclass(frozen=True)
class Original:
    """A place with its runs, and what its tables held after each."""

    program: Program
    run_ids: list[str]
    files: list[Files]


@pytest.fixture(scope="module")
def original(mysql: Login, aws: AwsEndpoint) -> Iterator[Original]:
    """Nine runs that each found something new."""
    name = f"test{secrets.token_hex(6)}"
    login, bucket = create_database(mysql, name, name, secrets.token_hex(12)), f"test-{secrets.token_hex(8)}"
    aws.create_bucket(bucket)
    with SampleApi(n=FEW, launch=few) as api:
        settings = {**aws.environment(), **login.environment(), "S3_BUCKET": bucket, "SOURCE": "spacex", "SOURCE_URL": api.url}
        program = Program(settings, aws, login)
        run_ids, files = [], []
        for records in steps([few(number) for number in range(FEW)]):
            api.set("launches", records)
            run_ids.append(program.run()["run_id"])
            files.append(named(program))
        yield Original(program, run_ids, files)
    drop_database(mysql, login)


@pytest.fixture
def elsewhere(original: Original, mysql: Login) -> Iterator[Callable[[], Program]]:
    """Makes other places, with nothing in them."""
    made = []

    def make() -> Program:
        database = f"test{secrets.token_hex(6)}"
        login = create_database(mysql, database, original.program.login.user, original.program.login.password)
        made.append(replace(login, user=mysql.user))
        settings = {**original.program.environment, "S3_PREFIX": database, "MYSQL_DATABASE": database}
        return Program(settings, original.program.aws, login)

    yield make
    for login in made:
        mysql.query(f"DROP DATABASE `{login.database}`")


def named(program: Program) -> Files:
    """What the manifest names: ETag, digest and rows of each file."""
    prefix = program.environment.get("S3_PREFIX", "")
    here = f"{prefix}/" if prefix else ""
    import json

    pointer = json.loads(program.object(f"{here}manifests/latest.json"))
    manifest = json.loads(program.object(f"{here}{pointer['manifest']}"))
    return {(file["table"], file["year"]): (file["etag"], file["digest"], file["rows"]) for file in manifest["files"]}


def replay(original: Original, there: Program, *options: str, code: int = 0) -> Ended:
    place = ("--to-prefix", there.environment["S3_PREFIX"], "--to-database", there.environment["MYSQL_DATABASE"])
    return original.program("replay", "--from", "2020-01-01", *place, *options, "--json", code=code)


@pytest.mark.parametrize("options", [(), ("--processes", "1"), ("--processes", "2")], ids=str)
def test_a_replay_elsewhere_gives_the_tables_of_the_runs_themselves(
    original: Original, elsewhere: Callable[[], Program], options: tuple[str, ...]
) -> None:
    there = elsewhere()
    result = replay(original, there, *options).result
    assert result["replayed"][-1]["replayed_run_id"] == original.run_ids[-1]
    assert named(there) == original.files[-1]
    assert there("verify", "--json").result["state"] == "verified"
