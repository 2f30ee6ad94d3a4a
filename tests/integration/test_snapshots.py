"""Published snapshots as readers get them: in Python, as URLs, and from the command `snapshot`."""

import json
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from duckdb_extensions import import_extension

import app
from app.core.checksum.digest import EMPTY, Checksum, add_hashes, add_rows_as_stored
from app.core.schema import TABLES
from app.errors import LakeError, UnreadableObject
from app.lake.bucket import Bucket
from app.lake.snapshots import Snapshot
from tests.fault.world import BEFORE, World, launch, new_world
from tests.services import AwsEndpoint, Login


@pytest.fixture(scope="module")
def world(mysql: Login, aws: AwsEndpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A lake with two publications, of which the second changed a year and took one away."""
    before = dict(os.environ)
    with new_world(mysql, aws, tmp_path_factory.mktemp("world") / "w", S3_PREFIX="some/lake") as world:
        os.environ.update(aws.environment())
        assert world.run_forked() == 0, world.last_line
        world.api.set("launches", [launch(1, "2020-03-01", details="Changed."), launch(2, "2020-06-01"), launch(4, "2022-09-01")])
        assert world.run_forked() == 0, world.last_line
        yield world
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def gets(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of all GETs from here on."""
    seen: list[str] = []
    get = Bucket.get

    def counted(self: Bucket, key: str, limit: int, version_id: str | None = None) -> Any:
        assert version_id or key.startswith("manifests/")  # of the tables s3:GetObjectVersion is the one right that is needed
        seen.append(key)
        return get(self, key, limit, version_id)

    monkeypatch.setattr(Bucket, "get", counted)
    return seen


def runs(world: World) -> list[str]:
    """The runs that published, oldest first."""
    keys = world.keys("some/lake/manifests/run=")
    return sorted(key.removesuffix(".json").rpartition("=")[2] for key in keys)


def named(world: World, run_id: str) -> dict[tuple[str, int], Checksum]:
    """What a run's manifest says that each partition holds."""
    manifest = json.loads(world.object(f"some/lake/manifests/run={run_id}.json"))
    return {(file["table"], file["year"]): Checksum(file["rows"], file["digest"]) for file in manifest["files"]}


def held(snapshot: Snapshot) -> dict[tuple[str, int], Checksum]:
    """What each partition of a snapshot holds, by the values that are read."""
    found = {}
    for name, table in snapshot.tables.items():
        rows = table.dataset.to_table()
        for year in set(rows["launch_year"].to_pylist()):
            found[name, year] = add_rows_as_stored(EMPTY, TABLES[name], rows.filter(pc.equal(rows["launch_year"], year)))
    return found


def test_a_snapshot_holds_what_its_manifest_says_the_newest_and_an_older_one(world: World) -> None:
    older, newest = runs(world)
    for run, run_id in (("latest", newest), (newest, newest), (older, older)):
        snapshot = app.open_snapshot(world.bucket, "some/lake", run)
        assert snapshot.run_id == run_id
        assert list(snapshot.tables) == list(TABLES)
        assert held(snapshot) == {key: checksum for key, checksum in named(world, run_id).items() if checksum.rows}
        assert {name: table.rows for name, table in snapshot.tables.items()} == {
            name: table.dataset.count_rows() for name, table in snapshot.tables.items()
        }
    manifest = json.loads(world.object(f"some/lake/manifests/run={newest}.json"))
    assert app.open_snapshot(world.bucket, "/some/lake/").published_at.isoformat()[:19] == manifest["published_at"][:19]


def test_a_snapshot_is_right_while_a_run_publishes_in_a_loop_beside_it(
    mysql: Login, aws: AwsEndpoint, tmp_path: Path, world: World
) -> None:
    with new_world(mysql, aws, tmp_path / "busy", S3_PREFIX="some/lake") as busy:
        assert busy.run_forked() == 0, busy.last_line
        first = app.open_snapshot(busy.bucket, "some/lake")
        codes = []

        def publish() -> None:
            for turn in range(4):
                changed = [launch(1, f"202{turn % 3}-03-01"), *BEFORE[1 + turn % 2 :], launch(4, "2020-09-01", details=str(turn))]
                busy.api.set("launches", changed)
                codes.append(busy.run_forked(arguments=["--accept-shrink"]))

        publishing = threading.Thread(target=publish)
        publishing.start()
        seen = set()
        while publishing.is_alive() or first.run_id in seen:
            for snapshot in (first, app.open_snapshot(busy.bucket, "some/lake")):
                assert held(snapshot) == {key: one for key, one in named(busy, snapshot.run_id).items() if one.rows}
                seen.add(snapshot.run_id)
            if not publishing.is_alive():
                break
        publishing.join()
    assert codes == [0] * 4
    assert len(seen) > 2


def test_one_year_is_one_get_and_all_years_are_one_each(world: World, gets: list[str]) -> None:
    launches = app.open_snapshot(world.bucket, "some/lake").tables["launches"]
    gets.clear()
    assert launches.to_pandas(columns=["launch_id"], filter=ds.field("launch_year") == 2022)["launch_id"].tolist() == ["launch-4"]
    assert gets == ["launches/year=2022/launches.parquet"]
    gets.clear()
    assert len(launches.to_pandas()) == 3
    assert sorted(gets) == [f"launches/year={year}/launches.parquet" for year in (2020, 2022)]
    gets.clear()
    relation = launches.to_duckdb()
    assert gets == []
    assert relation.filter("launch_year >= 2021").select("launch_id").fetchall()[0][0] == "launch-4"
    assert gets == ["launches/year=2022/launches.parquet"]


def test_frames_have_arrow_s_types_and_relations_can_be_joined(world: World) -> None:
    tables = app.open_snapshot(world.bucket, "some/lake").tables
    frame = tables["launches"].to_pandas()
    assert {str(kind) for kind in frame.dtypes} <= {f"{kind}[pyarrow]" for kind in ("string", "int64", "bool", "double")} | {
        "timestamp[us, tz=UTC][pyarrow]"
    }
    with duckdb.connect() as connection:
        launches, cores = (tables[name].to_duckdb(connection) for name in ("launches", "launch_cores"))
        joined = launches.set_alias("l").join(cores.set_alias("c"), "launch_id")
        assert joined.aggregate("count(*)").fetchall() == [(3,)]


def test_a_snapshot_can_be_pickled_and_read_in_another_process(world: World) -> None:
    snapshot = app.open_snapshot(world.bucket, "some/lake", runs(world)[0])
    again = pickle.loads(pickle.dumps(snapshot))  # noqa: S301  # our own
    assert (again.run_id, again.published_at) == (snapshot.run_id, snapshot.published_at)
    assert held(again) == held(snapshot)
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        assert pool.submit(held, snapshot).result() == held(snapshot)


def test_a_version_that_is_gone_is_one_clear_error(mysql: Login, aws: AwsEndpoint, tmp_path: Path, world: World) -> None:
    key = "some/lake/launches/year=2020/launches.parquet"
    with new_world(mysql, aws, tmp_path / "w", S3_PREFIX="some/lake") as poor:
        assert poor.run_forked() == 0, poor.last_line
        snapshot = app.open_snapshot(poor.bucket, "some/lake")
        (version,) = [version for one, version in poor.versions(key) if one == key]
        aws.client("s3").put_object(Bucket=poor.bucket, Key=key, Body=b"other")
        aws.client("s3").delete_object(Bucket=poor.bucket, Key=key, VersionId=version)
        with pytest.raises(UnreadableObject, match=rf"run {snapshot.run_id} .* s3://{poor.bucket}/{key} .* is gone"):
            snapshot.tables["launches"].to_pandas()
        for _ in range(100):  # of which some would never end, were it read by several threads
            with pytest.raises(duckdb.Error, match=rf"run {snapshot.run_id} .* is gone"):
                snapshot.tables["launches"].to_duckdb().fetchall()
        assert len(snapshot.tables["launch_cores"].to_pandas()) == 3
        ended = poor("snapshot", "urls", "latest", "--json", code=5)
        assert key in ended.stderr
        assert "is gone" in ended.stderr
        assert "https://" not in ended.stdout + ended.stderr


def test_what_is_no_snapshot_is_one_clear_error(world: World, bucket: str) -> None:
    with pytest.raises(UnreadableObject, match=rf"nothing is published in s3://{bucket}/"):
        app.open_snapshot(bucket)
    with pytest.raises(UnreadableObject, match="no run 20200101T000000Z-00000000 has published"):
        app.open_snapshot(world.bucket, "some/lake", "20200101T000000Z-00000000")
    with pytest.raises(UnreadableObject, match=r"no run \.\./latest has published"):
        app.open_snapshot(world.bucket, "some/lake", "../latest")
    with pytest.raises(LakeError, match="NoSuchBucket"):
        app.open_snapshot(f"{bucket}-none")


def test_a_snapshot_of_another_schema_has_the_columns_of_its_time(
    mysql: Login, aws: AwsEndpoint, tmp_path: Path, world: World
) -> None:
    with new_world(mysql, aws, tmp_path / "w") as old:
        assert old.run_forked() == 0, old.last_line
        s3, manifest = aws.client("s3"), old.manifest()
        for file in (one for one in manifest["files"] if one["table"] == "launch_crew"):
            path = tmp_path / "crew.parquet"
            path.write_bytes(old.object(file["key"]))
            renamed = pq.read_table(path)
            pq.write_table(renamed.rename_columns([{"role": "duty"}.get(name, name) for name in renamed.column_names]), path)
            put = s3.put_object(Bucket=old.bucket, Key=file["key"], Body=path.read_bytes())
            file.update(version_id=put["VersionId"], etag=put["ETag"], size=path.stat().st_size)
        old.put_manifest({**manifest, "schema_version": 0})
        crew = app.open_snapshot(old.bucket).tables["launch_crew"].to_pandas()
        assert crew["duty"].tolist() == ["Commander"]


def test_to_import_the_package_loads_nothing_else() -> None:
    code = "import sys, app; print({'pyarrow', 'pandas', 'boto3', 'pydantic', 'duckdb'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


# --- the command --------------------------------------------------------------------------------------------------


def test_the_command_lists_snapshots_newest_first(world: World) -> None:
    older, newest = runs(world)
    listed = json.loads(world("snapshot", "--json").stdout)
    assert [(one["run_id"], one["tables"]["launches"]["rows"]) for one in listed] == [(newest, 3), (older, 3)]
    assert [one["run_id"] for one in json.loads(world("snapshot", "--limit", "1", "--json").stdout)] == [newest]
    assert [line["snapshot"]["run_id"] for line in world("snapshot").lines if "snapshot" in line] == [newest, older]


def test_the_command_shows_one_with_its_files(world: World) -> None:
    older, newest = runs(world)
    shown = world("snapshot", "show", "latest", "--json").result
    assert (shown["run_id"], shown["source"]) == (newest, "spacex")
    assert {(file["table"], file["year"]): Checksum(file["rows"], file["digest"]) for file in shown["files"]} == named(
        world, newest
    )
    assert world("snapshot", "show", older, "--json").result["run_id"] == older
    assert "no run nobody has published" in world("snapshot", "show", "nobody", code=2).stdout


def test_urls_name_versions_and_are_read_by_whoever_has_them(world: World) -> None:
    """By DuckDB here, which can name no version otherwise."""
    import_extension("httpfs")
    for run_id in runs(world):
        files = json.loads(world("snapshot", "urls", run_id, "--json").stdout)
        assert {(file["table"], file["year"]) for file in files} == set(named(world, run_id))
        with duckdb.connect() as connection:
            connection.load_extension("httpfs")
            for (table, year), wanted in named(world, run_id).items():
                urls = [file["url"] for file in files if (file["table"], file["year"]) == (table, year)]
                hashes = connection.execute("SELECT row_hash FROM read_parquet(?)", [urls]).fetchall()
                assert add_hashes(EMPTY, (one for (one,) in hashes)) == wanted
    some = json.loads(world("snapshot", "urls", "latest", "--table", "launches", "--lifetime", "60", "--json").stdout)
    assert {file["table"] for file in some} == {"launches"}
    assert all("X-Amz-Expires=60&" in file["url"] and "versionId=" in file["url"] for file in some)
    refused = world("snapshot", "urls", "latest", "--table", "rockets", code=2)
    assert "there is no table rockets" in refused.stdout


def test_the_command_needs_no_mysql(world: World) -> None:
    assert world("snapshot", "--json", MYSQL_PORT="9").code == 0
