"""The published tables as Iceberg tables: every snapshot is right for every reader, whatever happens to the run that makes it."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from duckdb_extensions import import_extension
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.table import Table

from app.core.checksum.digest import EMPTY, Checksum, add_rows_as_stored
from app.core.schema import TABLES
from tests.fault.stopped import Stop
from tests.fault.world import World, launch, new_world
from tests.services import AwsEndpoint, Login
from tests.services.clock import shifted

TURNS = 20
COPY, PUT = "CopyObject iceberg/{}/data/", "PutObject iceberg/{}/metadata/"
KILLS = {
    0: (
        "after",
        PUT.format("launch_cores") + "ID.metadata.json",
    ),  # in the first run of all: a table's file, not yet in the catalog
    2: ("before", COPY.format("launches")),
    4: ("after", COPY.format("launches")),
    6: ("after", PUT.format("launches") + "snap-"),
    8: ("after", PUT.format("launches") + "ID.metadata.json"),  # all is there but the catalog's word for it
    10: ("before", COPY.format("launch_changes")),  # the first table is committed
    12: ("after", PUT.format("launch_changes") + "ID.metadata.json"),
    14: ("before", "PutObject manifests/run="),  # all tables are committed
    16: ("after", "PutObject manifests/run="),
}
"""The turns whose first run is killed, and where."""


def source(turn: int) -> list[dict[str, Any]]:
    """What the API has at a turn: one launch always changes, another moves to and fro, a year and the crews come and go."""
    crew = [{"crew": "m1", "role": "Commander"}] if turn % 3 else []
    launches = [launch(1, "2020-03-01", details=f"Turn {turn}."), launch(2, f"202{turn % 2}-06-01", crew=crew)]
    return launches if turn % 4 == 3 else [*launches, launch(3, "2023-02-01")]


@dataclass(frozen=True)
class History:
    """A world after many runs, its catalog, and the manifest of each run that published."""

    world: World
    catalog: Catalog
    manifests: list[dict[str, Any]]

    def table(self, name: str) -> Table:
        """A table, as another reader than the program loads it."""
        return self.catalog.load_table(("spacex", name))


@pytest.fixture(scope="module")
def history(mysql: Login, aws: AwsEndpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    """Twenty runs with changes, some killed at first and followed by another."""
    folder = tmp_path_factory.mktemp("iceberg")
    with new_world(mysql, aws, folder / "world", ICEBERG_CATALOG=f"sqlite:///{folder}/catalog.db") as world:
        manifests = []
        for turn in range(TURNS):
            world.api.set("launches", source(turn))
            if turn in KILLS:
                when, effect = KILLS[turn]
                assert world.run_forked(Stop(f"{effect}*", when, "kill")) == -9, f"turn {turn}\n{world.last_line}"  # type: ignore[arg-type]
            assert world.run_forked() == 0, f"turn {turn}\n{world.last_line}"
            manifests.append(world.manifest())
        yield History(world, opened(aws, folder / "catalog.db"), manifests)


def opened(aws: AwsEndpoint, file: Path) -> Catalog:
    """The catalog, its tables read with pyiceberg's own means."""
    s3 = {"s3.endpoint": aws.url, "s3.access-key-id": "test", "s3.secret-access-key": "test", "s3.region": "us-east-1"}
    return load_catalog(type="sql", uri=f"sqlite:///{file}", **s3)


@pytest.fixture(scope="module")
def duck(aws: AwsEndpoint) -> duckdb.DuckDBPyConnection:
    """DuckDB with its own reader of Iceberg."""
    connection = duckdb.connect()
    for extension in ("httpfs", "avro", "iceberg"):
        import_extension(extension)
        connection.load_extension(extension)
    connection.sql("SET TimeZone = 'UTC'")
    address = aws.url.removeprefix("http://")
    key = f"KEY_ID 'test', SECRET 'test', REGION 'us-east-1', ENDPOINT '{address}', URL_STYLE 'path', USE_SSL false"
    connection.sql(f"CREATE SECRET s (TYPE s3, {key})")
    return connection


def named(manifest: dict[str, Any], table: str) -> dict[int, Checksum]:
    """What a manifest says that each year of a table holds."""
    files = [file for file in manifest["files"] if file["table"] == table and file["rows"]]
    return {file["year"]: Checksum(file["rows"], file["digest"]) for file in files}


def held(name: str, rows: pa.Table) -> dict[int, Checksum]:
    """What each year of a table's rows holds, by their values."""
    rows = rows.select(TABLES[name].arrow.names).cast(TABLES[name].arrow)
    years = set(rows["launch_year"].to_pylist())
    return {year: add_rows_as_stored(EMPTY, TABLES[name], rows.filter(pc.equal(rows["launch_year"], year))) for year in years}


