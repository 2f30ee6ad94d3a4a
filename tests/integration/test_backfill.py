"""`replay` of many runs into another place: in turn, or at once in processes; the tables are those of the runs themselves."""

import copy
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from signal import SIGALRM, SIGKILL, SIGTERM
from typing import Any

import pytest

from tests.archive import make_archive
from tests.program import Program
from tests.sample_api import SampleApi
from tests.sample_api.records import FEW, few
from tests.services import AwsEndpoint, Login, create_database, drop_database

Records = list[dict[str, Any]]
Files = dict[tuple[str, int], tuple[str, str, int]]


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
        settings = {
            **os.environ,
            **aws.environment(),
            **login.environment(),
            "S3_BUCKET": bucket,
            "SOURCE": "spacex",
            "SOURCE_URL": api.url,
        }
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
        made.append(login)
        settings = {**original.program.environment, "S3_PREFIX": database, "MYSQL_DATABASE": database}
        return Program(settings, original.program.aws, login)

    yield make
    for login in made:
        mysql.query(f"DROP DATABASE `{login.database}`")


def named(program: Program) -> Files:
    """What the manifest names: ETag, digest and rows of each file."""
    prefix = program.environment.get("S3_PREFIX", "")
    here = f"{prefix}/" if prefix else ""
    pointer = json.loads(program.object(f"{here}manifests/latest.json"))
    manifest = json.loads(program.object(f"{here}{pointer['manifest']}"))
    return {(file["table"], file["year"]): (file["etag"], file["digest"], file["rows"]) for file in manifest["files"]}


def place(there: Program) -> tuple[str, ...]:
    return ("--to-prefix", there.environment["S3_PREFIX"], "--to-database", there.environment["MYSQL_DATABASE"], "--json")


ALL = ("replay", "--from", "2020-01-01")


@pytest.mark.parametrize("options", [(), ("--processes", "2")], ids=str)
def test_a_replay_elsewhere_gives_the_tables_of_the_runs_themselves(
    original: Original, elsewhere: Callable[[], Program], options: tuple[str, ...]
) -> None:
    there = elsewhere()
    result = original.program(*ALL, *place(there), *options).result
    assert result["replayed"][-1]["replayed_run_id"] == original.run_ids[-1]
    assert result["retained"] == 1
    assert named(there) == original.files[-1]
    assert {row["run_id"] for row in there.in_mysql("launch_changes")} <= set(original.run_ids[1:])
    assert there("verify", "--json").result["state"] == "verified"
    again = original.program(*ALL, *place(there), *options).result  # it begins where the place is already
    assert again["rows"] == result["rows"]
    assert (len(again["replayed"]), again["merged"]) == (1, {})
    assert named(there) == original.files[-1]


@pytest.mark.parametrize(("options", "stopped_after"), [((), 1), (("--processes", "2"), 3)], ids=str)
def test_a_replay_goes_on_where_one_before_it_stopped(
    original: Original, elsewhere: Callable[[], Program], options: tuple[str, ...], stopped_after: int
) -> None:
    """In the middle there is a launch that is rejected, and keeps what the run before it had received."""
    there = elsewhere()
    for run_id in original.run_ids[:stopped_after]:
        original.program("replay", run_id, *place(there))
    assert named(there) == original.files[stopped_after - 1]
    original.program(*ALL, *place(there), *options)
    assert named(there) == original.files[-1]


def test_what_shrank_step_by_step_is_let_through_as_its_runs_were(
    mysql: Login, aws: AwsEndpoint, settings_env: dict[str, str], database: Login
) -> None:
    with SampleApi(n=FEW, launch=few) as api:
        program = Program({**settings_env, "SOURCE_URL": api.url}, aws, database)
        records, run_ids = [few(number) for number in range(FEW)], []
        for _ in range(4):
            api.set("launches", records)
            run_ids.append(program.run()["run_id"])
            del records[:3]  # so many may go at once
    for options in ((), ("--processes", "2")):
        name = f"test{secrets.token_hex(6)}"
        login = create_database(mysql, name, database.user, database.password)
        there = Program({**program.environment, "S3_PREFIX": name, "MYSQL_DATABASE": name}, aws, login)
        program("replay", run_ids[0], *place(there))
        program(*ALL, *place(there), *options)
        assert named(there) == named(program)
        mysql.query(f"DROP DATABASE `{name}`")


