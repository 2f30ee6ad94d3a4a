"""What both stores must hold, said a second time: rows from the source, history from what was published one after the other."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tests.fault.oracle import Oracle, Row, readable_id
from tests.fault.world import HISTORY, World
from tests.program import KEYS
from tests.soak.source import Source

Rows = dict[str, dict[str, list[Row]]]
"""The rows of each launch by table."""
Changes = list[tuple[str, str, str | None, str | None, int]]
"""Launch, column, old, new, year: what one publication changed, in order."""
SNAPSHOT = [table for table in KEYS if table != HISTORY]
_NO_FACTS = {"launch_id", "launch_year"}


class Statement:
    """What was published so far."""

    def __init__(self) -> None:
        self.held: Rows | None = None
        self.history: list[Changes] = []

    def after(self, source: Source) -> Rows:
        """What a run must publish: sound launches, and the last good rows of those that can't be used or may still be there."""
        rows, rejected = Oracle(source.lookups).answer(source.launches)
        held = self.held or {}
        ids = [readable_id(source.launches[place]) for place in rejected]
        kept = held.keys() if None in ids else {name for name in ids if name in held}
        return {**{name: held[name] for name in kept}, **rows}

    def publish(self, rows: Rows) -> None:
        """It was published; the first publication is no news."""
        if self.held is not None and (found := _changes(self.held, rows)):
            self.history.append(found)
        self.held = rows


def _changes(before: Rows, after: Rows) -> Changes:
    found: Changes = []
    for name in before.keys() | after.keys():
        old, new = ((rows[name]["launches"][0] if name in rows else None) for rows in (before, after))
        if new is None:
            assert old is not None
            found.append((name, "launch_id", name, None, old["launch_year"]))
        elif old is None:
            found.append((name, "launch_id", None, name, new["launch_year"]))
        else:
            columns = [column for column in new.keys() - _NO_FACTS if old[column] != new[column]]
            found += [(name, column, _text(old[column]), _text(new[column]), new["launch_year"]) for column in columns]
    return sorted(found, key=lambda change: change[:2])


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S.%f}"
    return repr(value).removesuffix(".0")


# --- what is there, as an outsider reads it -----------------------------------------------------------------------------


def in_mysql(world: World) -> dict[str, list[Row]]:
    """All rows of the snapshot's tables; empty before the first run made them."""
    there = set(world.tables())
    return {table: [] for table in SNAPSHOT} | world.all_in_mysql(table for table in SNAPSHOT if table in there)


def to_the_byte(world: World) -> tuple[Any, ...]:
    """What an unchanged run leaves alone: the tables with their lineage, and all versions of partitions and manifests."""
    versions = {one for one in world.versions() if one[0].partition("/")[0] in {*KEYS, "manifests"}}
    return world.login.query(f"CHECKSUM TABLE {', '.join(KEYS)}"), versions


def assert_rows(stored: Mapping[str, list[Row]], wanted: Rows) -> None:
    """The stored rows are those; columns of which the oracle says nothing are left out."""
    for table in SNAPSHOT:
        rows = [row for name in sorted(wanted) for row in wanted[name][table]]
        keys = [_key(table, row) for row in stored[table]]
        assert keys == [_key(table, row) for row in rows], f"{table}: {keys}"
        for found, row in zip(stored[table], rows, strict=True):
            shown = {column: found[column] for column in row}
            wrong = {column: (shown[column], row[column]) for column in row if shown[column] != row[column]}
            assert not wrong, f"{table} {_key(table, row)}: (stored, wanted) {wrong}"


def assert_history(world: World, wanted: list[Changes]) -> None:
    """MySQL's history has each publication's changes, once and in the order of their numbers."""
    if not (wanted or world.login.query(f"SHOW TABLES LIKE '{HISTORY}'")):
        return
    numbers = dict(world.login.query("SELECT run_id, `number` FROM pipeline_runs"))
    runs: dict[str, Changes] = {}
    for row in world.in_mysql(HISTORY):
        found = runs.setdefault(row["run_id"], [])
        found.append((row["launch_id"], row["column_name"], row["old_value"], row["new_value"], row["launch_year"]))
    stored = [sorted(runs[run], key=lambda change: change[:2]) for run in sorted(runs, key=lambda run: numbers[run])]
    assert len(stored) == len(wanted), f"{len(stored)} publications with changes, not {len(wanted)}\n{stored}\n{wanted}"
    for number, (found, changes) in enumerate(zip(stored, wanted, strict=True)):
        assert found == changes, f"history {number}: stored\n{found}\nwanted\n{changes}"


def assert_equal(world: World, wanted: Rows, history: list[Changes], lost: set[tuple[str, str]]) -> None:
    """Both stores hold these rows and this history, and the manifest names what is there, but for lost raw objects."""
    stored = world.all_in_mysql()
    assert_rows(stored, wanted)
    assert_history(world, history)
    for table, rows in stored.items():
        in_s3 = world.in_s3(table) if world.keys(f"{table}/") else []
        assert in_s3 == rows, f"{table} differs between S3 and MySQL"
    ((state,),) = world.login.query("SELECT state FROM pipeline_runs ORDER BY `number` DESC LIMIT 1")
    assert state in ("published", "unchanged", "failed"), state  # failed: it came second while the first was at work
    manifest = json.loads(world.object(json.loads(world.object("manifests/latest.json"))["manifest"]))
    current = dict(_current(world))
    named = {file["key"]: file["version_id"] for file in manifest["files"]}
    assert named == {key: version for key, version in current.items() if key.partition("/")[0] in KEYS}
    raw = {(one["key"], one["version_id"]) for endpoint in manifest["endpoints"].values() for one in endpoint["objects"]}
    assert raw <= world.versions("raw/") | lost


def _current(world: World) -> list[tuple[str, str]]:
    pages = world.aws.client("s3").get_paginator("list_object_versions").paginate(Bucket=world.bucket)
    return [(one["Key"], one["VersionId"]) for page in pages for one in page.get("Versions", []) if one["IsLatest"]]


def _key(table: str, row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in KEYS[table])
