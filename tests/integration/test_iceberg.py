"""Iceberg's tables where another writer or another schema comes in between: the program's own classes against a real catalog."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog import load_catalog
from pyiceberg.table import Table as IcebergTable

from app.core.checksum.digest import checksum_of, with_hashes
from app.core.model import Manifest, Run, WrittenFile
from app.core.schema import LAUNCH_CREW, TABLES, Column, Kind, Table
from app.errors import LakeError
from app.lake.bucket import Bucket
from app.lake.layout import new_run_id
from app.lake.store import S3Lake
from app.settings import load_settings
from tests.services import AwsEndpoint

BEGAN = datetime(2026, 1, 31, 12, tzinfo=UTC)
NAME = LAUNCH_CREW.name


class Lake:
    """A lake with Iceberg, and runs that publish one table."""

    def __init__(self, aws: AwsEndpoint, bucket: str, file: Path) -> None:
        self.aws, self.bucket, self.file = aws, bucket, file
        self.lake = S3Lake(load_settings())
        self.manifests: list[Manifest] = []

    def publish(self, table: Table, years: dict[int, list[str]]) -> dict[str, int]:
        """One run that publishes these people of each year; the ids of its snapshots."""
        run = Run(new_run_id(BEGAN, len(self.manifests)), BEGAN, "spacex", BEGAN)
        files = [self._written(run, table, year, names) for year, names in years.items()]
        self.manifests.append(self._manifest(run, files))
        tables = self.lake.iceberg
        assert tables
        return tables.commit(self.manifests[-1], anew=False)

    def _written(self, run: Run, table: Table, year: int, names: list[str]) -> WrittenFile:
        count = len(names)
        known: dict[str, list[object]] = {
            "launch_id": [f"launch-{year}-{n}" for n in range(count)],
            "position": [0] * count,
            "name": list(names),
            "callsign": [name[0] for name in names],
            "launch_year": [year] * count,
        }
        rows = with_hashes(table, {c.name: known.get(c.name, [None] * count) for c in table.facts})
        there = self.lake.partitions().get((NAME, year))
        return self.lake.write(run, (NAME, year), [rows], checksum_of(rows), there)

    def _manifest(self, run: Run, files: list[WrittenFile]) -> Manifest:
        facts: dict[str, Any] = {
            "source": "spacex",
            "source_url": "",
            "app_version": "1",
            "schema_version": 1,
            "transform_version": 1,
        }
        facts |= {"endpoints": {}, "rejected": 0, "retained_ids": [], "lookups": {}, "newest_launch_utc": None, "as_of": BEGAN}
        return Manifest(run_id=run.id, published_at=BEGAN, files=files, replayed_run_id=None, **facts)

    def read(self) -> IcebergTable:
        """The table as another reader loads it."""
        s3 = {"s3.endpoint": self.aws.url, "s3.access-key-id": "test", "s3.secret-access-key": "test", "s3.region": "us-east-1"}
        return load_catalog(type="sql", uri=f"sqlite:///{self.file}", **s3).load_table(("spacex", NAME))

    def rows(self, snapshot: int | None = None) -> pa.Table:
        """The rows of a snapshot."""
        return self.read().scan(snapshot_id=snapshot).to_arrow()


@pytest.fixture
def new_lake(aws: AwsEndpoint, bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], Lake]:
    file = tmp_path / "catalog.db"
    mysql = {"MYSQL_HOST": "127.0.0.1", "MYSQL_USER": "nobody", "MYSQL_PASSWORD": "none", "MYSQL_DATABASE": "none"}
    for name, value in {**aws.environment(), **mysql, "S3_BUCKET": bucket, "ICEBERG_CATALOG": f"sqlite:///{file}"}.items():
        monkeypatch.setenv(name, value)
    return lambda: Lake(aws, bucket, file)


@pytest.fixture
def lake(new_lake: Callable[[], Lake]) -> Lake:
    return new_lake()


def test_a_lost_commit_race_is_a_failure_of_s3_and_leaves_the_other_s_snapshot(
    lake: Lake, new_lake: Callable[[], Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.publish(LAUNCH_CREW, {2020: ["One"]})
    other, copy = new_lake(), Bucket.copy

    def copied(self: Bucket, key: str, version_id: str, to: str) -> None:
        monkeypatch.setattr(Bucket, "copy", copy)
        other.publish(LAUNCH_CREW, {2021: ["Other"]})  # between our reading of the table and our commit
        copy(self, key, version_id, to)

    monkeypatch.setattr(Bucket, "copy", copied)
    with pytest.raises(LakeError, match=r"spacex\.launch_crew: changed by another writer") as failed:
        lake.publish(LAUNCH_CREW, {2020: ["Two"]})
    assert failed.value.exit_code == 5
    assert lake.rows()["name"].to_pylist() == ["Other"]
    lake.publish(LAUNCH_CREW, {2020: ["Two"]})
    assert lake.rows()["name"].to_pylist() == ["Two"]


def test_columns_that_come_and_go_evolve_the_table_and_older_snapshots_stay_readable(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = lake.publish(LAUNCH_CREW, {2020: ["One"], 2021: ["Other"]})[NAME]
    added = (*LAUNCH_CREW.columns[:3], Column("callsign", Kind.LABEL, "Call sign"), *LAUNCH_CREW.columns[3:])
    wider = replace(LAUNCH_CREW, columns=added)
    monkeypatch.setitem(TABLES, NAME, wider)
    second = lake.publish(wider, {2020: ["One"], 2021: ["Other", "Third"]})[NAME]
    narrower = replace(wider, columns=tuple(column for column in wider.columns if column.name != "role"))
    monkeypatch.setitem(TABLES, NAME, narrower)
    third = lake.publish(narrower, {2020: ["One"]})[NAME]
    assert len({first, second, third}) == 3
    names = [set(lake.rows(snapshot).column_names) for snapshot in (first, second, third)]
    base = {column.name for column in LAUNCH_CREW.columns}
    assert names == [base, base | {"callsign"}, (base | {"callsign"}) - {"role"}]
    assert [sorted(lake.rows(snapshot)["name"].to_pylist()) for snapshot in (first, second, third)] == [
        ["One", "Other"],
        ["One", "Other", "Third"],
        ["One"],
    ]
    assert sorted(lake.rows(second)["callsign"].to_pylist()) == ["O", "O", "T"]
    assert {field.name: field.doc for field in lake.read().schema().fields}["callsign"] == "Call sign"


def test_a_table_of_another_lake_is_left_alone(lake: Lake, new_lake: Callable[[], Lake], monkeypatch: pytest.MonkeyPatch) -> None:
    lake.publish(LAUNCH_CREW, {2020: ["One"]})
    monkeypatch.setenv("S3_PREFIX", "elsewhere")
    with pytest.raises(LakeError, match=r"which is not under .*ICEBERG_DATABASE"):
        new_lake().publish(LAUNCH_CREW, {2020: ["Two"]})
    assert lake.rows()["name"].to_pylist() == ["One"]


def test_a_catalog_that_can_not_be_opened_is_a_failure_that_says_what_to_check(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ICEBERG_CATALOG", "sqlite:////nowhere/at/all.db")
    with pytest.raises(LakeError, match=r"the catalog: .*check ICEBERG_CATALOG"):
        _ = S3Lake(load_settings()).iceberg
