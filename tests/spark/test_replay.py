"""`replay` on Spark: the tables of the original runs, to the byte, wherever it begins and ends and whoever is killed.

FULL=1 makes an archive of 500 runs, and tries all sizes of chunks; else it has 50.
"""

import ast
import json
import os
import re
import resource
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from app.core.schema import TABLES
from tests.archive import make_archive
from tests.program import Program
from tests.services import AwsEndpoint, Login, create_database
from tests.services.certificates import make_certificates
from tests.spark import job
from tests.spark.cluster import ROOT, Cluster, end_session

FULL = os.environ.get("FULL", "0") not in {"", "0"}
RUNS = 500 if FULL else 50
LAUNCHES = 205
ENDS_ON_REJECT = ("2026-01-02", "20260102T230000Z-00000000")  # a day, and its last run
RUN_TIMEOUT_S = "3600"
DRIVER = ROOT / "integrations/spark/replay.py"

Files = dict[tuple[str, int], tuple[str, str, int]]


@dataclass
class World:
    """An archive of many runs, a cluster, and other places to replay into."""

    home: Program
    cluster: Cluster
    mysql: Login
    run_ids: list[str]
    places: int = 0
    table: list[str] = field(default_factory=list)

    def place(self) -> Program:
        """One with nothing in it."""
        self.places += 1
        name = f"place{self.places}"
        login = create_database(self.mysql, name, self.home.login.user, self.home.login.password)
        return Program({**self.home.environment, "S3_PREFIX": name, "MYSQL_DATABASE": name}, self.home.aws, login)

    def command(self, there: Program, *options: str, since: str = "2026-01-01") -> tuple[str, ...]:
        place = ("--to-prefix", there.environment["S3_PREFIX"], "--to-database", there.environment["MYSQL_DATABASE"])
        return ("--from", since, *place, *options)

    def start(self, there: Program, *options: str, workers: int = 2, since: str = "2026-01-01") -> Any:
        """Start a replay on so many of the workers."""
        passed = {name: value for name, value in self.home.environment.items() if name.startswith(("AWS_", "NO_PROXY"))}
        confs = {f"spark.executorEnv.{name}": value for name, value in passed.items()} | {"spark.cores.max": str(workers)}
        arguments = [text for name, value in confs.items() for text in ("--conf", f"{name}={value}")]
        command = self.command(there, *options, since=since)
        return self.cluster.submit(*command, options=tuple(arguments), environment=self.home.environment)

    def replay(self, there: Program, *options: str, workers: int = 2, since: str = "2026-01-01") -> str:
        """Replay to the end; what was printed."""
        process = self.start(there, *options, workers=workers, since=since)
        out, _ = process.communicate(timeout=3600)
        assert process.returncode == 0, out[-5000:]
        return str(out)

    def files(self, run_id: str) -> Files:
        """What a run of the archive published: ETag, digest and rows of each file."""
        return _files(self.home.object(f"manifests/run={run_id}.json"))


def published(there: Program) -> Files:
    """What a place has published."""
    prefix = there.environment["S3_PREFIX"]
    pointer = json.loads(there.object(f"{prefix}/manifests/latest.json"))
    return _files(there.object(f"{prefix}/{pointer['manifest']}"))


def _files(manifest: bytes) -> Files:
    files = json.loads(manifest)["files"]
    return {(file["table"], file["year"]): (file["etag"], file["digest"], file["rows"]) for file in files}