def test_every_snapshot_since_the_first_holds_what_its_manifest_says(history: History, duck: duckdb.DuckDBPyConnection) -> None:
    """For two readers that know nothing of each other; snapshots that several manifests name are read once."""
    read = 0
    for name in TABLES:
        table, seen = history.table(name), set()
        for manifest in history.manifests:
            snapshot = manifest["iceberg"][name]
            if snapshot in seen:
                continue
            seen.add(snapshot)
            wanted = named(manifest, name)
            assert held(name, table.scan(snapshot_id=snapshot).to_arrow()) == wanted, (name, manifest["run_id"])
            query = f"SELECT * FROM iceberg_scan('{table.metadata_location}', snapshot_from_id = {snapshot})"
            assert held(name, duck.sql(query).to_arrow_table()) == wanted, (name, manifest["run_id"])
            read += 1
    assert read > 3 * TURNS
    assert sum(not named(manifest, "launch_crew") for manifest in history.manifests) > 3  # tables without rows are among them


def test_no_run_makes_a_second_snapshot_and_the_newest_is_the_published_one(history: History) -> None:
    for name in TABLES:
        table = history.table(name)
        snapshots = Counter((one.summary or {})["run-id"] for one in table.snapshots())
        assert set(snapshots.values()) == {1}, name
        current = table.current_snapshot()
        assert current is not None
        assert current.snapshot_id == history.manifests[-1]["iceberg"][name]


def test_an_unchanged_run_adds_no_object(history: History) -> None:
    before = history.world.versions()
    assert history.world.run_forked() == 0
    assert not any(key.startswith("iceberg/") for key, _ in history.world.versions() - before)
    assert history.world.manifest() == history.manifests[-1]


def test_columns_have_their_meanings_and_years_are_partitions(history: History, duck: duckdb.DuckDBPyConnection) -> None:
    table = history.table("launches")
    assert {field.name: field.doc for field in table.schema().fields} == {c.name: c.meaning for c in TABLES["launches"].columns}
    assert [task.file.file_path.split("/")[-2] for task in table.scan("launch_year = 2020").plan_files()] == ["launch_year=2020"]
    assert duck.sql(f"SELECT count(*) FROM iceberg_scan('{table.metadata_location}') WHERE launch_year = 2020").fetchone() == (1,)


def copies(history: History, name: str) -> list[str]:
    """The keys of the files that a table's current snapshot names."""
    return [task.file.file_path.removeprefix(f"s3://{history.world.bucket}/") for task in history.table(name).scan().plan_files()]


def lose_a_copy(history: History, name: str) -> str:
    """A file that a snapshot names is gone; its key."""
    key = copies(history, name)[0]
    history.world.aws.client("s3").delete_object(Bucket=history.world.bucket, Key=key)
    return key


def alter_a_copy(history: History, name: str) -> str:
    """A file that a snapshot names holds other rows; its key."""
    one, other = copies(history, name)[:2]
    history.world.aws.client("s3").put_object(Bucket=history.world.bucket, Key=one, Body=history.world.object(other))
    return one


def lose_the_metadata(history: History) -> None:
    """The file that the catalog names is gone."""
    key = history.table("launches").metadata_location.removeprefix(f"s3://{history.world.bucket}/")
    history.world.aws.client("s3").delete_object(Bucket=history.world.bucket, Key=key)


def append_a_row(history: History) -> None:
    """Somebody else committed a snapshot."""
    table = history.table("launch_crew")
    rows = history.table("launch_cores").scan(selected_fields=("launch_id", "position", "launch_year", "row_hash")).to_arrow()
    table.append(rows.slice(0, 1).cast(table.schema().as_arrow().empty_table().select(rows.column_names).schema))


def assert_verify_finds_and_a_run_repairs(history: History, *says: str) -> None:
    """Verify names what is wrong, the next run repairs it, and both readers' rows are the manifest's again."""
    found = history.world("verify", "--json", code=8)
    for text in says:
        assert re.search(text, found.stderr), text
    assert history.world.run_forked() == 0, history.world.last_line
    history.world("verify", "--json")
    manifest = history.world.manifest()
    for name in TABLES:
        assert held(name, history.table(name).scan().to_arrow()) == named(manifest, name)


def test_verify_finds_what_is_not_as_published_and_the_next_run_repairs_it(history: History) -> None:
    altered = alter_a_copy(history, "launches")
    lost = lose_a_copy(history, "launch_payloads")
    append_a_row(history)
    says = (
        f"Iceberg launches: {altered} holds",
        f"Iceberg launch_payloads: .*{lost}",
        "Iceberg launch_crew: the current snapshot is",
    )
    assert_verify_finds_and_a_run_repairs(history, *says)


def test_a_table_that_can_not_be_read_is_made_anew(history: History) -> None:
    lose_the_metadata(history)
    assert_verify_finds_and_a_run_repairs(history, "Iceberg launches: the table can't be read: .* is gone")