def test_what_a_place_holds_already_is_not_written_into_its_history_twice(
    original: Original, elsewhere: Callable[[], Program]
) -> None:
    there = elsewhere()
    original.program("replay", original.run_ids[1], *place(there))
    versions = there.versions()
    error = original.program("replay", original.run_ids[0], *place(there), code=5).result["error"]
    assert f"is further on: it holds run {original.run_ids[1]}" in error
    assert there.versions() == versions


def test_a_replay_in_processes_is_for_a_range_elsewhere(original: Original) -> None:
    for arguments in (ALL, ("replay", original.run_ids[0], "--to-prefix", "a", "--to-database", "b"), ("replay",)):
        assert "Usage" in original.program(*arguments, "--processes", "2", code=2).stderr
    assert original.program(*ALL, "--to-prefix", "a", "--to-database", "b", "--processes", "0", code=2)


STOPS = (
    ("worker", SIGKILL, 1, "was ended by SIGKILL"),
    ("program", SIGTERM, 143, "stopped by SIGTERM"),
    ("program", SIGALRM, 1, "RUN_TIMEOUT_S"),
    ("program", SIGKILL, -SIGKILL, ""),
)


def test_a_replay_in_processes_that_is_stopped_leaves_nothing_published_and_can_be_repeated(
    original: Original, elsewhere: Callable[[], Program]
) -> None:
    there = elsewhere()
    command = (*ALL, *place(there), "--processes", "2")
    for victim, number, code, said in STOPS:
        process = original.program.start(*command)
        workers = wait_for_workers(process.pid)
        os.kill(workers[0] if victim == "worker" else process.pid, number)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == code
        assert not said or said in json.loads(out)["error"]
        wait_until(lambda: not any(map(is_alive, workers)))  # noqa: B023  # it is called at once
    assert not [key for key in there.keys(f"{there.environment['S3_PREFIX']}/") if "manifest" in key]
    original.program(*command)
    assert named(there) == original.files[-1]


def test_a_replay_in_processes_that_ended_between_commit_and_manifest_is_completed_by_the_next(
    original: Original, elsewhere: Callable[[], Program]
) -> None:
    there, s3 = elsewhere(), original.program.aws.client("s3")
    command = (*ALL, *place(there), "--processes", "2")
    original.program(*command)
    for key in there.keys(f"{there.environment['S3_PREFIX']}/manifests/"):
        s3.delete_object(Bucket=there.bucket, Key=key)
    there.login.query("UPDATE pipeline_runs SET state = 'merged'")
    original.program(*command)
    assert named(there) == original.files[-1]


def wait_for_workers(pid: int) -> list[int]:
    found: list[int] = []

    def are_there() -> bool:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        found[:] = [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
        return len(found) == 2

    wait_until(are_there)
    return found


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def test_changes_on_top_of_everything_are_followed_too(mysql: Login, aws: AwsEndpoint) -> None:
    """Launch Library's answers: what changed, on top of bodies that earlier runs archived."""
    name, bucket = f"test{secrets.token_hex(6)}", f"test-{secrets.token_hex(8)}"
    login = create_database(mysql, name, name, secrets.token_hex(12))
    other = create_database(mysql, f"{name}b", login.user, login.password)
    aws.create_bucket(bucket)
    settings = {**os.environ, **aws.environment(), **login.environment(), "S3_BUCKET": bucket, "SOURCE": "launch_library"}
    make_archive(settings, runs=8, launches=20)
    program = Program(settings, aws, login)
    there = Program({**settings, "S3_PREFIX": "there", "MYSQL_DATABASE": other.database}, aws, other)
    assert program.manifest()["endpoints"]["launches"]["objects"][1:]
    program(*ALL, *place(there), "--processes", "2")
    assert named(there) == named(program)
    assert there.in_mysql("launch_changes")
    mysql.query(f"DROP DATABASE `{other.database}`")
    drop_database(mysql, login)