@pytest.fixture(scope="session")
def world(mysql: Login, aws: AwsEndpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Made once for all."""
    login = create_database(mysql, "home", "home", "made-for-tests")
    aws.create_bucket("spark")
    settings = {**os.environ, **aws.environment(), **login.environment(), "S3_BUCKET": "spark", "SOURCE": "spacex"}
    settings |= {"SOURCE_URL": "http://127.0.0.1:9", "RUN_TIMEOUT_S": RUN_TIMEOUT_S}
    make_archive(settings, RUNS, LAUNCHES)
    home = Program(settings, aws, login)
    names = [Path(key).stem.removeprefix("run=") for key in home.keys("manifests/run=")]
    with Cluster(tmp_path_factory.mktemp("cluster"), workers=2) as cluster:
        found = World(home, cluster, mysql, sorted(names))
        yield found
    if found.table:
        print("\n".join(["", f"{RUNS} runs of {LAUNCHES} launches | wall s | CPU s", *found.table]))


def test_a_range_that_ends_on_a_reject_and_one_that_begins_in_the_middle(world: World) -> None:
    there = world.place()
    day, last = ENDS_ON_REJECT
    out = world.replay(there, "--to", day, "--chunk", "1")
    assert '"retained": 1' in out
    assert published(there) == world.files(last)
    world.replay(there, "--chunk", "25", since=day)
    assert published(there) == world.files(world.run_ids[-1])
    assert there("verify", "--json").result["state"] == "verified"


@pytest.mark.parametrize(("workers", "chunk"), [(w, c) for w in (1, 2) for c in (1, 25, 1000)] if FULL else [(1, 1000)])
def test_any_number_of_workers_and_any_chunk_give_the_tables_of_the_runs(world: World, workers: int, chunk: int) -> None:
    there = world.place()
    wall, cpu = time.monotonic(), world.cluster.cpu_s()
    world.replay(there, "--chunk", str(chunk), workers=workers)
    time.sleep(1)  # until the workers have seen their executors end
    took = time.monotonic() - wall, world.cluster.cpu_s() - cpu
    world.table.append(f"Spark, {workers} workers, chunks of {chunk} | {took[0]:.0f} | {took[1]:.0f} on the workers")
    assert published(there) == world.files(world.run_ids[-1])
    assert len(there.versions(f"{there.environment['S3_PREFIX']}/manifests/run=")) == 1


@pytest.mark.parametrize("options", [(), ("--processes", "1"), ("--processes", "2")] if FULL else [("--processes", "2")], ids=str)
def test_so_do_processes_of_one_machine(world: World, options: tuple[str, ...]) -> None:
    there = world.place()
    wall, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    process = world.home.start("replay", *world.command(there, *options), "--json")
    out, _ = process.communicate(timeout=3600)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert process.returncode == 0, out
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    world.table.append(f"replay {' '.join(options) or 'in turn'} | {time.monotonic() - wall:.0f} | {cpu:.0f}")
    assert published(there) == world.files(world.run_ids[-1])


def test_so_does_a_job_of_emr_serverless_with_its_package(world: World, tmp_path: Path) -> None:
    """The package is all that driver and executors have beside Spark; the password comes from the secret."""
    authorities, *_ = make_certificates(tmp_path)
    package = job.make_package(authorities, tmp_path)
    there, home = world.place(), world.home.login
    secrets = world.home.aws.client("secretsmanager")
    secret = secrets.create_secret(Name="mysql", SecretString=job.login(home.user, home.password))["ARN"]
    settings = {
        name: value
        for name, value in world.home.environment.items()
        if re.match("(AWS|S3|SOURCE|MYSQL)_|SOURCE$|NO_PROXY", name) and name not in {"MYSQL_USER", "MYSQL_PASSWORD"}
    }
    process = job.start(world.cluster, package, settings, world.command(there), secret, tmp_path)
    out, _ = process.communicate(timeout=3600)
    assert process.returncode == 0, out[-5000:]
    assert published(there) == world.files(world.run_ids[-1])
    assert (tmp_path / "environment/rds.pem").read_bytes() == authorities.read_bytes()
    assert not [name for name in ("pyspark", "py4j") if (tmp_path / "environment" / name).exists()]  # Spark brings its own


def test_workers_that_are_killed_in_map_and_in_write_change_nothing_and_nothing_is_put_twice(world: World) -> None:
    there = world.place()
    process = world.start(there, "--chunk", "10")
    wait_for(process, r'"validate done"', r"Finished task")
    first, second = world.cluster.workers
    end_session(first)
    world.cluster.complete()  # another one takes its place
    wait_for(process, r'"backfill done"', r"Finished task")
    end_session(second)
    out, _ = process.communicate(timeout=3600)
    assert process.returncode == 0, out[-5000:]
    assert published(there) == world.files(world.run_ids[-1])
    versions = [key for key, _ in there.versions(f"{there.environment['S3_PREFIX']}/") if "/year=" in key]
    assert len(versions) == len(set(versions)) == len(published(there))
    world.cluster.complete()


def test_a_driver_that_is_killed_before_the_manifest_has_published_nothing_and_is_started_again(world: World) -> None:
    there = world.place()
    process = world.start(there, "--chunk", "1000")
    wait_for(process, r'"backfill done"', r"Finished task")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    prefix = there.environment["S3_PREFIX"]
    assert [key for key in there.keys(f"{prefix}/") if "/year=" in key]
    assert there.keys(f"{prefix}/manifests/") == []
    assert there.in_mysql("launches") == []
    world.replay(there, "--chunk", "1000")
    assert published(there) == world.files(world.run_ids[-1])


def test_what_an_executor_finds_missing_ends_as_it_does_in_one_process(world: World) -> None:
    """A raw body that is gone is exit 5, with its name and what to do."""
    manifest = json.loads(world.home.object(f"manifests/run={world.run_ids[0]}.json"))
    (raw,) = manifest["endpoints"]["launches"]["objects"]
    raw["version_id"], manifest["run_id"] = "gone", "20251231T230000Z-00000000"  # before the last, which the driver reads itself
    key = f"manifests/run={manifest['run_id']}.json"
    s3 = world.home.aws.client("s3")
    s3.put_object(Bucket=world.home.bucket, Key=key, Body=json.dumps(manifest).encode())
    process = world.start(world.place(), "--to", "2026-01-01", since="2025-12-31")
    out, _ = process.communicate(timeout=3600)
    s3.delete_object(Bucket=world.home.bucket, Key=key)
    assert process.returncode == 5, out[-5000:]
    assert re.search(rf'"level": "ERROR".*{re.escape(raw["key"])}', out)


def wait_for(process: Any, *lines: str) -> None:
    """Read the driver's output until these were printed, one after the other."""
    wanted = list(lines)
    for line in process.stdout:
        if re.search(wanted[0], line):
            wanted.pop(0)
        if not wanted:
            return
    raise AssertionError(f"the driver ended before it printed {wanted}")


def test_the_driver_knows_nothing_of_launches() -> None:
    """No column, no SQL: what a launch is, what is retained and what is a change the program says alone."""
    tree = ast.parse(DRIVER.read_text())
    columns = {column.name for table in TABLES.values() for column in table.columns} | set(TABLES)
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    assert not columns & {word for text in texts if " " not in text.strip() for word in re.findall(r"\w+", text)}
    assert not any(re.search(r"\b(SELECT|OVER|PARTITION|JOIN|GROUP BY)\b", text) for text in texts)
    assert not {"Window", "functions", "expr", "sql", "lag", "lead"} & {
        node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else "" for node in ast.walk(tree)
    }