def test_maintain_takes_away_what_is_older_than_90_days_and_nothing_needs(history: History) -> None:
    """The last test of this history: snapshots go."""
    world = history.world
    before = set(world.keys("iceberg/"))
    assert world("maintain", "--json").result["iceberg"]["launches"] == {"snapshots": 0, "files": 0}
    assert set(world.keys("iceberg/")) == before
    removed = world("maintain", "--json", **shifted("+91d")).result["iceberg"]
    assert removed["launch_changes"]["snapshots"] > 10
    assert removed["launches"]["files"] > 3 * TURNS  # lists, metadata and copies
    manifest = world.manifest()
    for name in TABLES:
        table = history.table(name)
        assert [one.snapshot_id for one in table.snapshots()] == [manifest["iceberg"][name]]
        assert held(name, table.scan().to_arrow()) == named(manifest, name)
    assert len(copies(history, "launches")) == len(world.keys("iceberg/launches/data/"))
    world.api.set("launches", source(TURNS + 1))
    assert world.run_forked() == 0, world.last_line
    world("verify", "--json")


# --- Glue ---------------------------------------------------------------------------------------------------------


def test_glue_has_the_tables_with_their_types_and_a_run_killed_between_two_of_them_is_healed(
    mysql: Login, aws: AwsEndpoint, tmp_path: Path
) -> None:
    types = {"string": "string", "bool": "boolean", "int64": "bigint", "double": "double", "timestamp[us, tz=UTC]": "timestamp"}
    database = f"db_{tmp_path.name}".lower().replace("-", "_")[:40]
    with new_world(
        mysql, aws, tmp_path / "world", ICEBERG_CATALOG="glue", ICEBERG_DATABASE=database, S3_PREFIX="some/lake"
    ) as world:
        world.api.set("launches", source(0))
        assert world.run_forked() == 0, world.last_line
        world.api.set("launches", source(1))
        assert world.run_forked(Stop("UpdateTable #1", "after", "kill")) == -9
        assert world.run_forked() == 0, world.last_line
        assert sum(effect.startswith("UpdateTable") for effect in world.effects) == 5
        world("verify", "--json")
        glue = aws.client("glue")
        for name, table in TABLES.items():
            found = glue.get_table(DatabaseName=database, Name=name)["Table"]
            columns = {column["Name"]: (column["Type"], column["Comment"]) for column in found["StorageDescriptor"]["Columns"]}
            assert columns == {c.name: (types[str(c.kind.value.arrow)], c.meaning) for c in table.columns}
            assert found["Parameters"]["table_type"] == "ICEBERG"
            assert found["StorageDescriptor"]["Location"] == f"s3://{world.bucket}/some/lake/iceberg/{name}"
            glue.delete_table(DatabaseName=database, Name=name)
        glue.create_table(DatabaseName=database, TableInput={"Name": "launches", "Parameters": {"classification": "parquet"}})
        world.api.set("launches", source(2))
        assert world.run_forked() == 5
        assert "ICEBERG_DATABASE" in world.last_line


# --- on and off ---------------------------------------------------------------------------------------------------


def test_switched_off_nothing_of_it_is_imported_and_switched_on_the_next_run_brings_it(
    mysql: Login, aws: AwsEndpoint, tmp_path: Path
) -> None:
    trap = tmp_path / "trap/pyiceberg/__init__.py"
    trap.parent.mkdir(parents=True)
    trap.write_text("raise SystemExit('imported')\n")
    with new_world(mysql, aws, tmp_path / "world") as world:
        for command in ("run", "verify", "maintain", "snapshot"):
            world(command, PYTHONPATH=str(trap.parent.parent))
        assert world.keys("iceberg/") == []
        assert world.manifest()["iceberg"] == {}
        on = {"ICEBERG_CATALOG": f"sqlite:///{tmp_path}/catalog.db", "ICEBERG_DATABASE": "other"}
        first = world.versions("launches/")
        assert world.run_forked(**on) == 0, world.last_line
        assert world.versions("launches/") == first  # nothing of the lake itself is written for it
        assert set(world.manifest()["iceberg"]) == set(TABLES)
        table = opened(aws, tmp_path / "catalog.db").load_table(("other", "launches"))
        assert held("launches", table.scan().to_arrow()) == named(world.manifest(), "launches")
        world.api.set("launches", source(1))
        assert world.run_forked() == 0, world.last_line  # off again: the manifest says so, and the tables stay behind
        assert world.manifest()["iceberg"] == {}
        assert world.run_forked(**on) == 0, world.last_line
        table = opened(aws, tmp_path / "catalog.db").load_table(("other", "launches"))
        assert held("launches", table.scan().to_arrow()) == named(world.manifest(), "launches")
